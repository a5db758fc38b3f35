"""Prometheus for tests: the real one where a binary is at hand, else a small stand-in that answers our queries.

The real one is looked for as `prometheus` on the PATH (Debian's package has it) or under `CONTENT_TEST_PROMETHEUS`; it comes in no
wheel. The stand-in scrapes the same text of the same processes, keeps what it saw, and answers instant queries of one kind:
`sum by (…) (selector)`, parsed by the grammar of the wheel promql-parser; anything else is refused. One suite of tests runs on
both (`test_release_prometheus.py`), so that it cannot drift from the real one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.local.ports import choose
from tests.support.waiting import until

EVERY_S, LOOKBACK_S = 1.0, 300.0
REAL = os.environ.get("CONTENT_TEST_PROMETHEUS") or shutil.which("prometheus")
BOTH = [
    "stand-in",
    pytest.param("real", marks=pytest.mark.skipif(not REAL, reason="there is no prometheus on the PATH")),
]
"""Parameters of a test that is to run on both."""


@contextmanager
def prometheus(kind: str, targets: Mapping[str, int], folder: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes these local ports once a second, each with its `track`."""
    with _real(targets, folder) if kind == "real" else _stand_in(targets) as url:
        yield url


@contextmanager
def _real(targets: Mapping[str, int], folder: Path) -> Iterator[str]:
    assert REAL is not None
    port = choose(["prometheus"], [])["prometheus"]
    jobs = [{"targets": [f"127.0.0.1:{at}"], "labels": {"track": track}} for track, at in targets.items()]
    configuration = folder / "prometheus.yml"
    configuration.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": f"{EVERY_S:g}s", "scrape_timeout": f"{EVERY_S:g}s"},
                "scrape_configs": [{"job_name": "content", "static_configs": jobs}],
            }
        )
    )
    argv = [REAL, f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            until("Prometheus ready", lambda: _ready(f"http://127.0.0.1:{port}/-/ready"), 60.0)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _ready(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def _stand_in(targets: Mapping[str, int]) -> Iterator[str]:
    kept = _Kept(targets)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            try:
                rows = kept.answer(given["query"][0], float(given["time"][0]))
                status, document = 200, {"status": "success", "data": {"resultType": "vector", "result": rows}}
            except ValueError as error:
                status, document = 400, {"status": "error", "errorType": "bad_data", "error": str(error)}
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    over = threading.Event()
    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=kept.scrape, args=(over,))]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()


Series = dict[tuple[tuple[str, str], ...], float]


class _Kept:
    """What was scraped: for each target, moments and what stood there. A target that did not answer has nothing there."""

    def __init__(self, targets: Mapping[str, int]) -> None:
        self._targets = targets
        self._seen: dict[str, list[tuple[float, Series]]] = {track: [] for track in targets}

    def scrape(self, over: threading.Event) -> None:
        with httpx.Client(trust_env=False, timeout=60) as http:
            while not over.is_set():
                for track, port in self._targets.items():
                    series = self._read(http, track, port)  # what stood there before the moment that is noted
                    self._seen[track].append((time.time(), series))
                over.wait(EVERY_S)

    def _read(self, http: httpx.Client, track: str, port: int) -> Series:
        try:
            text = http.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.HTTPError:
            return {}
        return {
            tuple(sorted({**sample.labels, "__name__": sample.name, "track": track}.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def answer(self, query: str, at: float) -> list[dict[str, Any]]:
        """`sum by (…) (selector)` at a moment. Raises ValueError for anything else, as Prometheus does for what it cannot
        parse."""
        parsed: Any = promql_parser.parse(query)
        if not isinstance(parsed, promql_parser.AggregateExpr) or str(parsed.op) != "sum":
            raise ValueError("the stand-in knows sums alone")
        if not isinstance(parsed.expr, promql_parser.VectorSelector) or parsed.modifier is None:
            raise ValueError("the stand-in knows sums by labels of one selector alone")
        by, sums = set(parsed.modifier.labels), defaultdict[tuple[tuple[str, str], ...], float](float)
        for seen in self._seen.values():
            # The newest scrape counts, as Prometheus marks what is missing from it as stale.
            newest = next((series for moment, series in reversed(seen) if at - LOOKBACK_S < moment <= at), Series())
            for labels, value in newest.items():
                if dict(labels)["__name__"] == parsed.expr.name and _matches(parsed.expr, dict(labels)):
                    sums[tuple((name, text) for name, text in labels if name in by)] += value
        return [{"metric": dict(labels), "value": [at, str(value)]} for labels, value in sums.items()]


def _matches(selector: Any, labels: Mapping[str, str]) -> bool:
    operators = promql_parser.MatchOp
    for matcher in selector.matchers.matchers:
        value = labels.get(matcher.name, "")
        if matcher.op in (operators.Equal, operators.NotEqual):
            holds = value == matcher.value
        else:
            holds = re.fullmatch(matcher.value, value) is not None
        if holds is (matcher.op in (operators.NotEqual, operators.NotRe)):
            return False
    return True
