"""What Prometheus is asked, how its answers are counted, and that the tests' stand-in answers as the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import promql_parser
import pytest
from prometheus_client import CollectorRegistry, Histogram, start_http_server

from cluster.release.evidence import Share
from cluster.release.measurements import ANSWERS, JOBS, NO_FAILURES, QUERIES, Sample, measure
from cluster.release.prometheus import HttpPrometheus
from cluster.telemetry.metrics import METRICS
from content.errors import ContentError
from tests.support.prometheus import BOTH, prometheus
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


class Process:
    """A version's numbers, as `cluster.telemetry.exposition` tells them."""

    def __init__(self, worker: str) -> None:
        self._worker, registry = worker, CollectorRegistry()
        labels = ["method", "route", "status", "WorkerId"]
        self.http = Histogram("ray_content_http_seconds", "x", labels, registry=registry, buckets=(0.1, 1.0))
        self.server, self.thread = start_http_server(0, "127.0.0.1", registry)
        self.port = int(self.server.server_address[1])

    def answers(self, count: int, status: str = "200", seconds: float = 0.05, route: str = "/v1/x") -> None:
        for _ in range(count):
            self.http.labels("GET", route, status, self._worker).observe(seconds)

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def processes() -> Iterator[dict[str, Process]]:
    found = {"stable": Process("a"), "canary": Process("b")}
    yield found
    for process in found.values():
        process.end()


@pytest.mark.parametrize("kind", BOTH)
def test_both_count_what_two_processes_tell(kind: str, processes: dict[str, Process], tmp_path: Path) -> None:
    stable, canary = processes["stable"], processes["canary"]
    stable.answers(1000)
    with prometheus(kind, {name: process.port for name, process in processes.items()}, tmp_path) as url:
        asked = HttpPrometheus(url)

        def told(track: str) -> float:
            found = asked.query(ANSWERS, datetime.now(UTC))
            return sum(sample.value for sample in found if sample.labels["track"] == track)

        until("the first scrape", lambda: told("stable") == 1000, 20.0)
        begin = datetime.now(UTC)
        stable.answers(90)
        stable.answers(500, route="/livez")
        canary.answers(8)
        canary.answers(2, status="500", seconds=3.0)
        until("both scraped", lambda: (told("stable"), told("canary")) == (1090, 10), 20.0)
        found = measure(asked, begin, datetime.now(UTC))
        assert found is not None
        before, after = found
        assert (before.answers, after.answers) == (Share(0, 90), Share(2, 10)), "a canary's first errors count"
        assert [count for _, count in after.seconds.counts] == [8, 8, 10]
        assert before.door is None
        # A version that is gone is not seen any more, however much it counted before.
        canary.end()
        until("it is gone", lambda: told("canary") == 0, 20.0)
        assert measure(asked, begin, datetime.now(UTC)) is None
        with pytest.raises(ContentError, match="refused a query"):
            asked.query("sum by (", datetime.now(UTC))
        asked.close()
        processes["canary"] = Process("c")


def test_every_query_is_promql_and_names_numbers_that_exist() -> None:
    known = {f"{metric.exported}{end}" for metric in METRICS for end in ("", "_count", "_bucket")}
    serves = {"ray_serve_num_http_requests_total"}  # as Ray 2.60 tells it; seen in a running cluster
    for query in QUERIES:
        parsed = promql_parser.parse(query)
        assert isinstance(parsed, promql_parser.AggregateExpr)
        assert isinstance(parsed.expr, promql_parser.VectorSelector)
        assert parsed.expr.name in known | serves
    for metric in METRICS:
        if metric.name in ("content_http_seconds", "content_job_seconds"):
            used = {"status", "route"} if metric.name == "content_http_seconds" else {"outcome", "asked_by"}
            assert used <= set(metric.labels)


