"""What several actions of a worker read of the same records: their payloads are decoded once for all of them.

Five actions on one topic would decode each payload five times. So actions with the same FROM have one `SharedReading`: the keys
of the payload that any of them reads. Whoever comes first to a block of records decodes it with all these keys, and the loops of
the others take the structs in the place of the payloads. A reading also remembers whether the rules match all records of a block.

This makes no difference to any line. A block is not shared if a payload is not a JSON object, or has a list or a map at one of
the keys: each action decodes it with its own keys then, as it would alone. Nobody waits for others: an action that is far behind
them decodes for itself.

Decoded payloads are kept until all have read them, and there is a limit for all of a worker. A list in a short payload could take
thirty times its bytes, so these are not kept. All actions of a worker evaluate in one thread, so there are no locks here.

Pure.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol, overload

import msgspec

from pipeline.columns import HEADERS, VALUES, Columns
from pipeline.record import TOPIC, Record
from pipeline.rule.rule_set import RuleSet
from pipeline.sql.loop import has_loop
from pipeline.sql.runtime.jsontext import DEEP_BYTES_MIN, may_be_deep
from pipeline.sql.runtime.shape import KEYS_MAX, scalars

# Records that are decoded at a time.
BLOCK_RECORDS: Final = 256
# What decoded payloads of a worker may take, by a high estimate. A block that would take much of it is not shared.
DECODED_BYTES_MAX: Final = 32 << 20
BLOCK_BYTES_MAX: Final = DECODED_BYTES_MAX // 4
# The estimate besides the text: for a payload, and for each of its values.
STRUCT_BYTES, VALUE_BYTES = 64, 64

_FIRST: Final = itemgetter(0)


class SharedColumns(Columns):
    """Columns that several actions read. Their parts have the same blocks."""

    __slots__ = ("blocks",)

    def __init__(self, columns: Columns, blocks: Blocks | None = None) -> None:
        self.topic, self.partition, self.plain = columns.topic, columns.partition, columns.plain
        self._columns, self._span = columns._columns, columns._span
        self.blocks = Blocks() if blocks is None else blocks

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> Columns: ...

    def __getitem__(self, at: int | slice) -> Record | Columns:
        found = super().__getitem__(at)
        return SharedColumns(found, self.blocks) if isinstance(found, Columns) else found

    def place(self, number: int) -> int:
        """The number of a record among all that have the same blocks."""
        return self._span.start + number

    def block(self, number: int) -> list[Sequence[Any]]:
        """The values and the headers of all records of a block."""
        here = slice(number * BLOCK_RECORDS, (number + 1) * BLOCK_RECORDS)
        return [self._columns[column][here] for column in (VALUES, HEADERS)]


class Block:
    """Records as a reading has them. `topics`: their topic names, or None if not all are messages.

    `left`: how many records are still to be read, by all actions together.
    """

    __slots__ = ("left", "payloads", "same", "size_bytes", "topics")

    def __init__(self, payloads: list[Any], topics: Sequence[bytes] | None, size_bytes: int, readers: int) -> None:
        self.payloads, self.topics, self.size_bytes = payloads, topics, size_bytes
        self.left = readers * len(payloads)
        self.same: bool | None = None  # whether the rules match all of the records; None while nobody has looked


class Blocks(dict[tuple["SharedReading", int], "Block | None"]):
    """The blocks of some columns, by reading and number. None: this block is not shared."""

    __slots__ = ("__weakref__",)


class Decoded:
    """All decoded payloads of a worker: the oldest are dropped if there are too many bytes of them."""

    def __init__(self, bytes_max: int = DECODED_BYTES_MAX) -> None:
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._kept: dict[Block, tuple[weakref.ref[Blocks], tuple[SharedReading, int]]] = {}

    def keep(self, blocks: Blocks, name: tuple[SharedReading, int], block: Block) -> None:
        """Keep a block until its columns are gone, or until it is dropped."""
        self._kept[block] = weakref.ref(blocks), name
        self.size_bytes += block.size_bytes
        while self.size_bytes > self._bytes_max:
            self.drop(next(iter(self._kept)))

    def drop(self, block: Block) -> None:
        """Keep a block no longer."""
        if kept := self._kept.pop(block, None):
            self.size_bytes -= block.size_bytes
            if (blocks := kept[0]()) is not None:
                blocks.pop(kept[1], None)


class SharedReading:
    """What actions with the same FROM read together. `readers`: their number. `alike`: whether all their rules have this FROM."""

    def __init__(self, keys: frozenset[str], readers: int, decoded: Decoded, *, alike: bool) -> None:
        self.keys = keys
        self._decode, self._readers, self._decoded, self._alike = scalars(keys), readers, decoded, alike

    def payloads(self, columns: SharedColumns, begin: int, end: int) -> list[Any] | None:
        """The decoded payloads of records that the rules match, from number `begin` up to `end`. None: they are not shared."""
        found: list[Any] = []
        at, until = columns.place(begin), columns.place(end)
        while at < until:
            number, first = divmod(at, BLOCK_RECORDS)
            block = self._block(columns, number)
            if block is None:
                return None
            some = block.payloads[first : first + until - at]
            found += some
            at += len(some)
            block.left -= len(some)
            if block.left <= 0:
                self._decoded.drop(block)
        return found

    def all_match(self, columns: SharedColumns, begin: int, end: int, programs_of: Any) -> bool:
        """Whether these are messages that the rules of each action match. `programs_of` are those of one. False: nobody knows."""
        first, last = columns.place(begin) // BLOCK_RECORDS, (columns.place(end) - 1) // BLOCK_RECORDS
        return self._alike and all(self._all_match(columns, each, programs_of) for each in range(first, last + 1))

    def _all_match(self, columns: SharedColumns, number: int, programs_of: Any) -> bool:
        block = self._block(columns, number)
        if block is None:
            return False
        if block.same is None:
            block.same = block.topics is not None and all(map(programs_of.__getitem__, block.topics))
        return block.same

    def _block(self, columns: SharedColumns, number: int) -> Block | None:
        name = self, number
        if name not in columns.blocks:
            columns.blocks[name] = block = self._made(columns, number)
            if block is not None:
                self._decoded.keep(columns.blocks, name, block)
        return columns.blocks[name]

    def _made(self, columns: SharedColumns, number: int) -> Block | None:
        """A block. None if one of its payloads has to be decoded in another way, which says what is wrong with it."""
        values, headers = columns.block(number)
        try:
            size_bytes = sum(map(len, values)) + len(values) * (STRUCT_BYTES + VALUE_BYTES * len(self.keys))
            if size_bytes > BLOCK_BYTES_MAX or not (columns.plain or _are_plain(values)):
                return None
            return Block(list(map(self._decode, values)), _topics_of(headers), size_bytes, self._readers)
        except (msgspec.DecodeError, RecursionError, ValueError, TypeError):  # TypeError: null
            return None


def _are_plain(values: Sequence[bytes]) -> bool:
    """Whether none of the values can nest too deeply. Raises UnicodeDecodeError if one is not valid UTF-8."""
    if not (text := b"\n".join(values)).isascii():
        text.decode()  # what is valid with line breaks in between is valid without
    return not any(len(value) > DEEP_BYTES_MIN and may_be_deep(value) for value in values)


def _topics_of(headers: Sequence[Any]) -> Sequence[bytes] | None:
    """The topic names of messages, or None if not all are messages of the ingress."""
    try:
        names, topics = zip(*map(_FIRST, headers), strict=True)
    except IndexError:  # without headers
        return None
    return topics if names.count(TOPIC) == len(names) and None not in topics else None


class SharingRules(Protocol):
    """The rules of an action that may share a reading."""

    rules: RuleSet
    reading: SharedReading | None


def share(actions: Iterable[SharingRules], decoded: Decoded) -> None:
    """Let these actions of a worker share readings, and no others."""
    by_from: dict[frozenset[str], list[SharingRules]] = {}
    for each in actions:
        each.reading = None
        if _looped_keys(each.rules):
            by_from.setdefault(frozenset(each.rules.topics), []).append(each)
    for topics, several in by_from.items():
        keys = frozenset[str]().union(*(_looped_keys(each.rules) for each in several))
        if len(several) > 1 and len(keys) <= KEYS_MAX:
            alike = all(frozenset(program.topics) == topics for each in several for program in each.rules.programs)
            reading = SharedReading(keys, len(several), decoded, alike=alike)
            for each in several:
                each.reading = reading


def _looped_keys(rules: RuleSet) -> frozenset[str]:
    """The keys of the payload that rules with a loop read."""
    return frozenset[str]().union(*(each.keys for each in rules.programs if has_loop([each])))
