"""What each pool may: the secrets it holds, and whom it talks to. Pods, NetworkPolicies, external secrets and docs follow from it.

Least privilege, by what the code does: a name of a secret is a field of `cluster.settings.Settings`. Everything that is not
named here is not in the pod and not reachable from it. The heads hold no secret but Ray's token (and the importer's knows a
digest), since applications are bound there from settings alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster import topology
from cluster.topology import Pool
from kuberay import names

NEIGHBOURS = {
    "authoring": "authoring-service",
    "media": "media-service",
    "catalog": "catalog-service",
    "ai-gateway": "ai-gateway",
    "sync": "sync-service",
}
"""By the name of its setting (`…_url`): its namespace, which is also what its pods are called."""


@dataclass(frozen=True)
class Duty:
    """One pool: `secrets` are settings, `reaches` are keys of `kuberay.network.PEERS` and of `NEIGHBOURS`."""

    pool: Pool
    cluster: str
    secrets: tuple[str, ...]
    reaches: tuple[str, ...]
    why: str
    priority: str
    nodes: str | None = None
    jobs_on_disk: int = 0


DUTIES = (
    Duty(
        topology.API, names.API,
        ("postgres_api", "postgres_ops", "nats_user", "nats_password", "edge_key_id", "edge_private_key"),
        ("postgres", "nats", "store", "keys"),
        "one tenant per request; hears of revoked manifests; signs addresses of the edge; signs lists, makes tenants' keys",
        "content-serving",
    ),
    Duty(
        topology.BUILDER, names.WORKERS,
        ("postgres_worker", "postgres_ops", "importer_token"),
        ("postgres", "store", "keys", "authoring", "media", "catalog", "ai-gateway", "importer"),
        "fetches drafts and originals, signs manifests, has packages read by the importer",
        "content-background", nodes="media", jobs_on_disk=3,
    ),
    Duty(
        topology.BUNDLER, names.WORKERS,
        ("postgres_worker", "postgres_ops"),
        ("postgres", "store", "keys", "sync"),
        "encrypts and signs; asks what devices hold; renews lists, rotates keys",
        "content-bundling",
    ),
    Duty(
        topology.EXPORTER, names.WORKERS,
        ("postgres_worker", "postgres_ops", "nats_erasure_user", "nats_erasure_password"),
        ("postgres", "store", "nats", "keys"),
        "rewrites what is stored, signs nothing; retention, holds, erasures (also in the streams), ends of tenants and their keys",
        "content-background",
    ),
    Duty(
        topology.RELAY, names.WORKERS,
        ("postgres_relay", "postgres_worker", "postgres_ops", "nats_user", "nats_password"),
        ("postgres", "nats", "store"),
        "carries events out and in, and into the archive",
        "content-bundling",
    ),
    Duty(
        topology.IMPORTER, names.IMPORTER,
        ("importer_token_sha256",),
        ("store",),
        "reads what strangers packed: knows the digest of a token, and talks to the store by addresses that it is given",
        "content-background", nodes="sandbox", jobs_on_disk=topology.IMPORTER_AT_ONCE,
    ),
)  # fmt: skip

CLOUDFLARE_SECRET = "content-cloudflare"  # noqa: S105 - a name
"""The one Secret that several pods share: Cloudflare's token."""

BY_POOL = {duty.pool.name: duty for duty in DUTIES}


def of_cluster(cluster: str) -> tuple[Duty, ...]:
    """The pools of a RayService; the canary's are the API's."""
    return tuple(duty for duty in DUTIES if duty.cluster == (names.API if cluster == names.CANARY else cluster))


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"CONTENT_{setting.upper()}"
