"""The tables of aliases by node and device: what each last birth said. Bounded in bytes: the oldest table is dropped first.

Several processes may write tables of one source to Kafka. There the last one counts, and so it must here: while a table of our
own is on its way into Kafka, those that come from there are older.

Pure: the caller brings bytes, and writes what `learn` returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import orjson

from ingress.sparkplug.payload import Metric

TABLE_BYTES_MAX: Final = 900_000  # of one table in Kafka, whose brokers take a megabyte by default
TABLES_BYTES_MAX: Final = 64 << 20
ENTRY_BYTES: Final = 250  # memory of an alias or a table besides its text
NAME_BYTES_MAX: Final = 1024
# Of the names that one message gets. spb_decode gives no more either.
NAMES_BYTES_MAX: Final = 1 << 20


class BirthName(NamedTuple):
    """What a birth says of an alias."""

    name: str
    datatype: int | None


class _Table(NamedTuple):
    names: dict[int, BirthName]
    size_bytes: int


class Tables:
    """The tables of one source, by the owner of the aliases."""

    def __init__(self, bytes_max: int = TABLES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._tables: dict[bytes, _Table] = {}
        self._ours: dict[bytes, int] = {}  # owners whose newest table is on its way into Kafka, and its number
        self._number = 0
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._tables)

    def learn(self, owner: bytes, metrics: Iterable[Metric]) -> tuple[bytes, int] | None:
        """Take a birth. Returns the table for Kafka and its number, or None if Kafka has it already."""
        names = _names(metrics)
        known = self._tables.get(owner)
        if known is not None and known.names == names and owner not in self._ours:
            return None
        text = orjson.dumps([[alias, *named] for alias, named in names.items()])
        self._keep(owner, names, len(text))
        self._number += 1
        self._ours[owner] = self._number
        return text, self._number

    def told(self, owner: bytes, text: bytes, number: int | None) -> None:
        """Take a table from Kafka. `number`: it is our own table of that number. Raises ValueError if it cannot be read."""
        if number is not None:
            if self._ours.get(owner) == number:
                del self._ours[owner]
        elif owner not in self._ours:
            self._keep(owner, _read(text), len(text))

    def names(self, owner: bytes, metrics: Iterable[Metric]) -> tuple[dict[str, BirthName], int]:
        """What metrics without a name are called, by alias, and the number of metrics whose name is unknown."""
        known = self._tables[owner].names if owner in self._tables else {}
        found: dict[str, BirthName] = {}
        unknown = size_bytes = 0
        for metric in metrics:
            if metric.name:
                continue
            named = known.get(metric.alias)
            size_bytes += len(named.name) if named is not None else 0
            if named is None or size_bytes > NAMES_BYTES_MAX:
                unknown += 1
            else:
                found[str(metric.alias)] = named
        return found, unknown

    def _keep(self, owner: bytes, names: dict[int, BirthName], text_bytes: int) -> None:
        old = self._tables.pop(owner, None)
        if old is not None:
            self.size_bytes -= old.size_bytes
        size_bytes = len(owner) + text_bytes + ENTRY_BYTES * (1 + len(names))
        self._tables[owner] = _Table(names, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self._bytes_max:
            oldest = next(iter(self._tables))
            self.size_bytes -= self._tables.pop(oldest).size_bytes


def _names(metrics: Iterable[Metric]) -> dict[int, BirthName]:
    """The table of a birth. An alias with two different names has none, because each of them may be wrong."""
    found: dict[int, BirthName] = {}
    ambiguous: set[int] = set()
    size_bytes = 2
    for alias, name, datatype in metrics:
        if not name or len(name.encode()) > NAME_BYTES_MAX:
            continue
        if alias in found:
            if found[alias].name != name:
                ambiguous.add(alias)
            continue
        size_bytes += len(orjson.dumps(name)) + 40  # an alias and a type have at most 30 digits
        if size_bytes > TABLE_BYTES_MAX:
            break
        found[alias] = BirthName(name, datatype)
    return {alias: named for alias, named in found.items() if alias not in ambiguous}


def _read(text: bytes) -> dict[int, BirthName]:
    """A table as Kafka has it. Raises ValueError."""
    if len(text) > TABLE_BYTES_MAX:
        raise ValueError(f"expected a table of at most {TABLE_BYTES_MAX} bytes, found {len(text)}")
    found = {}
    for alias, name, datatype in orjson.loads(text):
        if type(alias) is not int or type(name) is not str or type(datatype) not in (int, type(None)):
            raise ValueError("expected [alias, name, datatype], found other types")
        found[alias] = BirthName(name, datatype)
    return found
