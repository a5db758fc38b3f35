"""What Prometheus knows of both versions in a window, and the queries that ask it.

Every query is of a sum of raw counters, asked for the end of the window and for its beginning; what grew between them is
counted here, process by process. `increase()` would not do: it never sees the first value of a series, and the first 500s of
a canary come as the first value of the series with `status="500"`. A process that was not there at the beginning is counted
from nought, since a counter of Ray's (and of `exposition`) begins with its process and is told apart by `WorkerId`.

`track` is a label that the scrape adds to all series of a pod (docs/release.md); `asked_by` is of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cluster.release.evidence import Seen, Share
from cluster.release.statistics import Histogram

STABLE, CANARY = "stable", "canary"
_OURS = 'track=~"stable|canary",route!~"/livez|/readyz|/version|.*/events"'
ANSWERS = f"sum by (track, WorkerId, status) (ray_content_http_seconds_count{{{_OURS}}})"
"""Answers of the application: every route but those that probes ask, and the streams of jobs, which callers hold open."""
SECONDS = f"sum by (track, WorkerId, le) (ray_content_http_seconds_bucket{{{_OURS}}})"
DOOR = (
    "sum by (track, WorkerId, status_code) (ray_serve_num_http_requests_total"
    '{track=~"stable|canary",application="content-api",route!~"/livez|/readyz|/version|/-/.*"})'
)
"""Answers as Ray Serve's proxies (or HAProxy's log) count them. There are none where no Serve runs."""
NO_FAILURES = (
    "CancelledError", "RetryRequested", "job-cancelled",
    "media-unreadable", "media-unsupported", "captions-unreadable",
    "upload-missing", "upload-incomplete", "upload-digest", "import-not-wanted", "import-overtaken",
)  # fmt: skip
"""Outcomes that are a caller's will or file, or a worker's leave: with them one tenant would end any release at 100 %, where
the stable version has no jobs of the same minutes to compare with."""
JOBS = (
    "sum by (asked_by, WorkerId, outcome) "
    f'(ray_content_job_seconds_count{{asked_by=~"stable|canary",outcome!~"{"|".join(NO_FAILURES)}"}})'
)
QUERIES = (ANSWERS, SECONDS, DOOR, JOBS)


@dataclass(frozen=True)
class Sample:
    """One series of an instant vector."""

    labels: Mapping[str, str]
    value: float


class Prometheus(Protocol):
    def query(self, expression: str, at: datetime) -> Sequence[Sample]:
        """The instant vector. Raises ContentError `prometheus-unavailable`."""
        ...


def measure(prometheus: Prometheus, begin: datetime, end: datetime) -> tuple[Seen, Seen] | None:
    """Both versions (stable, canary) between two moments; None where a version that answers is not seen at both ends.

    Raises ContentError `prometheus-unavailable`.
    """
    grown = {query: _grown(prometheus.query(query, begin), prometheus.query(query, end)) for query in QUERIES}
    stable_before = {sample.labels.get("track") for sample in prometheus.query(ANSWERS, begin)}
    if STABLE not in stable_before or not any(labels.get("track") == CANARY for labels, _ in grown[ANSWERS]):
        # A stable version that seems to begin within the window: it is Prometheus that was not there before.
        return None
    return _seen(grown, STABLE), _seen(grown, CANARY)


def _grown(before: Iterable[Sample], after: Iterable[Sample]) -> list[tuple[Mapping[str, str], float]]:
    """How much each series grew; what is less than before has begun anew."""
    known = {tuple(sorted(sample.labels.items())): sample.value for sample in before}
    found = list[tuple[Mapping[str, str], float]]()
    for sample in after:
        earlier = known.get(tuple(sorted(sample.labels.items())), 0.0)
        found.append((sample.labels, sample.value - earlier if sample.value >= earlier else sample.value))
    return found


def _seen(grown: Mapping[str, list[tuple[Mapping[str, str], float]]], track: str) -> Seen:
    def of(query: str, label: str = "track") -> list[tuple[Mapping[str, str], float]]:
        return [(labels, value) for labels, value in grown[query] if labels.get(label) == track]

    buckets: dict[float, float] = {}
    for labels, value in of(SECONDS):
        bound = float(labels["le"])
        buckets[bound] = buckets.get(bound, 0.0) + value
    door = of(DOOR)
    return Seen(
        answers=_share((labels["status"].startswith("5"), value) for labels, value in of(ANSWERS)),
        door=_share((labels["status_code"].startswith("5"), value) for labels, value in door) if door else None,
        seconds=Histogram.of(buckets),
        jobs=_share((labels["outcome"] != "ok", value) for labels, value in of(JOBS, "asked_by")),
    )


def _share(counted: Iterable[tuple[bool, float]]) -> Share:
    rows = list(counted)
    return Share(round(sum(value for bad, value in rows if bad)), round(sum(value for _, value in rows)))
