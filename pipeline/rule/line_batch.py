"""A batch whose rows are lines already, and how it takes the lines that a loop makes of a stretch of records.

All that is done for each record costs, so a stretch is added as a whole where it can be: if all its rows are of one group.
Otherwise its lines are added one by one, with the same result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from operator import not_
from typing import Any, Final, NamedTuple

from pipeline.errors import RecordError
from pipeline.rule.batch import DeadLetter, RowBatch
from pipeline.rule.rule_set import Programs
from pipeline.sql.loop import LineForm, MadeLines
from pipeline.template.object_key import GroupName
from pipeline.upload.buffer import Lines

# What the name of a group and its three columns take.
GROUP_BYTES: Final = 512


class LoopLines(NamedTuple):
    """What the loop of some programs has made of their records in a stretch, or of fewer if it raised on one of them."""

    programs: Programs
    lines: MadeLines


class Stretch:
    """Records that follow each other, and the lines of all of them. `found`: the programs that match each, perhaps none.

    `marks` has for each record as many items as the rules of any record: None where there is no line.
    """

    def __init__(
        self,
        form: LineForm,
        offsets: Sequence[int],
        timestamps: Sequence[int],
        found: Sequence[Programs],
        made: Sequence[LoopLines],
    ) -> None:
        self.form, self.offsets, self.timestamps, self.found, self.made = form, offsets, timestamps, found, made
        self.rules = max(len(each.programs) for each in made)
        programs, lines = made[0]
        self._alone = lines if len(made) == 1 and found.count(programs) == len(found) else None
        self.marks = self._alone.marks if self._alone else self._merged()
        self.records = len(self.marks) // self.rules

    def _merged(self) -> list[Any]:
        """The lines in the order of their records, up to the first record on which a loop raised."""
        lines_of = {id(programs): self._of_records(lines.each(), len(programs)) for programs, lines in self.made}
        none = self._of_records(repeat(None), self.rules)
        of_records = map(next, [lines_of.get(id(each), none) for each in self.found])
        return list(of_records if self.rules == 1 else chain.from_iterable(of_records))

    def _of_records(self, lines: Iterable[Any], rules: int) -> Iterator[Any]:
        """The lines of one record after the other, with None for those that it has not."""
        if self.rules == 1:
            return iter(lines)
        return zip(*[iter(lines)] * rules, *[repeat(None)] * (self.rules - rules), strict=False)

    def end(self, records: int) -> None:
        """Leave out all but the first records."""
        self.records = records
        if self._alone:
            self._alone = self._alone.begin(records * self.rules)
        self.marks = self.marks[: records * self.rules]

    def until(self, size_bytes: int) -> int:
        """The number of the first records whose lines have this size, or of all if they have less."""
        size = 0
        for number, line in enumerate(self.lines):
            if line is not None:
                size += len(line)
                if size >= size_bytes:
                    return number // self.rules + 1
        return self.records

    @property
    def text(self) -> bytes | bytearray:
        """All lines, unless rows decide the group."""
        return self._alone.text if self._alone else b"".join(filter(None, self.marks))

    @property
    def lines(self) -> list[Any]:
        """The line of each mark, or None. If rows decide the group, a tuple of the line and its group."""
        return self._alone.each() if self._alone else self.marks

    def group(self) -> GroupName | None:
        """The group of all rows, if only the time decides it and all came in one window. None: each may have another."""
        times, interval_ms = self.timestamps, self.form.interval_ms
        if interval_ms is None or min(times) // interval_ms != max(times) // interval_ms:
            return None
        with suppress(RecordError):
            group: GroupName = self.form.group_of({}, times[0])
            return group
        return None


@dataclass(slots=True)
class LineBatch(RowBatch):
    """A batch whose rows are lines already: `rows`, `origins` and `makers` are empty.

    `refused` are dead letters for rows that could not become lines. `filtered` are the offsets of records without a row
    and without a dead letter. `made` counts rows by rule. `room`: the bytes that may still be made.
    """

    groups: dict[GroupName, Lines] = field(default_factory=dict)
    refused: list[DeadLetter] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    room: int = sys.maxsize

    @property
    def rows_by_rule(self) -> Mapping[str, int]:
        """The number of rows of each rule."""
        return self.made

    @property
    def filtered_count(self) -> int:
        """Records without a row and without a dead letter."""
        return len(self.filtered)

    def lines_of(self, group: GroupName) -> Lines:
        """The lines of a group, which are new if it has none."""
        if group not in self.groups:
            self.groups[group] = Lines()
            self.room -= GROUP_BYTES
        return self.groups[group]

    def take(self, stretch: Stretch) -> int:
        """Add the lines of records, until there is no more room. Returns the number of these records."""
        if not self._take_all(stretch):
            stretch.end(self._take_each(stretch))
        found = stretch.found[: stretch.records]
        for programs, of_programs in stretch.made:
            records, rules = found.count(programs), len(programs)
            for number, (rule_id, *_) in enumerate(programs):
                rows = len(list(filter(None, of_programs.marks[number : records * rules : rules])))
                count(self.matched, rule_id, records)
                count(self.no_result, rule_id, records - rows)
                count(self.made, rule_id, rows)
        if not all(stretch.marks):
            of_records = zip(*[iter(stretch.marks)] * stretch.rules, strict=True)
            passed = stretch.marks if stretch.rules == 1 else map(any, of_records)
            self.filtered += compress(stretch.offsets, map(not_, passed))
        return stretch.records

    def _take_all(self, stretch: Stretch) -> bool:
        """Add the lines at once until there is no more room, if they are of one group."""
        if not stretch.records or (group := stretch.group()) is None:
            return False
        text = stretch.text
        if text:
            lines = self.lines_of(group)
            if len(text) >= self.room:
                stretch.end(stretch.until(self.room))
                text = stretch.text
            offsets: Iterable[int] = stretch.offsets[: stretch.records]
            if stretch.rules > 1:
                offsets = chain.from_iterable(zip(*[offsets] * stretch.rules, strict=True))
            lines.add_all(text, compress(offsets, stretch.marks))
            self.room -= len(text)
        return True

    def _take_each(self, stretch: Stretch) -> int:
        """Add lines one by one, until there is no more room, or a row has no group. Returns the number of their records."""
        rules, lines, by_time = stretch.rules, stretch.lines, stretch.form.interval_ms is not None
        last: GroupName | None = None
        add = Lines().add
        for number in range(stretch.records):
            if self.room <= 0:
                return number
            for made in lines[number * rules : (number + 1) * rules]:
                if made is None:
                    continue
                try:
                    line, group = (made, stretch.form.group_of({}, stretch.timestamps[number])) if by_time else made
                except RecordError:  # the same for all rows of the record, so none of them was added
                    return number
                if group is not last:
                    last, add = group, self.lines_of(group).add
                add(line, stretch.offsets[number])
                self.room -= len(line)
        return stretch.records

    def add_rows(self, rows: RowBatch, refused: Sequence[DeadLetter], offsets: Sequence[int]) -> None:
        """Add what the RuleSet has made of the records at `offsets`. Their lines are in `groups`, except `refused` ones."""
        self.dead += rows.dead
        self.refused += refused
        used = {each.offset for each in rows.origins}.union([letter.record.offset for letter in rows.dead])
        self.filtered += [offset for offset in offsets if offset not in used]
        for counts, more in (
            (self.made, rows.rows_by_rule),
            (self.matched, rows.matched),
            (self.no_result, rows.no_result),
        ):
            for rule_id, number in more.items():
                count(counts, rule_id, number)


def count(counts: dict[str, int], rule_id: str, number: int) -> None:
    """Add a number to the count of a rule."""
    if number:
        counts[rule_id] = counts.get(rule_id, 0) + number
