"""`python -m actors.drain`: what a pod does before it ends (preStop), so that its replica leaves in good order.

Ray is asked to drain this pod's node. Serve then starts a replacement elsewhere, or after `PATIENCE_S` goes without one, and
stops the replica here: it takes nothing new, finishes for `drain_s`, gives the rest back unblamed (`actors.pool`). This command
returns when no replica is left on the node, or when its time is over; then Kubernetes ends the pod. Whoever ends it sooner, by
a grace period that is too short, loses time and no work: the leases of what was held run out.

It runs in every worker pod, the importer's too, and so imports nothing but Ray and the settings.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from cluster.settings import Settings
from cluster.topology import API_LEAVING_S, LEAVING_S

PATIENCE_S = 20.0
"""So long a replica that may stay goes on working while its replacement starts."""
REPLICA = "ServeReplica:"
RPC_S = 5.0


class NotDrained(Exception):
    """The node could not be drained; the message says why."""


class Node:
    """This pod's Ray node, seen through the cluster's head."""

    def __init__(self, gcs: Any, node_id: Any) -> None:
        self._gcs, self._id = gcs, node_id

    @classmethod
    def here(cls, address: str | None, instance: str) -> Node:
        """Raises NotDrained where the head does not answer or knows no living node of that name."""
        import ray
        from ray._private import services

        try:
            bootstrap = address or services.canonicalize_bootstrap_address_or_die("auto")
            gcs: Any = ray._raylet.GcsClient(address=bootstrap)  # pyright: ignore[reportAttributeAccessIssue]  # no stubs
            nodes = gcs.get_all_node_info(timeout=RPC_S)
        except Exception as error:
            raise NotDrained(f"the head does not answer: {error}") from error
        for node_id, node in nodes.items():
            if node.instance_id == instance and node.state == node.ALIVE:
                return cls(gcs, node_id)
        raise NotDrained(f"the head knows no living node {instance!r}")

    def drain(self, deadline_s: float) -> None:
        """Nothing new is placed here, and Serve moves what is here away."""
        from ray.core.generated import autoscaler_pb2

        accepted, why = self._gcs.drain_node(
            self._id.hex(),
            autoscaler_pb2.DRAIN_NODE_REASON_PREEMPTION,  # pyright: ignore[reportAttributeAccessIssue]  # made by protoc
            "the pod ends",
            int((time.time() + deadline_s) * 1000),
        )
        if not accepted:
            raise NotDrained(f"the head refuses: {why}")

    def replicas(self) -> int:
        """Serve's replicas that live here."""
        return asyncio.run(self._replicas())

    async def _replicas(self) -> int:
        actors = await self._gcs.async_get_all_actor_info(actor_state_name="ALIVE", timeout=RPC_S)
        here = self._id.binary()
        return sum(actor.address.node_id == here and actor.class_name.startswith(REPLICA) for actor in actors.values())


def drain(
    node: Node, wait_s: float, clock: Callable[[], float] = time.monotonic, rest: Callable[[float], None] = time.sleep
) -> bool:
    """Have the node drained; whether all replicas had left in time."""
    deadline = clock() + wait_s
    node.drain(wait_s)
    while node.replicas():
        if clock() >= deadline:
            return False
        rest(0.5)
    return True


def wait_s(settings: Settings) -> float:
    """A replacement's start, and then what Serve gives a replica that leaves."""
    return PATIENCE_S + max(settings.drain_s + LEAVING_S, float(API_LEAVING_S))


def main(argv: list[str]) -> int:
    """0: left in good order. 1: not, with a line that says why; kubelet writes it into the pod's events."""
    parser = argparse.ArgumentParser(prog="python -m actors.drain", description="What a pod does before it ends.")
    parser.add_argument("--wait-s", type=float, help="longest wait; default: 20 s and what the settings give a replica")
    parser.add_argument("--instance", default=os.environ.get("RAY_CLOUD_INSTANCE_ID", ""), help="default: this pod")
    given = parser.parse_args(argv)
    longest = given.wait_s if given.wait_s is not None else wait_s(Settings.load())
    try:
        left = drain(Node.here(os.environ.get("RAY_ADDRESS"), given.instance), longest)
    except NotDrained as error:
        sys.stderr.write(f"not drained: {error}\n")
        return 1
    if not left:
        sys.stderr.write(f"a replica was still there after {longest:.0f} s\n")
    return 0 if left else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
