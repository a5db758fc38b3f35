"""The alerts, once: what is asked of Prometheus, for how long, how urgent, and what it means. Each has a page in docs/runbooks.

`page` wakes somebody: learners or authors notice now, or something is lost if nobody acts. `ticket` waits for the morning.
Rules are evaluated per region (the label that scraping adds). A gauge vanishes 20 s after it was last set, so where its absence
matters an alert asks for `absent`. Thresholds that follow from the pool table are computed from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cluster.telemetry import metrics
from cluster.telemetry.metrics import Metric
from cluster.topology import API, IMPORTER, POOLS, Pool

WATCHED = tuple(pool for pool in POOLS if pool not in (API, IMPORTER))
"""Pools that tell the depth of their queue."""


@dataclass(frozen=True)
class Alert:
    """`for_` as Prometheus writes durations; `summary` may use labels of the result as `{{ $labels.… }}`."""

    name: str
    expression: str
    for_: str
    severity: Literal["page", "ticket"]
    summary: str

    @property
    def runbook(self) -> str:
        """Its page below docs/runbooks, named after the alert: ContentKeysFailing → keys-failing."""
        words = re.findall(r"[A-Z][a-z]+", self.name.removeprefix("Content"))
        return "-".join(words).lower()


def _where(**matchers: str) -> str:
    """Label matchers; each value begins with its operator: `status="=~5.."`."""
    split = {name: re.fullmatch(r"(=~|!~|!=|=)(.*)", value) for name, value in matchers.items()}
    return ",".join(f'{name}{found[1]}"{found[2]}"' for name, found in split.items() if found)


def _rate(metric: Metric, window: str, labels: str = "") -> str:
    """How often per second; of a histogram, its observations."""
    name = metric.exported + ("_count" if metric.kind == "histogram" else "")
    return f"rate({name}{{{labels}}}[{window}])" if labels else f"rate({name}[{window}])"


def _share(metric: Metric, window: str, bad: str, by: str = "region") -> str:
    """Which part of what was observed had these labels."""
    return f"sum by ({by}) ({_rate(metric, window, bad)}) / sum by ({by}) ({_rate(metric, window)})"


def _grown(metric: Metric, window: str, labels: str = "", by: str = "region") -> str:
    """By how much a counter has grown."""
    return f"sum by ({by}) ({_rate(metric, window, labels).replace('rate(', 'increase(', 1)})"


def _happened(metric: Metric, window: str, labels: str = "", by: str = "region") -> str:
    """That a rare counter has grown at all. A series is born with its first event, and what was not there before has not grown for
    Prometheus: so the young ones count by themselves."""
    series = f"{metric.exported}{'_count' if metric.kind == 'histogram' else ''}{{{labels}}}".replace("{}", "")
    return f"{_grown(metric, window, labels, by)} > 0 or sum by ({by}) ({series} unless {series} offset {window}) > 0"


def _full(pool: Pool) -> str:
    assert pool.per_replica is not None
    most = pool.per_replica * pool.maximum
    return f'max by (region, pool) ({metrics.POOL_DEPTH.exported}{{pool="{pool.name}"}}) > {most}'


def _old(queue: str, seconds: int) -> str:
    return f'max by (region, queue) ({metrics.QUEUE_AGE.exported}{{queue="{queue}"}}) > {seconds}'


def _untold(seconds: int) -> str:
    """Words wait, or nobody is there any more who told them within the last day. An installation without a CDN never has the number, so
    its absence alone says nothing."""
    age = metrics.EDGE_AGE.exported
    gone = f"max by (region) (present_over_time({age}[1d])) unless max by (region) ({age})"
    return f"max by (region) ({age}) > {seconds} or ({gone})"


_BUGS = 'outcome=~"[A-Z].*",outcome!~"CancelledError|RetryRequested|TimeoutError"'
"""Errors that have no code of ours: nobody had thought of them. Codes are written in small letters."""

ALERTS: tuple[Alert, ...] = (
    # the API
    Alert(
        "ContentApiErrors", f"{_share(metrics.HTTP, '5m', _where(status='=~5..'))} > 0.01", "5m", "page",
        "{{ $value | humanizePercentage }} of the API's answers in {{ $labels.region }} are 5xx.",
    ),
    Alert(
        "ContentApiSlow",
        f"histogram_quantile(0.99, sum by (region, le) (rate({metrics.HTTP.exported}_bucket[5m]))) > 1", "10m", "ticket",
        "One request in a hundred takes longer than {{ $value | humanizeDuration }} in {{ $labels.region }}.",
    ),
    Alert(
        "ContentApiAway", f'absent({metrics.CONNECTIONS.exported}{{role="api"}})', "2m", "page",
        "No replica of the API tells anything.",
    ),
    Alert(
        "ContentProofsRefused", f"{_grown(metrics.PROOFS, '15m')} > 500", "0m", "ticket",
        "{{ $value | humanize }} proofs of devices were refused within 15 minutes in {{ $labels.region }}.",
    ),
    # pools and queues
    Alert(
        "ContentPoolAway",
        " or ".join(f'absent({metrics.POOL_DEPTH.exported}{{pool="{pool.name}"}})' for pool in WATCHED), "2m", "page",
        "No replica of {{ $labels.pool }} is at work.",
    ),
    Alert(
        "ContentPoolFull", " or ".join(_full(pool) for pool in WATCHED), "15m", "ticket",
        "More waits for {{ $labels.pool }} in {{ $labels.region }} than all its replicas are meant for.",
    ),
    Alert(
        "ContentQueueOld", " or ".join((_old("build", 1800), _old("bundle", 600), _old("export", 1800), _old("import", 1800))),
        "5m", "page", "The oldest entry of {{ $labels.queue }} in {{ $labels.region }} has waited {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "ContentQueuePaused", f"max by (region, queue) ({metrics.QUEUE_PAUSED.exported}) > 0", "1h", "ticket",
        "The queue {{ $labels.queue }} in {{ $labels.region }} has been paused for an hour.",
    ),
    Alert(
        "ContentJobsFailing",
        f"{_share(metrics.JOBS, '15m', _where(outcome='!~ok|CancelledError|RetryRequested'), 'region, kind')} > 0.5"
        f" and {_grown(metrics.JOBS, '15m', by='region, kind')} > 10",
        "15m", "page", "More than half of the {{ $labels.kind }} jobs in {{ $labels.region }} fail.",
    ),
    Alert(
        "ContentJobsBroken", _happened(metrics.JOBS, '15m', _BUGS, 'region, kind, outcome'), "0m", "ticket",
        "{{ $labels.kind }} jobs in {{ $labels.region }} end in {{ $labels.outcome }}, which nobody had thought of.",
    ),
    Alert(
        "ContentBundlesFailed", _happened(metrics.BUNDLES, '15m', _where(result='=failed')), "0m", "ticket",
        "{{ $value | humanize }} bundles failed for good in {{ $labels.region }}.",
    ),
    Alert(
        "ContentSandboxesEnded",
        f"{_grown(metrics.SANDBOXES, '15m', _where(result='!~ok|refused'), 'region, kind, result')} > 20", "0m", "ticket",
        "{{ $value | humanize }} sandboxes for {{ $labels.kind }} ended by {{ $labels.result }} in {{ $labels.region }}.",
    ),
    # events
    Alert(
        "ContentOutboxOld", f"max by (region) ({metrics.OUTBOX_AGE.exported}) > 120", "5m", "page",
        "The oldest event in {{ $labels.region }} has waited {{ $value | humanizeDuration }} to be published.",
    ),
    Alert(
        "ContentDeadLetters", _happened(metrics.EVENTS_IN, '15m', _where(result='=refused'), 'region, type'), "0m", "ticket",
        "{{ $value | humanize }} events {{ $labels.type }} could not be understood in {{ $labels.region }}.",
    ),
    Alert(
        "ContentLogBehind", f"max by (region) ({metrics.LOG_AGE.exported}) > 300", "2m", "page",
        "The event log of {{ $labels.region }} is {{ $value | humanizeDuration }} behind.",
    ),
    Alert(
        "ContentPostgresBehind", f"max by (region) ({metrics.DATABASE_BEHIND.exported}) > 0", "0m", "page",
        "The database of {{ $labels.region }} lacks what its log has: nothing is issued until it is reconciled.",
    ),
    Alert(
        "ContentEdgeBehind", _untold(300), "2m", "page",
        "The CDN of {{ $labels.region }} is not told what to forget: what was withdrawn may still be served.",
    ),
    # what others must do for us
    Alert(
        "ContentStorageFailing", f"{_share(metrics.STORAGE, '5m', _where(outcome='!~ok|object-missing|object-cold'))} > 0.05", "5m",
        "page", "{{ $value | humanizePercentage }} of the calls to the object store fail in {{ $labels.region }}.",
    ),
    Alert(
        "ContentKeysFailing", f"{_share(metrics.KEYS, '5m', _where(outcome='!=ok'))} > 0.05", "5m", "page",
        "{{ $value | humanizePercentage }} of the calls to the key service fail in {{ $labels.region }}.",
    ),
    Alert(
        "ContentNeighbourAway", f"{_share(metrics.NEIGHBOURS, '10m', _where(outcome='=neighbour-unavailable'), 'region, service')} > 0.5",
        "10m", "ticket", "{{ $labels.service }} does not answer in {{ $labels.region }}.",
    ),
    Alert(
        "ContentDatabaseCrowded", f"max by (region, role) ({metrics.WAITING.exported}) > 0", "5m", "ticket",
        "Requests of {{ $labels.role }} in {{ $labels.region }} wait for connections of the database all the time.",
    ),
    Alert(
        "ContentWebhooksFailing", f"{_share(metrics.WEBHOOKS, '1h', _where(result='!=delivered'))} > 0.5", "1h", "ticket",
        "More than half of the webhooks in {{ $labels.region }} are not taken.",
    ),
    # trust
    Alert(
        "ContentListsLate", _happened(metrics.LISTS_LATE, '3h'), "0m", "page",
        "Lists or keys of {{ $value | humanize }} tenants in {{ $labels.region }} were not renewed in time.",
    ),
    Alert(
        "ContentPartsDamaged", _happened(metrics.DAMAGED, '1h', by='region, result'), "0m", "page",
        "{{ $value | humanize }} stored parts in {{ $labels.region }} were not what they had been: {{ $labels.result }}.",
    ),
    Alert(
        "ContentKeysOverdue", f"max by (region, what) ({metrics.KEYS_OPEN.exported}) > 0", "6h", "ticket",
        "{{ $value | humanize }} keys in {{ $labels.region }} ought to have been {{ $labels.what }} for hours.",
    ),
    Alert(
        "ContentKeysThrottled", f"{_grown(metrics.KEYS_THROTTLED, '15m', by='region, cloud_region')} > 100", "15m", "ticket",
        "AWS KMS in {{ $labels.cloud_region }} refuses calls of {{ $labels.region }} as too many.",
    ),
    Alert(
        "ContentDrillOverdue", f"max by (region) ({metrics.DRILL_AGE.exported}) > {100 * 86_400}", "1h", "ticket",
        "The last drill of a stolen key in {{ $labels.region }} was {{ $value | humanizeDuration }} ago.",
    ),
    # other regions
    Alert(
        "ContentRegionSilent", f"max by (region, origin) ({metrics.REGION_SILENCE.exported}) > 120", "3m", "page",
        "{{ $labels.region }} has heard nothing of {{ $labels.origin }} for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "ContentForeignRefused",
        _happened(metrics.FOREIGN_EVENTS, '15m', _where(result='=~refused|conflict'), 'region, origin, type'), "0m", "ticket",
        "{{ $labels.region }} refuses {{ $labels.type }} of {{ $labels.origin }}.",
    ),
    Alert(
        "ContentForeignNames",
        f"{_grown(metrics.FOREIGN_EVENTS, '1h', _where(result='=named'), 'region, origin')} > 50",
        "0m", "ticket",
        "{{ $labels.origin }} has claimed {{ $value | humanize }} names of tenants within an hour, as {{ $labels.region }} heard it.",
    ),
    # release and platform
    Alert(
        "ContentReleaseRolledBack", _happened(metrics.RELEASE_DECISIONS, '1h', _where(decision='=roll-back')), "0m", "page",
        "A release was rolled back in {{ $labels.region }}.",
    ),
    Alert(
        "ContentReplicasUnhealthy", "min by (region, deployment) (ray_serve_deployment_replica_healthy) == 0", "5m", "ticket",
        "A replica of {{ $labels.deployment }} in {{ $labels.region }} has failed its checks for five minutes.",
    ),
    Alert(
        "ContentScalingStopped", "absent(ray_serve_autoscaling_target_replicas)", "5m", "page",
        "Serve's controller decides nothing any more: no pool grows or is repaired.",
    ),
    Alert(
        "ContentNodesPending", "max by (region) (autoscaler_pending_nodes) > 0", "20m", "ticket",
        "Nodes that were asked for do not come in {{ $labels.region }}.",
    ),
)  # fmt: skip
