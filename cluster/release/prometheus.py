"""Prometheus' HTTP API: instant queries at a moment, over plain HTTP(S)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import httpx

from cluster.release.measurements import Sample
from content.errors import ContentError

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
MAX_BYTES = 8 << 20


class HttpPrometheus:
    """One server (or Thanos, Mimir, VictoriaMetrics: whoever speaks `/api/v1/query`). Used from one thread."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def query(self, expression: str, at: datetime) -> Sequence[Sample]:
        """The series of an instant vector; values that are no numbers are left out. Raises ContentError
        `prometheus-unavailable`, retryable unless the query itself was refused."""
        try:
            answer = self._http.post(
                f"{self._url}/api/v1/query", data={"query": expression, "time": f"{at.timestamp():.3f}"}
            )
            if answer.status_code in (400, 422):
                raise _refused(answer.text[:200])
            answer.raise_for_status()
            if len(answer.content) > MAX_BYTES:
                raise _refused("the answer is too large")
            document = answer.json()
            if document["status"] != "success" or document["data"]["resultType"] != "vector":
                raise _refused(str(document.get("error", "the answer is no vector"))[:200])
            rows = [(row["metric"], float(row["value"][1])) for row in document["data"]["result"]]
        except httpx.HTTPError as error:
            told = f"Prometheus at {self._url} does not answer ({type(error).__name__})."
            raise ContentError("prometheus-unavailable", told, "Look at --prometheus.", True) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise _refused("its answer cannot be read") from error
        return [Sample(labels, value) for labels, value in rows if math.isfinite(value)]


def _refused(why: str) -> ContentError:
    return ContentError("prometheus-unavailable", f"Prometheus refused a query: {why}.", "Look at --prometheus.")
