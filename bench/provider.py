"""Ray's fake provider of nodes, as the autoscaler of `bench.nodes` loads it: groups may say how much memory a node has.

The autoscaler reckons with a group's memory. The provider would hand it on to the node under a name that is not allowed there,
so a node has what Ray finds on this machine.
"""

from __future__ import annotations

from typing import Any

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class Provider(FakeMultiNodeProvider):
    def _create_node_with_resources_and_labels(
        self, node_config: Any, tags: Any, count: int, resources: dict[str, Any], labels: dict[str, str]
    ) -> None:
        known = {name: amount for name, amount in resources.items() if name != "memory"}
        super()._create_node_with_resources_and_labels(node_config, tags, count, known, labels)
