"""The rules of an aggregated action: they make lines of groups from a fetch, without rows in between where they can.

Most records go through a loop (pipeline/sql/loop.py), one for each set of rules that match the same topics. A loop takes its
records of a *stretch*, up to 512 records that follow each other, and the batch takes the lines of the stretch as a whole
(line_batch.py). The other records (client events, FOREACH, all that a loop cannot do without an error) are evaluated by the
RuleSet, and their rows become lines in the same order. Which way a record takes makes no difference to its lines, outcomes
and counts.

Redriven dead letters stay rows, because their lane asks the ledger which of these rows count. So a batch of lines ends
before such a record, and the next batch is of rows.

Pure, as the rules are.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress, takewhile
from operator import itemgetter
from typing import Any, Final, NamedTuple

from pipeline.columns import HEADERS, OFFSETS, TIMESTAMPS, Columns, offsets_of
from pipeline.errors import RecordError
from pipeline.formats import Container
from pipeline.record import TOPIC, Headers, Record
from pipeline.redriven import is_redriven
from pipeline.rule.batch import DeadLetter, RowBatch
from pipeline.rule.line_batch import LineBatch, LoopLines, Stretch
from pipeline.rule.rule_set import Programs, RuleSet
from pipeline.rule.shared import SharedColumns, SharedReading
from pipeline.sql.loop import LineForm, Loop, MadeLines, has_loop, loop_of
from pipeline.sql.runtime.circuits import Circuits
from pipeline.template.object_key import GroupName, KeyTemplate
from pipeline.upload.buffer import LINE_OVERHEAD_BYTES, Lines
from pipeline.upload.outcomes import DEAD, FILTERED, WRITTEN

# Statements in all loops of one action: to compile one takes a millisecond. Records of further sets of rules have no loop.
STATEMENTS_MAX: Final = 500
# A loop that raises on one record is entered again behind it. If it raises often, it is entered again behind more records, up to
# STEP_MAX, because whoever sends such records must not make them dear. It raises seldom if so many records come in between.
STEP_MAX: Final = 256
SELDOM: Final = 32
# Records that loops make lines of at a time. More would not be in the processor's caches when they are looked at again.
STRETCH_RECORDS_MAX: Final = 512

_FIRST: Final = itemgetter(0)
_SECOND: Final = itemgetter(1)


class Arrived(NamedTuple):
    """Lines for the lane: by group, and the outcome of the record at each of the offsets."""

    groups: dict[GroupName, Lines]
    offsets: Sequence[int]
    outcomes: bytes
    dead: list[DeadLetter]


class LineRules:
    """The rules, the container and the key template of an aggregated action. `digest` is the digest of its version."""

    def __init__(self, rules: RuleSet, container: Container, key: KeyTemplate, digest: str) -> None:
        self.rules, self.key, self.digest = rules, key, digest
        self._line_of = container.line
        self.form = LineForm(*container.line_code, key.group, key.window_ms)
        self._loops: dict[tuple[str, ...], Loop | None] = {}
        self._statements = 0
        self.reading: SharedReading | None = None  # what other actions of the worker read, too
        self._any_loop = not rules.waits and any(has_loop([program]) for program in rules.programs)

    @property
    def waits(self) -> bool:
        """Whether any rule waits for another process."""
        return self.rules.waits

    @property
    def uneven(self) -> bool:
        """Whether short records may take long under any rule."""
        return self.rules.uneven

    def interrupt(self) -> None:
        """Make an evaluation in a thread end soon. Its result must not be used."""
        self.rules.interrupt()

    def evaluate(
        self,
        records: Sequence[Record],
        bytes_max: int = sys.maxsize,
        *,
        circuits: Circuits | None = None,
        ended: Callable[[], bool] | None = None,
    ) -> RowBatch:
        """The lines of the first records, until they take about `bytes_max`. The same as RuleSet.evaluate otherwise."""
        if not records or not self._any_loop or is_redriven(records[0].headers):
            return replace(self.rules.evaluate(records, bytes_max, circuits=circuits, ended=ended), rules=self.digest)
        return _Evaluation(self, Columns.of(records), bytes_max).whole()

    def loop_of(self, programs: Programs | None) -> Loop | None:
        """The loop for records that these programs match, or None if they have none."""
        if not programs:
            return None
        name = tuple([each.rule_id for each in programs])
        if name not in self._loops:
            if self._statements + len(programs) > STATEMENTS_MAX:
                return None
            self._statements += len(programs)
            self._loops[name] = self._made(programs)
        return self._loops[name]

    def _made(self, programs: Programs) -> Loop | None:
        named = [(each.rule_id, each.program) for each in programs]
        if not has_loop([program for _, program in named]):
            return None
        return loop_of(
            named, self.form, node=self.rules.node, columns=self.rules.columns, columns_of=self.rules.columns_of
        )

    def arrived(self, batch: RowBatch, begin: int) -> Arrived:
        """What a lane takes of a batch from offset `begin` on. A row that cannot be written is a dead letter."""
        if not isinstance(batch, LineBatch):
            return self._of_rows(batch, begin)
        if batch.records and batch.records[0].offset < begin:  # others have written these: make the rest again
            later = batch.records[bisect_left(offsets_of(batch.records), begin) :]
            return self.arrived(self.evaluate(later), begin)
        offsets, dead = offsets_of(batch.records), batch.dead + batch.refused
        outcomes = bytearray([WRITTEN]) * len(offsets)
        for offset in batch.filtered:
            outcomes[offset - offsets[0] if isinstance(offsets, range) else bisect_left(offsets, offset)] = FILTERED
        return Arrived(batch.groups, offsets, _with_dead(outcomes, offsets, dead), dead)

    def _of_rows(self, batch: RowBatch, begin: int) -> Arrived:
        offsets = offsets_of(batch.records)
        outcomes = bytearray([FILTERED]) * len(offsets)
        groups: dict[GroupName, Lines] = {}
        dead = [letter for letter in batch.dead if letter.record.offset >= begin]
        dead += self.write(batch, groups, begin)
        for lines in groups.values():
            for offset in lines.offsets:
                outcomes[bisect_left(offsets, offset)] = WRITTEN
        first = bisect_left(offsets, begin)
        return Arrived(groups, offsets[first:], _with_dead(outcomes, offsets, dead)[first:], dead)

    def write(self, batch: RowBatch, groups: dict[GroupName, Lines], begin: int = 0) -> list[DeadLetter]:
        """Add the lines of rows to their groups. Returns the dead letters of rows that have no line or no group."""
        refused = []
        line_of, group_of = self._line_of, self.key.group
        for at, (row, origin) in enumerate(zip(batch.rows, batch.origins, strict=True)):
            if origin.offset < begin:
                continue
            try:
                line, group = line_of(row), group_of(row, origin.timestamp)
            except RecordError as error:
                refused.append((at, error))
                continue
            lines_of(groups, group).add(line, origin.offset)
        numbers = batch.numbers() if refused else []
        return [
            DeadLetter(batch.origins[at], error.cause, str(error), batch.makers[at], numbers[at])
            for at, error in refused
        ]


class _Evaluation:
    """The evaluation of one piece of a fetch, up to a limit or a redriven record."""

    def __init__(self, rules: LineRules, columns: Columns, bytes_max: int) -> None:
        self._rules, self._columns, self._bytes_max = rules, columns, bytes_max
        (self._headers,) = columns.part((HEADERS,))
        self._batch = LineBatch(columns, rules.digest, room=bytes_max)
        self._reading = rules.reading if isinstance(columns, SharedColumns) else None
        self._at = 0  # the number of the record to continue with
        self._stretch = STRETCH_RECORDS_MAX  # the number of records in the next stretch
        self._step = 1
        self._since_error = 0  # records that loops have taken

    def whole(self) -> LineBatch:
        """The batch."""
        batch, columns = self._batch, self._columns
        while self._at < len(columns) and batch.room > 0 and not is_redriven(self._headers[self._at]):
            programs = self._programs_of(self._headers[self._at])
            if programs and self._rules.loop_of(programs):
                self._with_loops(programs)
            else:
                self._without_loop(1)
        batch.size_bytes = self._bytes_max - batch.room + LINE_OVERHEAD_BYTES * sum(batch.made.values())
        if self._at < len(columns):
            batch.records, batch.rest = columns[: self._at], columns[self._at :]
        return batch

    def _programs_of(self, headers: Headers) -> Programs | None:
        """The programs that match a record, or None if it is not a message of the ingress."""
        if headers and headers[0][0] == TOPIC and headers[0][1] is not None:
            return self._rules.rules.programs_of[headers[0][1]]
        return None

    def _next_programs(self) -> list[Programs | None]:
        """The same for all records of a stretch, of which nearly all are messages."""
        headers = self._headers[self._at : self._at + self._stretch]
        with suppress(IndexError, AttributeError):  # no headers, or null in them
            topics = list(map(_FIRST, headers))
            if list(map(_FIRST, topics)).count(TOPIC) == len(topics):
                return list(map(self._rules.rules.programs_of.__getitem__, map(_SECOND, topics)))
        return list(map(self._programs_of, headers))

    def _with_loops(self, programs: Programs) -> None:
        """Run the loops of the next records. A record on which one raises goes without."""
        found: list[Any] = self._all_alike(programs) or self._next_programs()
        sets: Sequence[Programs] = [programs]
        if found.count(programs) < len(found):
            found, sets = self._several(found)
        begin, end = self._at, self._at + len(found)
        # All sets together make at most twice as much as there is room for, and none of them stops at once.
        made, left = list[LoopLines](), self._batch.room
        for each in filter(None, sets):
            lines = self._made_by(each, found, begin, end, max(left, self._batch.room // len(sets)))
            made.append(LoopLines(each, lines))
            left -= len(lines.text)
        offsets, timestamps = self._columns.part((OFFSETS, TIMESTAMPS), begin, end)
        taken = self._batch.take(Stretch(self._rules.form, offsets, timestamps, found, made))
        self._at += taken
        self._since_error += taken
        self._stretch = min(2 * taken + 1, STRETCH_RECORDS_MAX)  # few, if loops raise often
        if self._at < end and self._batch.room > 0:  # a loop raised
            self._step = 1 if self._since_error >= SELDOM else min(2 * self._step, STEP_MAX)
            self._since_error = 0
            self._without_loop(self._step)

    def _all_alike(self, programs: Programs) -> list[Programs]:
        """The programs of each record of a stretch, if it is known already that they are the same for all. Otherwise empty."""
        reading, columns = self._reading, self._columns
        end = min(self._at + self._stretch, len(columns))
        if reading is None or not isinstance(columns, SharedColumns):
            return []
        is_known = reading.all_match(columns, self._at, end, self._rules.rules.programs_of)
        return [programs] * (end - self._at) if is_known else []

    def _several(self, found: list[Programs | None]) -> tuple[list[Programs], list[Programs]]:
        """The programs of the first records that loops can take, and the sets of programs among them, each once."""
        sets = {id(each): each for each in found}
        if not all(map(self._has_loop, sets.values())):
            found = list(takewhile(self._has_loop, found))
            sets = {id(each): each for each in found}
        same = {each: each for each in sets.values() if each is not None}
        alike: list[Any] = found
        if len(same) < len(sets):  # two objects for one set: the memory of sets was emptied in between
            alike = [same[each] for each in alike]
        return alike, list(same)

    def _has_loop(self, programs: Programs | None) -> bool:
        """Whether a loop can take these records. Those that no rule matches need none."""
        return programs == () or self._rules.loop_of(programs) is not None

    def _made_by(self, programs: Programs, found: list[Programs], begin: int, end: int, room: int) -> MadeLines:
        """The lines of those records that these programs match, until they have more than `room` bytes."""
        loop = self._rules.loop_of(programs)
        assert loop is not None
        columns, alike = self._columns, found.count(programs) == len(found)
        if alike and (payloads := self._decoded(loop, begin, end)) is not None:
            read = columns.part(loop.of_decoded.reads, begin, end)
            return loop.lines_of_decoded(columns.topic, columns.partition, read, payloads, room)
        read = columns.part(loop.reads, begin, end)
        if not alike:
            mine = [each is programs for each in found]
            read = [list(compress(column, mine)) for column in read]
        return loop.lines(columns.topic, columns.partition, read, room, plain=columns.plain)

    def _decoded(self, loop: Loop, begin: int, end: int) -> list[Any] | None:
        """The payloads of these records, if they are decoded for several actions."""
        reading, columns = self._reading, self._columns
        if reading is None or not isinstance(columns, SharedColumns) or not loop.decodes:
            return None
        return reading.payloads(columns, begin, end) if reading.keys.issuperset(loop.keys) else None

    def _without_loop(self, count: int) -> None:
        """Evaluate the next `count` records, and those up to the next one that has a loop."""
        begin = end = self._at
        while end < len(self._columns) and not is_redriven(self._headers[end]):
            if end - begin >= count and self._rules.loop_of(self._programs_of(self._headers[end])) is not None:
                break
            end += 1
        rows = self._rules.rules.evaluate(self._columns[begin:end], self._batch.room)
        self._at = begin + len(rows.records)
        self._batch.room -= rows.size_bytes
        self._batch.add_rows(rows, self._rules.write(rows, self._batch.groups), offsets_of(rows.records))


def lines_of(groups: dict[GroupName, Lines], group: GroupName) -> Lines:
    """The lines of a group, which are new if it has none."""
    found = groups.get(group)
    if found is None:
        found = groups[group] = Lines()
    return found


def _with_dead(outcomes: bytearray, offsets: Sequence[int], dead: Sequence[DeadLetter]) -> bytes:
    for letter in dead:
        outcomes[bisect_left(offsets, letter.record.offset)] = DEAD
    return bytes(outcomes)
