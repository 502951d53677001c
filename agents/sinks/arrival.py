"""Converts a row batch for an aggregated lane: lines by group, and the outcome of each record.

This is the hot path of aggregated upload: it makes one pass over the rows and keeps nothing that is not needed. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from pipeline.action import AggregatedAction
from pipeline.errors import RecordError
from pipeline.rule import DeadLetter, RowBatch
from pipeline.sql import Row
from pipeline.template.object_key import GroupName
from pipeline.upload.cut import GroupRows
from pipeline.upload.outcomes import DEAD, WRITTEN


class ArrivedRows(NamedTuple):
    """A converted batch. `outcomes[i]` is the outcome of the record at `offsets[i]`."""

    groups: dict[GroupName, GroupRows]
    offsets: Sequence[int]
    outcomes: bytes
    dead: list[DeadLetter]


def arrival(batch: RowBatch, begin: int, version: AggregatedAction) -> ArrivedRows:
    """Convert the part of a batch from offset `begin` on, which must not be empty.

    A row that cannot be written is a dead letter.
    """
    records, line_of, group_of = batch.records, version.container.line, version.key.group
    if not records:
        return ArrivedRows({}, (), b"", [])
    outcomes = bytearray(len(records))
    dead = [letter for letter in batch.dead if letter.record.offset >= begin]
    groups: dict[GroupName, GroupRows] = {}
    last: GroupName | None = None  # the group of the previous row, which most rows share
    lines: list[bytes] = []
    offsets: list[int] = []
    refused: list[tuple[Row, DeadLetter]] = []
    at = 0
    for row, origin in zip(batch.rows, batch.origins, strict=True):
        offset = origin.offset
        if offset < begin:
            continue
        while records[at] is not origin:
            at += 1
        try:
            line = line_of(row)
            group = group_of(row, origin.timestamp)
        except RecordError as error:
            refused.append((row, DeadLetter(origin, error.cause, str(error))))
            continue
        outcomes[at] = WRITTEN
        if group is not last:
            last, (lines, offsets) = group, groups.setdefault(group, GroupRows([], []))
        lines.append(line)
        offsets.append(offset)
    dead += _named(batch, refused)
    return ArrivedRows(groups, *_outcomes(batch, begin, outcomes, dead), dead)


def _named(batch: RowBatch, refused: list[tuple[Row, DeadLetter]]) -> Iterator[DeadLetter]:
    """The dead letters of these rows, in order of the batch, with their rule and number."""
    numbers = batch.numbers() if refused else []
    at = 0
    for row, letter in refused:
        while batch.rows[at] is not row or batch.origins[at] is not letter.record:
            at += 1
        yield replace(letter, rule=batch.makers[at], row=numbers[at])
        at += 1


def _outcomes(batch: RowBatch, begin: int, outcomes: bytearray, dead: list[DeadLetter]) -> tuple[Sequence[int], bytes]:
    """Offsets and outcomes of the records from `begin` on."""
    records = batch.records
    offsets: Sequence[int] = range(records[0].offset, batch.next_offset)
    if len(offsets) != len(records):  # offsets without records: compacted, or markers of transactions
        offsets = [record.offset for record in records]
    for letter in dead:
        outcomes[offsets.index(letter.record.offset)] = DEAD
    skipped = bisect_left(offsets, begin)
    return offsets[skipped:], bytes(outcomes[skipped:])
