"""How far an action is behind, held against what Kafka keeps: what is said of each case, and which case is the worst."""

from __future__ import annotations

import pytest

from pipeline.doctor.lag import Standing, check, young_since_ms

DAY_MS = 86_400_000


def standing(**facts: int | bool | None) -> Standing:
    """A partition that is at 500 of 1,000; Kafka has all from 100 on, and nothing of it is old."""
    return Standing(
        **{
            "topic": "t",
            "partition": 3,
            "at": 500,
            "whose": "the ledger",
            "start": 100,
            "end": 1000,
            "young": 100,
            **facts,
        }
    )


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        ({}, "ok", "500 records to go in 1 partitions"),
        ({"at": 1000}, "ok", "0 records to go"),
        ({"at": None}, "ok", "not begun; 900 records wait"),
        ({"at": None, "start": 0, "end": 0, "young": 0}, "ok", "not begun; 0 records wait"),
        ({"at": 99}, "bad", "the ledger of t/3 ends at 99, and Kafka's log begins at 100: 1 records are gone"),
        ({"at": 400, "start": 500, "end": 500, "young": 500}, "bad", "100 records are gone"),
        ({"at": 1001}, "bad", "the ledger of t/3 ends at 1,001, and Kafka's log ends at 1,000"),
        ({"young": 501}, "warn", "t/3 waits at 500 of 1,000, and the next record is older than 50% of what Kafka keeps"),
        ({"young": 1000, "at": 1000}, "ok", "0 records to go"),
        ({"at": None, "young": 200}, "warn", "t/3 waits at 100 of 1,000"),
        ({"at": 110, "limited_by_size": True}, "warn", "Kafka, which deletes by size, has deleted up to 100"),
        ({"at": 110, "limited_by_size": True, "start": 0}, "ok", "890 records to go"),
        ({"at": 900, "limited_by_size": True}, "ok", "100 records to go"),
        ({"committed": 499}, "ok", "500 records to go"),
        ({"committed": 500}, "ok", "500 records to go"),
        ({"committed": 501}, "warn", "the group has committed 501 of t/3, and the ledger ends at 500"),
        ({"committed": 501, "at": None}, "ok", "not begun"),
        ({"committed": 501, "at": 99}, "bad", "1 records are gone"),
    ],
)  # fmt: skip
def test_a_partition_is_judged(facts: dict[str, int | bool | None], state: str, words: str) -> None:
    """By where it is, and by what Kafka has and will soon delete."""
    found = check("lag", [standing(**facts)])

    assert (found.state, words in found.found) == (state, True), found.line()
    assert bool(found.advice) == (state != "ok")


def test_the_worst_partition_decides() -> None:
    """What is lost comes before what is near, and others alike are counted."""
    good, near, lost = standing(), standing(partition=1, young=600), standing(partition=2, at=7)

    assert check("lag", [good, near, lost]).state == "bad"
    assert check("lag", [good, near]).state == "warn"
    assert check("lag", [lost, lost, good]).found.endswith("93 records are gone (and 1 more partitions alike)")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"retention.ms": str(2 * DAY_MS)}, 9 * DAY_MS),
        ({"retention.ms": "-1"}, 0),
        ({}, 0),
        ({"retention.ms": str(100 * DAY_MS)}, 0),
    ],
)
def test_old_is_half_of_what_is_kept(settings: dict[str, str], expected: int) -> None:
    """A topic that keeps all, or does not tell, has no old records."""
    assert young_since_ms(settings, 10 * DAY_MS) == expected
