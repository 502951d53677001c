"""Places of rows of direct upload: which one leaves nothing to write for another."""

from __future__ import annotations

import pytest

from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.row_place import RowPlace, place_of

ROW = RowPlace("t", 1, 10, 2, "one")


@pytest.mark.parametrize(
    ("there", "settled"),
    [
        (None, False),
        (ROW, True),
        (ROW._replace(offset=11, number=1), True),
        (ROW._replace(number=3), True),
        (ROW._replace(number=1), False),
        (ROW._replace(offset=9), False),
        (ROW._replace(partition=2, offset=11), False),
        (ROW._replace(topic="u", offset=11), False),
        (ROW._replace(topic_id="two"), False),
        (ROW._replace(topic_id="two", offset=11), False),
        (ROW._replace(topic_id="", offset=11), True),
    ],
)
def test_the_same_or_a_later_row_of_the_same_topic_settles_one(there: RowPlace | None, settled: bool) -> None:
    """Offsets of another partition, or of another topic of the name, tell nothing. Whoever has no id is taken at its name."""
    assert ROW.is_settled_by(there) is settled


def test_a_row_without_an_id_is_settled_by_name() -> None:
    """A broker that has no ids tells no two topics of one name apart."""
    assert ROW._replace(topic_id="").is_settled_by(ROW)


@pytest.mark.parametrize(
    ("other", "is_another"),
    [
        (ROW, False),
        (ROW._replace(topic_id="two"), True),
        (ROW._replace(topic_id=""), False),
        (ROW._replace(topic="u", topic_id="two"), False),
    ],
)
def test_another_topic_has_the_name_and_another_id(other: RowPlace, is_another: bool) -> None:
    """In either direction."""
    assert ROW.is_of_another_topic(other) is is_another
    assert other.is_of_another_topic(ROW) is is_another


@pytest.mark.parametrize("place", [ROW, ROW._replace(topic_id=""), ROW._replace(topic="a.b-c")])
def test_an_object_says_its_place(place: RowPlace) -> None:
    """What is written as metadata is read as the same place."""
    metadata = {name.removeprefix(METADATA_PREFIX): text for name, text in place.headers.items()}

    assert place_of(metadata) == place


@pytest.mark.parametrize("text", ["", "t", "t/1", "t/1/x.0", "t/one/1.0"])
def test_another_object_has_no_place(text: str) -> None:
    """Nothing is guessed."""
    assert place_of({"tidegate-place": text}) is None
