"""The dashboards, once: rows of panels, each with its queries and what to look for in it.

`$region` is a variable of every dashboard. Depths and ages are told alike by all replicas of a pool, so the maximum is taken;
counters and histograms are summed over processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.telemetry import metrics
from cluster.telemetry.metrics import Metric
from cluster.topology import POOLS

REGION = 'region=~"$region"'
ERRORS = 'status=~"5.."'


@dataclass(frozen=True)
class Panel:
    """`queries` maps a legend (with `{{label}}`) to its expression; `unit` is Grafana's name of it."""

    title: str
    unit: str
    queries: dict[str, str]
    told: str
    kind: str = "timeseries"


@dataclass(frozen=True)
class Dashboard:
    """`rows` maps a row's title to its panels."""

    uid: str
    title: str
    rows: dict[str, tuple[Panel, ...]]


def _most(metric: Metric, by: str) -> str:
    return f"max by ({by}) ({metric.exported}{{{REGION}}})"


def _rate(metric: Metric, by: str, labels: str = "") -> str:
    name = metric.exported + ("_count" if metric.kind == "histogram" else "")
    return f"sum by ({by}) (rate({name}{{{', '.join(filter(None, (REGION, labels)))}}}[$__rate_interval]))"


def _quantile(share: float, metric: Metric, by: str = "") -> str:
    kept = ", ".join(filter(None, ("le", by)))
    rate = f"rate({metric.exported}_bucket{{{REGION}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({kept}) ({rate}))"


