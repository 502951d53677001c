"""Rules that run out of time are not tried for a while: whose records, from when, until when."""

from __future__ import annotations

from pipeline.record import Record
from pipeline.sql.runtime.circuits import RULE_TIMEOUTS_MAX, TIMEOUTS_MAX, WINDOW_MS, Circuits
from tests.parts.records import message


def at(seconds: float, client: bytes = b"bomber") -> Record:
    return message(0, b"{}")._replace(timestamp=int(seconds * 1000), key=client)


def test_a_client_whose_records_are_late_again_and_again_is_not_tried() -> None:
    """Others are, and so is the client under another rule."""
    circuits = Circuits()

    assert not circuits
    assert [circuits.late("r", at(n)) for n in range(TIMEOUTS_MAX)] == [False] * (TIMEOUTS_MAX - 1) + [True]
    assert "again and again" in circuits.refusal("r", at(3))
    assert (circuits.refusal("r", at(3, b"other")), circuits.refusal("other", at(3))) == ("", "")


def test_a_rule_that_is_late_for_many_clients_is_tried_for_nobody() -> None:
    """One hostile device stops nobody; many do not stop the worker."""
    circuits = Circuits()
    for n in range(RULE_TIMEOUTS_MAX):
        assert not circuits.refusal("r", at(1, b"good"))
        circuits.late("r", at(0.1 * n, b"c%d" % n))

    assert circuits.refusal("r", at(1, b"good"))


def test_it_is_tried_again_after_a_while_and_one_more_late_record_is_enough() -> None:
    """Time is the records' own: a backlog of an hour passes in its own time."""
    circuits = Circuits()
    for n in range(TIMEOUTS_MAX):
        circuits.late("r", at(n))
    last = TIMEOUTS_MAX - 1
    again = last + WINDOW_MS / 1000

    assert circuits.refusal("r", at(again - 0.1))
    assert not circuits.refusal("r", at(again))
    assert circuits.late("r", at(again))
    assert circuits.refusal("r", at(again + 1))


def test_late_records_far_apart_are_tried() -> None:
    """Now and then a second is lost: that is no reason to lose records."""
    circuits = Circuits()

    assert not any(circuits.late("r", at(n * WINDOW_MS / 1000)) for n in range(20))
    assert not circuits.refusal("r", at(20 * WINDOW_MS / 1000))


def test_a_clock_that_was_set_back_does_not_close_a_rule_for_long() -> None:
    """Records of a day before are tried."""
    circuits = Circuits()
    for n in range(TIMEOUTS_MAX):
        circuits.late("r", at(100_000 + n))

    assert circuits.refusal("r", at(100_000))
    assert not circuits.refusal("r", at(100_000 - 86_400))
