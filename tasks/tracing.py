"""The traces of a batch of bundles: one work, done for rows that each belong to a trace of their own.

The batch continues the trace of its first row and links to the others. Each row gets a span in its own trace that links
to the batch, so that whoever looks at the trace of an enrolment finds its bundle, and from there the batch. The event of a
row continues that span.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cluster import telemetry
from cluster.telemetry.metrics import BATCH_BUNDLES, BATCH_SECONDS
from cluster.telemetry.traces import begin_span, end_span, link


@contextmanager
def traced_batch(
    tenant: str, attempt: str, rows: Sequence[dict[str, Any]], began_ns: int
) -> Iterator[list[dict[str, Any]]]:
    """The rows with the traceparent that their events are to carry; the work on them is a span since `began_ns`."""
    parents = [row["traceparent"] for row in rows]
    first = next((parent for parent in parents if parent), None)
    with telemetry.span(
        "bundles", parent=first, links=link(parents), start_ns=began_ns, tenant=tenant, attempt=attempt, count=len(rows)
    ):
        batch = link([telemetry.traceparent()])
        spans = [
            begin_span(
                "bundle",
                parent=row["traceparent"],
                links=batch,
                start_ns=began_ns,
                tenant=tenant,
                bundle=row["bundle_id"],
            )
            for row in rows
        ]
        failed: BaseException | None = None
        try:
            yield [{**row, "traceparent": telemetry.traceparent(span)} for row, span in zip(rows, spans, strict=True)]
        except BaseException as error:
            failed = error
            raise
        finally:
            for span in spans:
                end_span(span, failed)
            BATCH_SECONDS.observe((time.time_ns() - began_ns) / 1e9)
            BATCH_BUNDLES.observe(len(rows))