def test_what_a_caller_does_is_no_failure_of_a_release(tmp_path: Path) -> None:
    """Cancelled jobs, unreadable media and held streams: of neither version, in none of the counts."""
    registry = CollectorRegistry()
    jobs = Histogram("ray_content_job_seconds", "x", ["kind", "outcome", "asked_by", "WorkerId"], registry=registry)
    http = Histogram("ray_content_http_seconds", "x", ["method", "route", "status", "WorkerId"], registry=registry)
    for outcome in ("ok", "KeyError", "storage-unavailable", *NO_FAILURES):
        jobs.labels("build", outcome, "canary", "b").observe(1.0)
    http.labels("GET", "/v1/jobs/{job_id}", "200", "b").observe(0.1)
    http.labels("GET", "/v1/jobs/{job_id}/events", "200", "b").observe(25.0)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    with prometheus(BOTH[0], {"canary": int(server.server_address[1])}, tmp_path) as url:
        asked = HttpPrometheus(url)

        def told(query: str) -> list[Sample]:
            return list(asked.query(query, datetime.now(UTC)))

        until("the first scrape", lambda: bool(told(JOBS)), 20.0)
        assert {sample.labels["outcome"] for sample in told(JOBS)} == {"ok", "KeyError", "storage-unavailable"}
        assert sum(sample.value for sample in told(ANSWERS)) == 1
        asked.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_outcomes_that_are_no_failures_are_raised_somewhere() -> None:
    """A code that was renamed would count against every release again."""
    text = "".join(
        path.read_text() for folder in ("content", "tasks", "actors") for path in (ROOT / folder).rglob("*.py")
    )
    for outcome in NO_FAILURES:
        assert f'"{outcome}"' in text or f"{outcome}(" in text or f"{outcome}:" in text, outcome


class Fixed:
    """A Prometheus that answers by heart."""

    def __init__(self, answers: dict[tuple[str, datetime], list[Sample]]) -> None:
        self._answers = answers

    def query(self, expression: str, at: datetime) -> list[Sample]:
        return self._answers.get((expression, at), [])


def sample(track: str, worker: str, status: str, value: float) -> Sample:
    return Sample({"track": track, "WorkerId": worker, "status": status}, value)


def test_growth_is_counted_process_by_process() -> None:
    later = AT + timedelta(seconds=60)
    before = [
        sample("stable", "old", "200", 500),
        sample("stable", "gone", "200", 70),
        sample("canary", "c", "200", 10),
    ]
    after = [
        sample("stable", "old", "200", 520), sample("stable", "new", "200", 30), sample("stable", "new", "503", 2),
        sample("canary", "c", "200", 4),
    ]  # fmt: skip
    found = measure(Fixed({(ANSWERS, AT): before, (ANSWERS, later): after}), AT, later)
    assert found is not None
    assert found[0].answers == Share(2, 52), "20 more, and all that a new process counted"
    assert found[1].answers == Share(0, 4), "a counter that fell began anew"


def test_a_prometheus_that_was_not_there_before_is_no_evidence() -> None:
    """Else the stable version's whole life would count as this window, and a bad canary would look small beside it."""
    later = AT + timedelta(seconds=60)
    after = [sample("stable", "old", "200", 1_000_000), sample("canary", "c", "500", 40)]
    assert measure(Fixed({(ANSWERS, later): after}), AT, later) is None


@pytest.mark.parametrize(
    ("status", "body", "retryable"),
    [
        (503, "down", True),
        (400, json.dumps({"status": "error", "error": "parse error"}), False),
        (200, "no JSON", False),
        (200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}), False),
        (200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": [{}]}}), False),
    ],
)
def test_what_is_no_answer_is_said_so(status: int, body: str, retryable: bool) -> None:
    asked = HttpPrometheus("http://p", httpx.MockTransport(lambda _: httpx.Response(status, text=body)))
    with pytest.raises(ContentError) as told:
        asked.query(ANSWERS, AT)
    assert (told.value.code, told.value.retryable) == ("prometheus-unavailable", retryable)


def test_a_number_that_is_none_is_left_out() -> None:
    rows = [{"metric": {"track": "stable"}, "value": [1, text]} for text in ("NaN", "+Inf", "7")]
    document = {"status": "success", "data": {"resultType": "vector", "result": rows}}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    assert [each.value for each in HttpPrometheus("http://p", transport).query(ANSWERS, AT)] == [7.0]
