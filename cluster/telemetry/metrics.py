"""Every number the service tells, once: name, kind, help, labels. docs/telemetry.md is compared with this table.

They go out by `ray.util.metrics`, through the node's agent to Prometheus, under the name `ray_` and the one here; a
counter's ends in `_total`. Where no Ray runs (the command line, tests, plain uvicorn) they do nothing, unless the process keeps
them itself (`exposition.py`). A gauge vanishes 20 s after it was last set, so the loops that own one set it every few seconds. No label holds a tenant: their number is not
bounded. Replicas of a pool all tell the depth of the same
queue: take the maximum. None is called `region` or `track` either: scraping adds those, and would move ours aside.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from cluster.telemetry import exposition

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Metric:
    """One number. `labels` name all its labels; each use gives all of them."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    _made: list[Any] = field(default_factory=list[Any], repr=False, compare=False)

    @property
    def exported(self) -> str:
        """Its name in Prometheus."""
        return f"ray_{self.name}_total" if self.kind == "counter" else f"ray_{self.name}"

    @property
    def subject(self) -> str:
        """What it is about, in a word: `storage`, say."""
        return self.name.split("_")[1]

    def set(self, value: float, **labels: str) -> None:
        """A gauge is at this value."""
        if (made := self._ready()) is not None:
            made.set(value, labels)

    def add(self, amount: float = 1, **labels: str) -> None:
        """A counter has grown."""
        if amount > 0 and (made := self._ready()) is not None:
            made.inc(amount, labels)

    def observe(self, value: float, **labels: str) -> None:
        """A histogram has one more value."""
        if (made := self._ready()) is not None:
            made.observe(value, labels)

    @contextmanager
    def timed(self, **labels: str) -> Iterator[None]:
        """The time of a block in seconds, with the label `outcome`: `ok`, or the error's code."""
        began, outcome = time.perf_counter(), "ok"
        try:
            yield
        except BaseException as error:
            outcome = str(getattr(error, "code", type(error).__name__))
            raise
        finally:
            self.observe(time.perf_counter() - began, **labels, outcome=outcome)

    def _ready(self) -> Any:
        """Ray's own object for it or the process's, or None where neither Ray runs in this process nor numbers are kept."""
        if not self._made and (kept := exposition.kept()) is not None:
            self._made.append(kept.made(self))
        if not self._made:
            ray = sys.modules.get("ray")
            if ray is None or not getattr(ray, "is_initialized", bool)():
                return None
            from ray.util import metrics

            if self.kind == "histogram":
                made: Any = metrics.Histogram(self.name, self.help, list(self.bounds), self.labels)
            else:
                made = {"gauge": metrics.Gauge, "counter": metrics.Counter}[self.kind](
                    self.name, self.help, self.labels
                )
            self._made.append(made)
        return self._made[0]


def _gauge(name: str, told: str, *labels: str) -> Metric:
    return Metric(name, "gauge", told, labels)


def _counter(name: str, told: str, *labels: str) -> Metric:
    return Metric(name, "counter", told, labels)


