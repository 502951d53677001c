"""Makes rows from records piece by piece, so that they exceed neither the action's memory nor a turn of the event loop.

The rows of a fetched batch can take a hundred times its bytes. So a batch is evaluated in pieces: a piece ends when its
rows take PIECE_BYTES_MAX, and holds fewer records if the last piece took long. Only records wait between pieces. If the
rules of an action wait for another process, they are evaluated in a thread.

This file does not know lanes: lane.py decides which lane may make rows now, and which waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pipeline.log import get_logger
from pipeline.record import Record
from pipeline.rule.batch import Evaluator, RowBatch
from pipeline.sql.runtime.circuits import WINDOW_MS, Circuits

PIECE_BYTES_MAX: Final = 1 << 20
PIECE_RECORDS_MAX: Final = 10_000
# The same for rules under which a short record may take long: the loop of aggregated upload looks at no clock.
UNEVEN_RECORDS_MAX: Final = 200
# Time that others on this event loop may have to wait for a piece.
PIECE_SECONDS_MAX: Final = 0.05
# Time that other partitions of an action may have to wait for its thread.
TURN_SECONDS_MAX: Final = 0.25

log = get_logger("tidegate.action")


class Pace:
    """The number of records in the next piece of an action: fewer after a slow piece, more after a quick one."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock` gives seconds. The default is the clock of the event loop."""
        self.records_max = PIECE_RECORDS_MAX
        self._clock = clock or now

    def piece(self, rules: Evaluator, records: Sequence[Record]) -> RowBatch:
        """The rows of the first records, and the records that are left."""
        began = self._clock()
        if rules.uneven:
            some = records[: min(self.records_max, UNEVEN_RECORDS_MAX)]
            batch = rules.evaluate(some, PIECE_BYTES_MAX, ended=lambda: self._clock() - began > PIECE_SECONDS_MAX)
        else:
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


class RulesThread:
    """The thread of an action whose rules wait for another process. There is one thread, because there is one process.

    Partitions take turns in it. An event loop that waits for jq could not answer Kafka or a signal to stop.
    """

    def __init__(self, action: str) -> None:
        self._action = action
        self._thread: ThreadPoolExecutor | None = None
        self._rules: set[Evaluator] = set()  # rule sets that this thread evaluates
        self._stopped = threading.Event()

    async def piece(self, rules: Evaluator, records: Sequence[Record], circuits: Circuits) -> RowBatch:
        """The rows of as many first records as fit into the time of a turn."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"rules {self._action}")
        self._rules.add(rules)
        batch = await asyncio.get_running_loop().run_in_executor(self._thread, self._piece, rules, records, circuits)
        for rule in batch.suspended:
            log.warning("rule.suspended", action=self._action, rule=rule, seconds=WINDOW_MS // 1000)
        return batch

    def _piece(self, rules: Evaluator, records: Sequence[Record], circuits: Circuits) -> RowBatch:
        end = time.monotonic() + TURN_SECONDS_MAX
        over = lambda: self._stopped.is_set() or time.monotonic() > end  # noqa: E731
        return rules.evaluate(records, PIECE_BYTES_MAX, circuits=circuits, ended=over)

    def end(self) -> None:
        """End the thread without waiting, because its present result is not used."""
        self._stopped.set()
        for rules in self._rules:
            rules.interrupt()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)


def now() -> float:
    """Seconds on the loop's clock, which a simulation may control."""
    return asyncio.get_running_loop().time()
