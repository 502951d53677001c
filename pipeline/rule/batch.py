"""A batch of rows: what the rules of an action have made from the first records of a fetch, and the records that are left."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pipeline.record import Record
from pipeline.redriven import row_of
from pipeline.sql import Row
from pipeline.sql.runtime.circuits import Circuits


@dataclass(slots=True)
class DeadLetter:
    """A record that could not be handled, with the reason. `rule` is empty if no rule is the cause.

    `row` is the number of the row that could not be written, among the rule's rows, or None if the rule made no rows.
    """

    record: Record
    cause: str
    error: str
    rule: str = ""
    row: int | None = None


@dataclass(slots=True)
class RowBatch:
    """The rows of a partition's record batch in order of offset: the rule `makers[i]` made `rows[i]` from `origins[i]`.

    `redriven` are records that were sent again for a rule of this set.
    `rest` are the later records, which are not evaluated yet. `size_bytes` is a high estimate of the memory of rows and
    dead letters. `suspended` are rules that are not tried for a while from now on. `rules` is the digest of the rule
    set that made the rows. By rule id, `matched` counts the records that the rule matched, and `no_result` counts those
    of them without a row.
    """

    records: Sequence[Record]
    rules: str = ""
    rest: Sequence[Record] = ()
    suspended: list[str] = field(default_factory=list)
    size_bytes: int = 0
    rows: list[Row] = field(default_factory=list)
    origins: list[Record] = field(default_factory=list)
    makers: list[str] = field(default_factory=list)
    redriven: list[Record] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    matched: dict[str, int] = field(default_factory=dict)
    no_result: dict[str, int] = field(default_factory=dict)

    @property
    def next_offset(self) -> int:
        """The offset after the batch's last record."""
        return self.records[-1].offset + 1

    @property
    def all_records(self) -> Sequence[Record]:
        """Its records and those that are not evaluated yet."""
        return [*self.records, *self.rest] if self.records and self.rest else self.records or self.rest

    @property
    def rows_by_rule(self) -> Mapping[str, int]:
        """The number of rows of each rule."""
        return Counter(self.makers)

    @property
    def filtered_count(self) -> int:
        """Records without a row and without a dead letter."""
        used = {id(origin) for origin in self.origins}
        used.update([id(letter.record) for letter in self.dead])
        return len(self.records) - len(used)

    def numbers(self) -> list[int]:
        """The number of each row among its rule's rows of the same record."""
        found: list[int] = []
        before, maker_before, number = None, "", 0
        for record, maker in zip(self.origins, self.makers, strict=True):
            number = number + 1 if record is before and maker == maker_before else row_of(record)
            before, maker_before = record, maker
            found.append(number)
        return found

    def without(self, is_out: Callable[[Record, str, int | None], bool]) -> RowBatch:
        """The same batch without some of its rows and dead letters. The function decides by record, rule and row number."""
        numbers = self.numbers()
        kept = [at for at, made in enumerate(zip(self.origins, self.makers, numbers, strict=True)) if not is_out(*made)]
        return replace(
            self,
            rows=[self.rows[at] for at in kept],
            origins=[self.origins[at] for at in kept],
            makers=[self.makers[at] for at in kept],
            dead=[letter for letter in self.dead if not is_out(letter.record, letter.rule, letter.row)],
        )


class Evaluator(Protocol):
    """The rules of an action, which make rows of direct uploads or lines of aggregated ones.

    `digest` says which rules, or which version of an action, made a batch. If they wait for another process, `waits` is
    true, and they should be evaluated in a thread. If short records may take long, `uneven` is true, and few should be given
    at once.
    """

    @property
    def digest(self) -> str: ...

    @property
    def waits(self) -> bool: ...

    @property
    def uneven(self) -> bool: ...

    def evaluate(
        self,
        records: Sequence[Record],
        bytes_max: int = sys.maxsize,
        *,
        circuits: Circuits | None = None,
        ended: Callable[[], bool] | None = None,
    ) -> RowBatch:
        """The rows of the first records, until they take `bytes_max` or `ended` is true."""

    def interrupt(self) -> None:
        """Make an evaluation in a thread end soon. Its result must not be used."""
