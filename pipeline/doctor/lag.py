"""Compares the lag of an action with Kafka's retention: is anything lost, or will it be soon?

An action has come as far as its ledger (aggregated upload) or as its committed offset (direct upload). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.doctor import Check

# A lag is near the retention when the oldest record that was not handled has reached this part of its age.
NEAR: Final = 0.5
# If a topic has a limit of size, offsets show the room that is left. Less than this part of the log is near.
ROOM_MIN: Final = 0.2


class Standing(NamedTuple):
    """One partition of an action, which is at offset `at` (None: it has not begun). Kafka has `start` up to `end`.

    Records before `young` are older than a part of the topic's retention, see `NEAR`. `whose` describes `at`.
    """

    topic: str
    partition: int
    at: int | None
    whose: str
    start: int
    end: int
    young: int
    limited_by_size: bool = False
    committed: int | None = None

    @property
    def name(self) -> str:
        return f"{self.topic}/{self.partition}"

    @property
    def lag(self) -> int:
        """The largest possible number of records that Kafka has and the action has not handled."""
        return max(0, self.end - max(self.start, self.at if self.at is not None else self.start))


class Trouble(NamedTuple):
    """What is wrong with a partition: what was found, what was expected, and what to do."""

    found: str
    expected: str
    advice: str


def young_since_ms(settings: Mapping[str, str], now_ms: int) -> int:
    """The time between old and young records for a topic with these settings. 0: it keeps all, or does not say."""
    told = settings.get("retention.ms", "-1")
    kept_ms = int(told) if told.isdigit() else 0
    return max(0, now_ms - int(kept_ms * NEAR)) if kept_ms else 0


def check(title: str, standings: Sequence[Standing]) -> Check:
    """Check an action. Its worst partition decides."""
    for state, judge in (("bad", _bad), ("warn", _short), ("warn", _near)):
        told = [(each, words) for each in standings if (words := judge(each)) is not None]
        if told:
            (_, worst), *others = told
            more = f" (and {len(others)} more partitions alike)" if others else ""
            return Check(title, "bad" if state == "bad" else "warn", worst.found + more, worst.expected, worst.advice)
    behind = sum(each.lag for each in standings)
    begun = [each for each in standings if each.at is not None]
    if not begun:
        return Check(title, "ok", f"not begun; {behind:,} records wait in {len(standings)} partitions")
    return Check(title, "ok", f"{behind:,} records to go in {len(standings)} partitions")


def _bad(each: Standing) -> Trouble | None:
    """The loss that has happened, or that will happen when a worker goes on."""
    if each.at is None:
        return None
    if each.at < each.start:
        return Trouble(
            f"{each.whose} of {each.name} ends at {each.at:,}, and Kafka's log begins at {each.start:,}: "
            f"{each.start - each.at:,} records are gone",
            "a log that begins no later",
            "raise the topic's retention; the workers will say which records are gone, and go on behind them",
        )
    if each.at > each.end:
        return Trouble(
            f"{each.whose} of {each.name} ends at {each.at:,}, and Kafka's log ends at {each.end:,}",
            "a log that ends no earlier",
            "Kafka lost records, or this is another Kafka or another bucket: find out before you start a worker, "
            "which will refuse to go on",
        )
    return None


def _short(each: Standing) -> Trouble | None:
    """Check for a ledger that lost its end: a worker commits an offset only after the entry."""
    if each.at is None or each.committed is None or each.committed <= each.at:
        return None
    return Trouble(
        f"the group has committed {each.committed:,} of {each.name}, and {each.whose} ends at {each.at:,}",
        "a ledger that reaches as far",
        "run `tidegate verify`: entries are gone, or somebody set the offset; a worker goes on at the end of the ledger",
    )


def _near(each: Standing) -> Trouble | None:
    """The records that Kafka may delete before a worker reads them."""
    at = each.start if each.at is None else each.at
    if not each.lag:
        return None
    advice = "start or add workers, or raise the topic's retention: what Kafka deletes first is lost"
    if at < each.young:
        return Trouble(
            f"{each.name} waits at {at:,} of {each.end:,}, and the next record is older than {NEAR:.0%} of what Kafka keeps",
            "a lag far below the retention",
            advice,
        )
    room = (at - each.start) / (each.end - each.start)
    if each.limited_by_size and each.start > 0 and room < ROOM_MIN:
        return Trouble(
            f"{each.name} waits at {at:,}, and Kafka, which deletes by size, has deleted up to {each.start:,}",
            "a lag far below the retention",
            advice,
        )
    return None
