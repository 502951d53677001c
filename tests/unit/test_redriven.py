"""Records that repeat a dead letter: the numbers of their rows."""

from __future__ import annotations

from pipeline.record import Record
from pipeline.redriven import REDRIVEN, Failure, RecordPlace, Redriven, first_number

PLACE = RecordPlace("t", 0, 5)


def again(rule: str, row: int | None = None) -> Record:
    """A record that was sent again because of one rule."""
    header = Redriven(Failure("p", "a", rule, row, PLACE), PLACE).encode()
    return Record("t", 0, 90, 0, b"c", b"{}", [(REDRIVEN, header)])


def test_a_row_that_is_made_again_has_a_number_of_its_own() -> None:
    """Other rows of the record keep theirs, those of other rules too; the same row has the same number each time."""
    numbers = [first_number(again(rule, row)) for rule, row in (("a", None), ("a", 3), ("b", None), ("b", 3))]

    assert first_number(Record("t", 0, 5, 0, b"c", b"{}", [])) == 0
    assert len(set(numbers)) == 4
    assert min(numbers) > 200_000  # the most rows of a record
    assert first_number(again("a", 3)) == numbers[1]
