"""The rules of an aggregated action: they make lines of groups from a fetch, without rows in between where they can.

Most records go through a loop (pipeline/sql/loop.py), one for each set of rules that match the same topics. The others
(client events, FOREACH, all that a loop cannot do without an error) are evaluated by the RuleSet, and their rows become
lines in the same order. Which way a record takes makes no difference to its lines, outcomes and counts.

Redriven dead letters stay rows, because their lane asks the ledger which of these rows count. So a batch of lines ends
before such a record, and the next batch is of rows.

Pure, as the rules are.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, NamedTuple

from pipeline.columns import Columns, Fields, offsets_of
from pipeline.errors import RecordError
from pipeline.formats import Container
from pipeline.record import TOPIC, Record
from pipeline.redriven import is_redriven
from pipeline.rule.batch import DeadLetter, RowBatch
from pipeline.rule.rule_set import Programs, RuleSet
from pipeline.sql.loop import LineForm, Loop, Target, has_loop, loop_of
from pipeline.sql.runtime.circuits import Circuits
from pipeline.template.object_key import GroupName, KeyTemplate
from pipeline.upload.buffer import ROW_OVERHEAD_BYTES, Lines
from pipeline.upload.outcomes import DEAD, FILTERED, WRITTEN

# Statements in all loops of one action: to compile one takes a millisecond. Records of further sets of rules have no loop.
STATEMENTS_MAX: Final = 500
# A loop that raises on one record is entered again behind it. If it raises often, it is entered again behind more records, up to
# STEP_MAX, because whoever sends such records must not make them dear. It raises seldom if so many records come in between.
STEP_MAX: Final = 256
SELDOM: Final = 32


class Arrived(NamedTuple):
    """Lines for the lane: by group, and the outcome of the record at each of the offsets."""

    groups: dict[GroupName, Lines]
    offsets: Sequence[int]
    outcomes: bytes
    dead: list[DeadLetter]


@dataclass(slots=True)
class LineBatch(RowBatch):
    """A batch whose rows are lines already: `rows`, `origins` and `makers` are empty.

    `refused` are dead letters for rows that could not become lines. `filtered` are the offsets of records without a row
    and without a dead letter. `made` counts rows by rule.
    """

    groups: dict[GroupName, Lines] = field(default_factory=dict)
    refused: list[DeadLetter] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)

    @property
    def rows_by_rule(self) -> Mapping[str, int]:
        """The number of rows of each rule."""
        return self.made

    @property
    def filtered_count(self) -> int:
        """Records without a row and without a dead letter."""
        return len(self.filtered)


class LineRules:
    """The rules, the container and the key template of an aggregated action. `digest` is the digest of its version."""

    def __init__(self, rules: RuleSet, container: Container, key: KeyTemplate, digest: str) -> None:
        self.rules, self.key, self.digest = rules, key, digest
        self._line_of = container.line
        self._form = LineForm(*container.line_code, key.group, key.window_ms)
        self._loops: dict[tuple[str, ...], Loop | None] = {}
        self._statements = 0
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

    def loop_of(self, programs: Programs) -> Loop | None:
        """The loop for records that these programs match, or None if they have none."""
        name = tuple([each.rule_id for each in programs])
        if name not in self._loops:
            if self._statements + len(programs) > STATEMENTS_MAX:
                return None
            self._statements += len(programs)
            self._loops[name] = self._made(programs)
        return self._loops[name]

    def _made(self, programs: Programs) -> Loop | None:
        named = [(each.rule_id, each.program) for each in programs]
        if not programs or not has_loop([program for _, program in named]):
            return None
        return loop_of(
            named, self._form, node=self.rules.node, columns=self.rules.columns, columns_of=self.rules.columns_of
        )[0]

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
        self._rules, self._columns, self._offsets = rules, columns, columns.offsets
        self._batch = LineBatch(columns, rules.digest)
        self._room = self._bytes_max = bytes_max
        self._step = 1
        self._targets = Targets(self._batch.groups)
        self._go_to(0)

    def whole(self) -> LineBatch:
        """The batch."""
        while self._at is not None and self._room > 0 and not is_redriven(self._at[-1]):
            programs = self._programs()
            loop = self._rules.loop_of(programs)
            if loop is None:
                self._without_loop(1)
            else:
                self._with_loop(loop, programs)
        batch, columns = self._batch, self._columns
        batch.size_bytes = self._bytes_max - self._room + ROW_OVERHEAD_BYTES * sum(batch.made.values())
        if self._at is not None:
            done = bisect_left(self._offsets, self._at[0])
            batch.records, batch.rest = columns[:done], columns[done:]
        return batch

    def _go_to(self, number: int) -> None:
        """Continue with the record of this number."""
        self._fields = self._columns[number:].fields()
        self._at: Fields | None = next(self._fields, None)  # the record to continue with

    def _programs(self) -> Programs:
        """The programs that match the next record, if it is a message of the ingress."""
        assert self._at is not None
        headers = self._at[-1]
        if headers and headers[0][0] == TOPIC and headers[0][1] is not None:
            return self._rules.rules.programs_of[headers[0][1]]
        return ()

    def _with_loop(self, loop: Loop, programs: Programs) -> None:
        """Run the loop of the next record, until a record that is not for it."""
        columns, batch, at = self._columns, self._batch, self._at
        assert at is not None
        left = loop(
            chain((at,), self._fields), columns.topic, columns.partition, programs,
            self._rules.rules.programs_of, self._targets, batch.filtered.append, self._room,
        )  # fmt: skip
        self._room = left.room
        begin, end = bisect_left(self._offsets, at[0]), bisect_left(self._offsets, left.offset) + left.taken
        matched = end - begin - left.unmatched
        for (rule_id, *_), without in zip(programs, left.without, strict=True):
            _count(batch.matched, rule_id, matched)
            _count(batch.no_result, rule_id, without)
            _count(batch.made, rule_id, matched - without)
        if left.taken:
            self._at = next(self._fields, None)
            return
        self._at = next(columns[end : end + 1].fields())  # the iterator is behind this record
        if self._programs() is programs:  # on which the loop raises
            self._step = 1 if end - begin >= SELDOM else min(2 * self._step, STEP_MAX)
            self._without_loop(self._step)

    def _without_loop(self, count: int) -> None:
        """Evaluate the next `count` records, and those up to the next one that has a loop."""
        columns = self._columns
        begin = end = bisect_left(self._offsets, self._at[0]) if self._at else 0
        while self._at is not None and not is_redriven(self._at[-1]):
            if end - begin >= count and self._rules.loop_of(self._programs()) is not None:
                break
            end += 1
            self._at = next(self._fields, None)
        batch = self._rules.rules.evaluate(columns[begin:end], self._room)
        self._room -= batch.size_bytes
        self._add(batch)
        if batch.rest:
            self._go_to(begin + len(batch.records))

    def _add(self, rows: RowBatch) -> None:
        """Add what the RuleSet has made."""
        batch = self._batch
        batch.dead += rows.dead
        batch.refused += self._rules.write(rows, batch.groups)
        used = {each.offset for each in rows.origins}.union([letter.record.offset for letter in rows.dead])
        batch.filtered += [offset for offset in offsets_of(rows.records) if offset not in used]
        for counts, more in (
            (batch.made, rows.rows_by_rule),
            (batch.matched, rows.matched),
            (batch.no_result, rows.no_result),
        ):
            for rule_id, count in more.items():
                _count(counts, rule_id, count)


class Targets(dict[GroupName, Target]):
    """Where the lines of each group go."""

    def __init__(self, groups: dict[GroupName, Lines]) -> None:
        super().__init__()
        self._groups = groups

    def __missing__(self, group: GroupName) -> Target:
        lines = lines_of(self._groups, group)
        found = self[group] = Target(lines.data, lines.ends.append, lines.offsets.append)
        return found


def lines_of(groups: dict[GroupName, Lines], group: GroupName) -> Lines:
    """The lines of a group, which are new if it has none."""
    found = groups.get(group)
    if found is None:
        found = groups[group] = Lines()
    return found


def _count(counts: dict[str, int], rule_id: str, number: int) -> None:
    if number:
        counts[rule_id] = counts.get(rule_id, 0) + number


def _with_dead(outcomes: bytearray, offsets: Sequence[int], dead: Sequence[DeadLetter]) -> bytes:
    for letter in dead:
        outcomes[bisect_left(offsets, letter.record.offset)] = DEAD
    return bytes(outcomes)
