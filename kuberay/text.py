"""Manifests as text: one way to write YAML and quantities, so that rendering anew changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from cluster.topology import GI, MI

HEADER = "# Written by `python -m kuberay.render` (make manifests); change kuberay/*.py or cluster/topology.py, never this file.\n"


class _Dumper(yaml.SafeDumper):
    """Indented lists, no anchors, several lines as a block."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def to_yaml(documents: Iterable[Any]) -> str:
    """Documents as one file, keys in the order they were given."""
    return HEADER + yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def inner_yaml(document: Any) -> str:
    """A document that stands as a string in another one."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def cpu(millicores: int) -> str:
    return f"{millicores}m"


def memory(size_bytes: int) -> str:
    """In the largest unit that is exact."""
    return f"{size_bytes // GI}Gi" if size_bytes % GI == 0 else f"{size_bytes // MI}Mi"
