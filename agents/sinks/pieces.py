"""Making rows of records piece by piece: so much that neither the memory of the action nor a turn of the event loop is all used.

The rows of a fetched batch can be a hundred times what was fetched. So a batch is evaluated in pieces: a piece ends when its
rows take PIECE_BYTES_MAX, and holds fewer records when the last one took long. What waits in between are records, as they were
fetched. An action whose rules wait for another process evaluates in a thread.

This file knows no lanes: who may make rows now, and who waits, is lane.py's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.record import Record
from pipeline.rule import RowBatch, RuleSet

PIECE_BYTES_MAX: Final = 1 << 20
PIECE_RECORDS_MAX: Final = 10_000
# What others on this event loop may have to wait for a piece.
PIECE_SECONDS_MAX: Final = 0.05


class Pace:
    """How many records the next piece of an action may have: fewer after one that took long, more after a quick one."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock` counts seconds; by default it is the event loop's."""
        self.records_max = PIECE_RECORDS_MAX
        self._clock = clock or _now

    def piece(self, rules: RuleSet, records: Sequence[Record]) -> RowBatch:
        """The rows of the first records, and these that are left."""
        began = self._clock()
        batch = rules.evaluate(records[: self.records_max], PIECE_BYTES_MAX)
        if len(batch.records) < len(records):
            batch.rest = records[len(batch.records) :]
        self._note(len(batch.records), self._clock() - began)
        return batch

    def _note(self, records: int, seconds: float) -> None:
        if seconds > PIECE_SECONDS_MAX:
            self.records_max = max(1, min(records, self.records_max) // 2)
        elif seconds < PIECE_SECONDS_MAX / 4:
            self.records_max = min(PIECE_RECORDS_MAX, self.records_max * 2)


def _now() -> float:
    """Seconds on the loop's clock, which a simulation may run."""
    return asyncio.get_running_loop().time()
