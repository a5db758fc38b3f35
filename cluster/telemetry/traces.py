"""Spans of OpenTelemetry, and the `traceparent` (W3C) by which a trace goes on in another process.

A traceparent is a string and travels wherever work does: HTTP and NATS headers, the CloudEvents extension, a queue
entry, the rows of jobs, bundles and outbox, an argument of a Ray task. With the exporter `none` nothing is recorded, but
ids are still made and handed on, so that log lines can be found by them. Which traces are recorded follows from their id
alone: every process decides alike, and no caller can have its own recorded by a flag.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NoOpTracer, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cluster.settings import Settings

__all__ = ["Span", "SpanKind", "begin_span", "context_of", "end_span", "ids", "link", "span", "traceparent"]

FLUSH_MS = 2000
_propagator = TraceContextTextMapPropagator()
_tracer: Tracer = NoOpTracer()


def configure(service: str, settings: Settings) -> None:
    """Record spans as the settings say. The provider is ours alone: Ray's own tracing is not touched."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

    global _tracer
    off = settings.trace_exporter == "none"
    provider = TracerProvider(
        sampler=ALWAYS_OFF if off else TraceIdRatioBased(settings.trace_sample_ratio),
        resource=Resource({"service.name": service, "service.namespace": "content", "cloud.region": settings.region}),
    )
    if not off:
        provider.add_span_processor(_processor(service, settings))
    _tracer = provider.get_tracer("content-service")


def _processor(service: str, settings: Settings) -> Any:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    if settings.trace_exporter == "file":
        folder = settings.trace_folder or settings.workspace / "traces"
        return SimpleSpanProcessor(_file_exporter(folder / f"{service}-{os.getpid()}.jsonl"))
    return BatchSpanProcessor(_otlp_exporter(settings.trace_endpoint), schedule_delay_millis=FLUSH_MS)


def _otlp_exporter(endpoint: str) -> Any:
    """Spans to a collector, and to nobody else: past every proxy of the environment, and by no redirect."""
    import requests  # the exporter's own
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class Direct(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> str | None:
            return None

    session = Direct()
    session.trust_env = False
    return OTLPSpanExporter(endpoint=endpoint, session=session)


def _file_exporter(path: Path) -> Any:
    """Spans as JSON lines, each on the disk as soon as it ends."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class ToFile(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.writelines(json.dumps(json.loads(span.to_json(indent=None))) + "\n" for span in spans)
            return SpanExportResult.SUCCESS

    return ToFile()


def context_of(parent: str | None) -> Context | None:
    """The context that a traceparent names; None (this task's own) for none, or for what is no traceparent."""
    return _propagator.extract({"traceparent": parent}, Context()) if parent else None


def traceparent(of: Span | None = None) -> str | None:
    """What to hand on so that this trace goes on elsewhere; None outside of any trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(of) if of is not None else None)
    return carrier.get("traceparent")


def link(parents: Sequence[str | None]) -> list[Link]:
    """Links to the traces that these traceparents name, each once."""
    contexts = (
        trace.get_current_span(context_of(parent)).get_span_context() for parent in dict.fromkeys(parents) if parent
    )
    return [Link(context) for context in contexts if context.is_valid]


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
    start_ns: int | None = None,
    **attributes: Any,
) -> Iterator[Span]:
    """Work as a span: a part of the trace that `parent` names, else of the one this task is in, else of a new one.

    Attributes are ids of ours, numbers and names of kinds; an error is its type and code, without its text.
    """
    started = begin_span(name, parent=parent, kind=kind, links=links, start_ns=start_ns, **attributes)
    with trace.use_span(started, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        try:
            yield started
        except BaseException as error:
            end_span(started, error)
            raise
        end_span(started)


def begin_span(
    name: str,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
    start_ns: int | None = None,
    **attributes: Any,
) -> Span:
    """A span that this task is not made part of (a generator's, say); to be ended by `end_span`."""
    known = {f"content.{key}": value for key, value in attributes.items() if value is not None}
    return _tracer.start_span(name, context_of(parent), kind, known, links, start_ns)


def end_span(started: Span, error: BaseException | None = None) -> None:
    if error is not None:
        started.set_attribute("error.type", getattr(error, "code", type(error).__name__))
        started.set_status(StatusCode.ERROR)
    started.end()


def ids() -> dict[str, str]:
    """`trace_id` and `span_id` of this task, for log lines; empty outside of any trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
