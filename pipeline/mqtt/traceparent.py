"""The trace to which a message belongs, in the form of W3C's Trace Context: `version-trace-parent-flags`, such as
`00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`.

A device sends it as the user property `traceparent` of MQTT 5, and the ingress puts it into the header of the same name. Whoever
sends a wrong one has no trace, as the specification says (Trace Context, 3.2.2). Pure.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pipeline.record import TRACEPARENT, Headers

_FORM: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED: Final = 1


class TraceParent(NamedTuple):
    """A trace, the span in it that sent the message, and whether the sender records this trace."""

    trace_id: int
    span_id: int
    sampled: bool


def read(text: bytes) -> TraceParent | None:
    """The trace, or None if the text is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    trace = TraceParent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED))
    is_wrong = version == b"ff" or (version == b"00" and more is not None) or not (trace.trace_id and trace.span_id)
    return None if is_wrong else trace


def checked(text: bytes) -> bytes | None:
    """The text in version 00, or None if it is wrong. Of a later version, it keeps what version 00 knows."""
    trace = read(text)
    if trace is None or text.startswith(b"00"):
        return text if trace else None
    return b"00-%032x-%016x-%02x" % trace


def sampled(headers: Headers) -> TraceParent | None:
    """The trace in the headers of a record, if the sender of its message records it."""
    trace = read(next((value for name, value in headers if name == TRACEPARENT), b""))
    return trace if trace and trace.sampled else None
