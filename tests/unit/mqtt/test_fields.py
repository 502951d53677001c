"""The fields of packets: numbers of variable length, texts and topic names, and refused forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RetryableError
from pipeline.mqtt.fields import (
    ProtocolError,
    Reader,
    checked_text,
    checked_topic,
    varint,
    written_text,
    written_varint,
)


@given(st.integers(0, 268_435_455), st.binary(max_size=3))
def test_a_length_is_read_as_it_was_written(value: int, behind: bytes) -> None:
    """A length of up to four bytes is read back, whatever bytes follow."""
    written = written_varint(value)

    assert varint(written + behind, 0, len(written + behind)) == (value, len(written))
    assert varint(written, 0, len(written) - 1)[0] == -1


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (268_435_455, "ffffff7f")],
)
def test_lengths_are_those_of_the_specification(value: int, written: str) -> None:
    """Lengths match the limits in MQTT 5.0's table 1-1."""
    assert written_varint(value).hex() == written


@pytest.mark.parametrize(("b", "problem"), [(b"\xff\xff\xff\xff\x01", "found a fifth"), (b"\x80\x00", "as few bytes")])
def test_a_length_that_cannot_be_is_refused(b: bytes, problem: str) -> None:
    """A length of five bytes, or with more bytes than needed, is refused."""
    with pytest.raises(ProtocolError, match=problem):
        varint(b, 0, len(b))


def test_a_reader_reads_from_beginning_to_end() -> None:
    """A reader reads numbers and bytes in order, and refuses to read beyond the end."""
    body = Reader(b"\x05" + written_text("ü".encode()) + b"\x02ab" + b"rest")

    assert body.number(1) == 5
    assert body.text() == "ü".encode()
    assert body.counted() == b"ab"
    assert body.left == 4
    with pytest.raises(ProtocolError, match="found 4 more bytes"):
        body.finish()
    with pytest.raises(ProtocolError, match="expected 5 more bytes, found the end of the packet after 4"):
        body.take(5)
    assert body.rest() == b"rest"
    with pytest.raises(ProtocolError, match="expected a length"):
        body.counted()
    body.finish()


@pytest.mark.parametrize("value", [b"\xff", b"\xed\xa0\x80", b"a\0b"])
def test_a_text_is_utf_8_without_the_null_character(value: bytes) -> None:
    """A text with a surrogate or the null character is refused."""
    with pytest.raises(ProtocolError) as refused:
        checked_text(value)

    assert refused.value.reason_code == 0x81


@pytest.mark.parametrize(("value", "code"), [(b"", 0x90), (b"a/+", 0x90), (b"#", 0x90), (b"a\0", 0x81)])
def test_a_topic_name_has_no_wildcards(value: bytes, code: int) -> None:
    """A topic name is a text without wildcards that is not empty."""
    with pytest.raises(ProtocolError) as refused:
        checked_topic(value)

    assert refused.value.reason_code == code


def test_an_error_says_what_to_do_and_what_to_tell() -> None:
    """The error can be retried, and its `problem` is the code for the other side."""
    error = ProtocolError(0x81, "expected UTF-8 in a text")

    assert isinstance(error, RetryableError)
    assert (error.reason, error.problem, str(error)) == (
        "protocol_error",
        "expected UTF-8 in a text",
        "not MQTT: expected UTF-8 in a text",
    )
