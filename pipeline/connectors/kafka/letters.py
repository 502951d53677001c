"""Finds dead letters in their topic: those that are wanted, each once, with the number of its copies."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from msgspec import Struct

from pipeline import dead_letter
from pipeline.config import Config
from pipeline.connectors.kafka.reader import everything
from pipeline.dead_letter import Letter


class Wanted(Struct, frozen=True):
    """The dead letters that are selected: by place, and by what they say. `again`: also those that were sent again."""

    places: frozenset[str] = frozenset()
    action: str | None = None
    rule: str | None = None
    cause: str | None = None
    clientid: str | None = None
    since_ms: int = 0
    again: bool = False

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is selected. `places` and `again` are not checked here."""
        return (
            self.action in (None, letter.action)
            and self.rule in (None, letter.rule)
            and self.cause in (None, letter.cause)
            and (self.clientid is None or self.clientid.encode() == (letter.record.key or b""))
            and letter.record.timestamp >= self.since_ms
        )


class FoundLetter(NamedTuple):
    """A letter, how many there are that are one with it, and whether it was sent again."""

    letter: Letter
    copies: int
    settled: bool


def letters(config: Config, wanted: Wanted, *, runs: bool) -> Generator[FoundLetter]:
    """The letters that are wanted. The topic is read twice: copies and marks come after the letter they are about.

    `runs`: letters that differ in nothing but the run are told apart. Raises a ConnectorError or NotFoundError.
    """
    topic, pipeline = config.kafka.dead_letter_topic, config.pipeline
    folding = dead_letter.Folding(runs=runs)
    named: set[str] = set()
    for record in everything(config.kafka, topic):
        found = dead_letter.read(record)
        folding.learn(found)
        if isinstance(found, Letter) and found.place in wanted.places:
            named.add(found.name_of_all_runs)
    for record in everything(config.kafka, topic):
        letter = dead_letter.read(record)
        if not isinstance(letter, Letter) or not (copies := folding.last_of(letter)):
            continue
        ours = letter.failure is None or letter.failure.pipeline in ("", pipeline)
        settled = folding.is_settled(letter)
        if (
            ours
            and (wanted.again or not settled)
            and (not wanted.places or letter.name_of_all_runs in named)
            and wanted.takes(letter)
        ):
            yield FoundLetter(letter, copies, settled)