def _outcomes(title: str, metric: Metric, by: str, told: str) -> tuple[Panel, Panel]:
    """How often something is called with which result, and how long it takes."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return (
        Panel(title, "ops", {f"{legend} {{{{outcome}}}}": _rate(metric, f"{by}, outcome")}, told),
        Panel(f"{title}: how long", "s", {f"p99 {legend}": _quantile(0.99, metric, by)}, "The slowest of a hundred."),
    )


OVERVIEW = Dashboard("content-overview", "Content service", {
    "Is it well?": (
        Panel("API: errors", "percentunit", {
            "5xx": f"{_rate(metrics.HTTP, 'region', ERRORS)} / {_rate(metrics.HTTP, 'region')}",
        }, "Over 1 % for five minutes wakes somebody."),
        Panel("API: how long", "s", {"p50": _quantile(0.5, metrics.HTTP), "p99": _quantile(0.99, metrics.HTTP)}, "One second at p99 is the objective."),
        Panel("Oldest entry of each queue", "s", {"{{queue}}": _most(metrics.QUEUE_AGE, "queue")}, "Rises when a pool is away, paused or too small."),
        Panel("Oldest event in the outbox", "s", {"outbox": _most(metrics.OUTBOX_AGE, "region"), "event log": _most(metrics.LOG_AGE, "region"), "words to the CDN": _most(metrics.EDGE_AGE, "region")}, "Neighbours hear later by so much; the log may be 60 s behind."),
    ),
    "What is made": (
        Panel("Bundles", "ops", {"{{result}}": _rate(metrics.BUNDLES, "result")}, "Failed ones are not tried again by themselves."),
        Panel("Jobs", "ops", {"{{kind}} {{outcome}}": _rate(metrics.JOBS, "kind, outcome")}, "Outcomes in capitals are errors that nobody had thought of."),
        Panel("Events in and out", "ops", {"in {{result}}": _rate(metrics.EVENTS_IN, "result"), "out": _rate(metrics.EVENTS_OUT, "region")}, "Refused ones are dead letters."),
        Panel("Renditions", "ops", {"{{result}}": _rate(metrics.RENDITIONS, "result")}, "Reused ones cost nothing."),
    ),
})  # fmt: skip

POOLS_BOARD = Dashboard("content-pools", "Content service: pools", {
    pool.name: (
        Panel("Depth", "short", {
            "depth": _most(metrics.POOL_DEPTH, "pool").replace(REGION, f'{REGION}, pool="{pool.name}"'),
            "all its replicas are meant for": f"vector({(pool.per_replica or 0) * pool.maximum})",
        }, f"One replica more per {pool.per_replica}; from {pool.minimum} to {pool.maximum}."),
        Panel("Replicas", "short", {
            "wanted": f'max by (deployment) (ray_serve_autoscaling_target_replicas{{{REGION}, deployment="{pool.name}"}})',
            "healthy": f'sum by (deployment) (ray_serve_deployment_replica_healthy{{{REGION}, deployment="{pool.name}"}})',
        }, "Wanted but not healthy for long: nodes do not come, or replicas do not start."),
    )
    for pool in POOLS
    if pool.per_replica is not None
})  # fmt: skip

API_BOARD = Dashboard("content-api", "Content service: API", {
    "Requests": (
        Panel("By route", "reqps", {"{{method}} {{route}}": _rate(metrics.HTTP, "method, route")}, "Templates of the OpenAPI document."),
        Panel("By status", "reqps", {"{{status}}": _rate(metrics.HTTP, "status")}, "499: the caller left."),
        Panel("How long, by route", "s", {"p99 {{route}}": _quantile(0.99, metrics.HTTP, "route")}, "The slowest of a hundred."),
        Panel("Refused", "ops", {"budget {{policy}}": _rate(metrics.RATE_LIMITED, "policy"), "proof {{code}}": _rate(metrics.PROOFS, "code")}, "429 by tenant or address; proofs of devices by code."),
    ),
})  # fmt: skip

AROUND = Dashboard("content-around", "Content service: what it stands on", {
    "Object store": _outcomes("Calls", metrics.STORAGE, "action", "Outcomes other than ok, object-missing and object-cold are errors."),
    "Key service": _outcomes("Calls", metrics.KEYS, "action", "sign and wrap cost money."),
    "Neighbours": _outcomes("Calls", metrics.NEIGHBOURS, "service", "A neighbour that failed several times in a row is left alone for a while."),
    "Postgres": (
        Panel("Connections", "short", {"{{role}}": f"sum by (role) ({metrics.CONNECTIONS.exported}{{{REGION}}})"}, "Of all replicas together."),
        Panel("Waiting for one", "short", {"{{role}}": f"sum by (role) ({metrics.WAITING.exported}{{{REGION}}})"}, "More than nothing for long: the pools are too small, or statements too slow."),
    ),
    "Sandboxes": (
        Panel("Ended", "ops", {"{{kind}} {{result}}": _rate(metrics.SANDBOXES, "kind, result")}, "A limit that ends many: look at what authors send."),
        Panel("Webhooks", "ops", {"{{result}}": _rate(metrics.WEBHOOKS, "result")}, "Receivers that do not take what they are sent."),
    ),
    "CDN": (
        Panel("Told to forget", "ops", {"{{result}}": _rate(metrics.EDGE_WORDS, "result")}, "Busy for long: too much is withdrawn one by one. Failed: its API or our role."),
    ),
    "What is stored": (
        Panel("Damaged parts", "ops", {"{{result}}": _rate(metrics.DAMAGED, "result")}, "Anything here deserves a look at the bucket."),
        Panel("Sealed", "Bps", {"bytes": _rate(metrics.SEALED, "region")}, "Encrypted bytes that were uploaded."),
    ),
})  # fmt: skip

RELEASE = Dashboard("content-release", "Content service: release", {
    "Canary": (
        Panel("Share of requests", "percent", {"canary": _most(metrics.RELEASE_SHARE, "region")}, "10, 50, 100."),
        Panel("Answers that were compared", "ops", {"{{result}}": _rate(metrics.RELEASE_COMPARED, "result")}, "Different ones end a release."),
        Panel("Errors by version", "percentunit", {
            "{{track}}": f"{_rate(metrics.HTTP, 'track', ERRORS)} / {_rate(metrics.HTTP, 'track')}",
        }, "Stable against canary."),
        Panel("How long, by version", "s", {"p99 {{track}}": _quantile(0.99, metrics.HTTP, "track")}, "Stable against canary."),
    ),
})  # fmt: skip

TRUST = Dashboard("content-trust", "Content service: keys and regions", {
    "Keys": (
        Panel("AWS KMS: allowed a second", "ops", {"{{cloud_region}}": f"sum by (cloud_region) ({metrics.KEYS_RATE.exported}{{{REGION}}})"}, "All processes together; the quota is the account's."),
        Panel("AWS KMS: too many", "ops", {"{{cloud_region}}": _rate(metrics.KEYS_THROTTLED, "cloud_region")}, "A few are how the limiter learns; many for long want a higher quota."),
        Panel("Overdue", "short", {"{{what}}": _most(metrics.KEYS_OPEN, "what")}, "Keys that ought to be disabled or copied."),
        Panel("Since the last drill", "s", {"drill": _most(metrics.DRILL_AGE, "region")}, "A quarter is the aim."),
    ),
    "Other regions": (
        Panel("Silent for", "s", {"{{origin}}": _most(metrics.REGION_SILENCE, "origin")}, "Each gives a sign of life; silence means that the link is cut."),
        Panel("On their way", "short", {"{{origin}}": _most(metrics.REGION_LAG, "origin")}, "Events that are known and not here yet."),
        Panel("Heard", "ops", {"{{origin}} {{result}}": _rate(metrics.FOREIGN_EVENTS, "origin, result")}, "Refused ones and conflicts deserve a look."),
    ),
})  # fmt: skip

DASHBOARDS = (TRUST, OVERVIEW, POOLS_BOARD, API_BOARD, AROUND, RELEASE)