def _times(name: str, told: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> Metric:
    return Metric(name, "histogram", told, labels, bounds)


POOL_DEPTH = _gauge("content_pool_depth", "What waits and is worked on: builds, bundles, exports, or events.", "pool")
QUEUE_AGE = _gauge("content_queue_oldest_seconds", "How long the oldest entry that is due has waited.", "queue")
QUEUE_PAUSED = _gauge("content_queue_paused", "1 while an operator has paused the queue.", "queue")
OUTBOX_AGE = _gauge("content_outbox_oldest_seconds", "How long the oldest event has waited to be published.")
LOG_AGE = _gauge("content_event_log_oldest_seconds", "How long the oldest change has waited to be archived.")
LOG_CHANGES = _counter("content_event_log_changes", "Changes of rows that were archived.")
DATABASE_BEHIND = _gauge("content_database_behind", "1 while the database lacks what its log has: nothing is issued.")
EDGE_AGE = _gauge("content_edge_oldest_seconds", "How long the oldest word has waited for the CDN to take it.")
EDGE_WORDS = _counter(
    "content_edge_words", "What the CDN was told to forget: told, busy, failed, unreadable.", "result"
)
CONNECTIONS = _gauge("content_database_connections", "Open connections of a replica's pool.", "role")
WAITING = _gauge("content_database_waiting", "Requests that wait for a connection of the pool.", "role")
WAITS = _counter("content_database_waits", "Requests that had to wait for a connection.", "role")
WAIT_SECONDS = _counter("content_database_wait_seconds", "Seconds that requests waited for a connection.", "role")

HTTP = _times("content_http_seconds", "Requests of the API, by route and status.", "method", "route", "status")
RATE_LIMITED = _counter("content_rate_limited", "Requests refused with 429: tenant's or address's budget.", "policy")
PROOFS = _counter("content_proofs_refused", "Devices' proofs that were refused, by code.", "code")

EVENTS_IN = _counter(
    "content_events_received", "Events taken in: taken, seen, refused (dead letters).", "type", "result"
)
EVENTS_OUT = _counter("content_events_published", "Events that NATS has acknowledged.", "type")
FOREIGN_EVENTS = _counter(
    "content_foreign_events",
    "Events of other regions: recorded, named (of a tenant that is new here), ignored, refused, conflict.",
    "origin",
    "type",
    "result",
)
REGION_SILENCE = _gauge(
    "content_region_silence_seconds", "How long nothing has come from a region, not even a sign of life.", "origin"
)
REGION_LAG = _gauge("content_region_lag", "Events of another region that are known to be on their way.", "origin")
NOT_OUT = _counter("content_publish_failures", "Events that could not be published when it was their turn.")
WEBHOOKS = _counter(
    "content_webhook_attempts", "Attempts to send to a webhook: delivered, retried later, failed for good.", "result"
)

JOBS = _times(
    "content_job_seconds",
    "Attempts at jobs: ok, or an error's code; which release of the API asked, where there are two.",
    "kind",
    "outcome",
    "asked_by",
    bounds=LONG_SECONDS,
)
RENDITIONS = _counter("content_renditions", "Renditions of builds: made, or reused from the cache.", "result")
BUNDLES = _counter("content_bundles", "Bundles that came to an end: ready, superseded, failed, cancelled.", "result")
BATCH_SECONDS = _times("content_batch_seconds", "Batches of bundles, from claim to commit.", bounds=LONG_SECONDS)
BATCH_BUNDLES = _times("content_batch_bundles", "Bundles in a batch: one signature serves them all.", bounds=SIZES)
SEALED = _counter("content_sealed_bytes", "Encrypted bytes that were uploaded as parts and indexes of bundles.")

LISTS_LATE = _counter(
    "content_lists_not_renewed", "Tenants whose keys and lists could not be renewed when it was their turn."
)
DAMAGED = _counter("content_parts_damaged", "Stored parts that were not what they had been: healed, or left.", "result")

SANDBOXES = _counter(
    "content_sandboxes", "Sandboxes that ended: ok, refused, failed, or the limit that ended them.", "kind", "result"
)

STORAGE = _times("content_storage_seconds", "Calls to the object store.", "action", "outcome")
KEYS = _times("content_keys_seconds", "Calls to the key service; `sign` and `wrap` cost money.", "action", "outcome")
KEYS_THROTTLED = _counter(
    "content_keys_throttled", "Calls that AWS KMS refused as too many, by region.", "cloud_region"
)
KEYS_RATE = _gauge("content_keys_rate", "Signatures per second that a process allows itself now.", "cloud_region")
KEYS_OPEN = _gauge("content_keys_overdue", "Keys that ought to be disabled, or copied to the other region.", "what")
DRILL_AGE = _gauge("content_drill_age_seconds", "Since the last drill of a stolen key that passed.")
NEIGHBOURS = _times("content_neighbour_seconds", "Calls to neighbouring services.", "service", "outcome")

RELEASE_SHARE = _gauge("content_release_share", "Share of requests that the canary gets, in per cent.")
RELEASE_COMPARED = _counter(
    "content_release_compared",
    "Answers of both versions that were compared: same, different, unverified, unreached.",
    "result",
)
RELEASE_DECISIONS = _counter(
    "content_release_decisions",
    "What the promoter decided: begin, hold, advance, promote, settle, roll-back.",
    "decision",
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))


def table() -> str:
    """The table of docs/telemetry.md."""
    rows = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.exported}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(rows)
