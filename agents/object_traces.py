"""Spans of the objects that a worker writes: which traced messages an object holds, and what became of it.

A span is the work on one object, and never on one record. In direct mode it is a child of the span that sent the message. In
aggregated mode it is a trace of its own with a link to each traced message, because the messages of one object have many traces.
Without `otel` in the configuration there are no `ObjectTraces`. This file does not know the collector.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.connectors.otlp import LINKS_MAX, Spans, Value, spans
from pipeline.mqtt.traceparent import TraceParent, sampled
from pipeline.record import Record

TRACES_MAX: Final = 4096  # traced messages of a partition that are remembered; further ones push out the oldest


def traces_of(action: str) -> ObjectTraces | None:
    """For the objects of one lane or one direct action; None if nobody wants spans."""
    maker = spans()
    return None if maker is None else ObjectTraces(action, maker)


class Traced(NamedTuple):
    """A traced message."""

    offset: int
    trace: TraceParent


class ObjectTraces:
    """The traced messages whose rows may still become objects."""

    def __init__(self, action: str, maker: Spans) -> None:
        self._action = action
        self._maker = maker
        self._traced: deque[Traced] = deque(maxlen=TRACES_MAX)

    def arrived(self, records: Sequence[Record]) -> None:
        """Remember the traced messages of a batch."""
        self._traced.extend(Traced(each.offset, trace) for each in records if (trace := sampled(each.headers)))

    def of_record(self, bucket: str, key: str, origin: Record) -> ObjectSpan | None:
        """The span of an object of one record, if the record is traced."""
        trace = sampled(origin.headers)
        return self._span(bucket, key, [trace], 1, child=True) if trace else None

    def of_rows(self, bucket: str, key: str, offsets: Sequence[int], rows: int) -> ObjectSpan | None:
        """The span of an object of the first `rows` rows with these offsets, if some of their records are traced."""

        def holds(offset: int) -> bool:
            at = bisect_left(offsets, offset, 0, rows)
            return at < rows and offsets[at] == offset

        found = [trace for offset, trace in self._traced if holds(offset)]
        return self._span(bucket, key, found[-LINKS_MAX:], rows, child=False) if found else None

    def _span(self, bucket: str, key: str, traces: list[TraceParent], rows: int, *, child: bool) -> ObjectSpan:
        attributes: dict[str, Value] = {
            "aws.s3.bucket": bucket,
            "aws.s3.key": key,
            "tidegate.action": f"s3:{self._action}",
            "tidegate.rows": rows,
        }
        return ObjectSpan(self._maker, traces, attributes, child=child)


class ObjectSpan:
    """The span of one object, which begins now. It has a size only if this worker wrote the object."""

    def __init__(self, maker: Spans, traces: list[TraceParent], attributes: dict[str, Value], *, child: bool) -> None:
        self._maker = maker
        self._traces = traces
        self._attributes = attributes
        self._child = child
        self._began_ns = time.time_ns()

    def written(self, size_bytes: int) -> None:
        """Note that the store has confirmed the object."""
        self._attributes["tidegate.object.size_bytes"] = size_bytes

    def end(self, error: BaseException | None) -> None:
        """End the span. A worker that stops while it writes leaves none: who writes the object has the span."""
        if not isinstance(error, asyncio.CancelledError):
            problem = "" if error is None else f"{type(error).__name__}: {error}"
            self._maker.made(
                "write object",
                "client",
                self._traces,
                self._began_ns,
                self._attributes,
                child=self._child,
                error=problem,
            )
