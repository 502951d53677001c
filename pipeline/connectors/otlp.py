"""Spans for a collector of OpenTelemetry: one for each object or batch, linked to the traces of its messages.

Without `otel` in the configuration, `spans()` is None, nothing of OpenTelemetry is imported, and nobody makes a span. A process
calls `exporting` at its start; the parts that make spans ask for `spans()` once, when they are made.

OpenTelemetry's library sends the spans in a thread of its own, holds at most 2,048 of them and drops further ones. So a collector
that is away delays nothing. What is sampled, the devices decide: a message whose sender does not record its trace has no span.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from pipeline.config.model import Otel
from pipeline.extras import needed
from pipeline.log import get_logger
from pipeline.mqtt.traceparent import TraceParent

LINKS_MAX: Final = 128  # OpenTelemetry's own limit for a span
END_SECONDS: Final = 3.0  # at a stop, for the spans that are left

log: Final = get_logger("tidegate.otel")

Value = str | int
Kind = Literal["client", "producer"]


class Spans:
    """Makes spans with OpenTelemetry's API, whose modules `trace` and tracer it is given."""

    def __init__(self, trace: Any, tracer: Any) -> None:
        self._trace = trace
        self._tracer = tracer

    def made(
        self,
        name: str,
        kind: Kind,
        traces: Sequence[TraceParent],
        began_ns: int,
        attributes: Mapping[str, Value],
        *,
        child: bool = False,
        error: str = "",
    ) -> None:
        """Make a span that ends now, linked to the last `LINKS_MAX` of its messages' traces.

        `child`: it is the work on one message, and so belongs to the trace of that message.
        """
        trace = self._trace
        contexts = [self._context(each) for each in traces[-LINKS_MAX:]]
        parent = trace.set_span_in_context(trace.NonRecordingSpan(contexts[-1])) if child else None
        span = self._tracer.start_span(
            name,
            context=parent,
            kind=trace.SpanKind[kind.upper()],
            attributes=attributes,
            links=[trace.Link(each) for each in contexts],
            start_time=began_ns,
        )
        if error:
            span.set_status(trace.StatusCode.ERROR, error)
        span.end(time.time_ns())

    def _context(self, each: TraceParent) -> Any:
        sampled = self._trace.TraceFlags(self._trace.TraceFlags.SAMPLED)
        return self._trace.SpanContext(each.trace_id, each.span_id, is_remote=True, trace_flags=sampled)


_spans: Spans | None = None


def spans() -> Spans | None:
    """What makes the spans of this process, or None if nobody wants them."""
    return _spans


@asynccontextmanager
async def exporting(otel: Otel | None, *, process: str, pipeline: str) -> AsyncIterator[None]:
    """In the block, `spans()` go to the collector. Raises ConfigError if the extra is not installed."""
    global _spans
    if otel is None:
        yield
        return
    trace, provider, exporter = await asyncio.to_thread(_opened, otel, process, pipeline)
    _spans = Spans(trace, provider.get_tracer("tidegate"))
    try:
        yield
    finally:
        _spans = None
        ending = asyncio.create_task(asyncio.to_thread(provider.shutdown))
        await asyncio.wait({ending}, timeout=END_SECONDS)
        await asyncio.to_thread(exporter.shutdown)  # ends its repetitions
        await ending


def _opened(otel: Otel, process: str, pipeline: str) -> tuple[Any, Any, Any]:
    """OpenTelemetry's module `trace`, a provider whose spans go to the collector, and the exporter that sends them."""
    with needed("otel", "otel"):
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what its exporter would say, _Told says
    exporter = OTLPSpanExporter(
        endpoint=otel.endpoint.rstrip("/") + "/v1/traces",
        headers={name: each.reveal() for name, each in otel.headers.items()},
        certificate_file=otel.cacertfile,
        timeout=otel.timeout,
    )
    who: dict[str, Value] = {
        "service.name": otel.service_name,
        "service.instance.id": socket.gethostname(),
        "tidegate.process": process,
        "tidegate.pipeline": pipeline,
    }
    provider = TracerProvider(resource=Resource.create(who), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_told(exporter, otel.endpoint)))
    return trace, provider, exporter


def _told(exporter: Any, endpoint: str) -> Any:
    """The exporter, which now logs when the collector is lost and when it is back."""
    export, succeeded = exporter.export, [True]

    def told(spans: Sequence[Any]) -> Any:
        result = export(spans)
        good = result.name == "SUCCESS"
        if good != succeeded[0]:
            succeeded[0] = good
            if good:
                log.info("otel.connected", endpoint=endpoint)
            else:
                log.warning("otel.disconnected", endpoint=endpoint)
        return result

    exporter.export = told
    return exporter
