"""The trace of a message, as W3C's Trace Context writes it."""

from __future__ import annotations

import pytest

from pipeline.mqtt import traceparent
from pipeline.mqtt.traceparent import TraceParent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-ff"),
        (f"cc-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-07-what-the-future-will-be", f"00-{TRACE}-{SPAN}-01"),
        (f"01-{TRACE}-{SPAN}-02", f"00-{TRACE}-{SPAN}-00"),
    ],
)
def test_a_trace_is_kept(text: str, kept: str) -> None:
    """Version 00 stays as it is; of a later version, what version 00 knows is kept."""
    assert traceparent.checked(text.encode()) == kept.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.what",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE[:-2]}é-{SPAN}-01",
    ],
)
def test_a_wrong_text_is_no_trace(text: str) -> None:
    """What does not have the form, or has a number that is forbidden, is dropped."""
    assert traceparent.checked(text.encode()) is None
    assert traceparent.read(text.encode()) is None


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True)])
def test_the_last_bit_says_whether_the_sender_records_it(flags: str, sampled: bool) -> None:
    """Other flags say nothing about that."""
    assert traceparent.read(f"00-{TRACE}-{SPAN}-{flags}".encode()) == TraceParent(
        int(TRACE, 16), int(SPAN, 16), sampled
    )
