"""Dead letters of the ingress: whole if they fit, else cut, with size and digest of the original."""

from __future__ import annotations

import hashlib

from ingress.dead_letter import dead_letter
from ingress.window import size_of
from pipeline.errors import RefusedError
from pipeline.record import Outgoing

PROBLEM = RefusedError("cannot write to m: too large", reason="msg_size_too_large")


def record(size: int) -> Outgoing:
    return Outgoing(b"d", b"x" * size, [("topic", b"t/d")], 7)


def test_one_that_fits_is_whole() -> None:
    """Cause, error and source come before the original headers, and the value is unchanged."""
    letter = dead_letter(record(5), PROBLEM, "mqtt:plant", 10_000)

    assert letter == (
        b"d",
        b"xxxxx",
        [
            ("dead_letter.cause", b"msg_size_too_large"),
            ("dead_letter.error", b"cannot write to m: too large"),
            ("dead_letter.source", b"mqtt:plant"),
            ("topic", b"t/d"),
        ],
        7,
    )


def test_one_that_does_not_fit_is_cut() -> None:
    """A cut letter has the original length and digest, and fits the limit with its headers."""
    letter = dead_letter(record(50_000), PROBLEM, "mqtt:plant", 10_000)
    headers = dict(letter.headers)

    assert headers["dead_letter.size"] == b"50000"
    assert headers["dead_letter.sha256"] == hashlib.sha256(b"x" * 50_000).hexdigest().encode()
    assert 8_000 < size_of(letter) < 10_000


def test_the_last_way_is_small_whatever_the_record_was() -> None:
    """Without a known limit, value, key and headers are cut so much that any Kafka accepts the letter."""
    odd = Outgoing(b"k" * 60_000, b"v" * 60_000, [("topic", b"t" * 60_000)], 7)

    assert size_of(dead_letter(odd, PROBLEM, "mqtt:plant", 0)) < 1024
