"""Kept columns: columns of inferred Parquet that each later object of a partition has too, with the type that they had first.

The ledger names them, in the order in which they came. Devices choose the names, so their number and bytes are bounded. Columns
beyond the bounds are only in objects whose rows have them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COLUMNS_MAX: Final = 256  # a column of nulls alone takes about 130 bytes of an object
NAMES_BYTES_MAX: Final = 16 << 10  # of all names together, in UTF-8
TYPES: Final = ("boolean", "double", "string")


class KeptColumn(NamedTuple):
    """A column by its name. `type` is one of TYPES."""

    name: str
    type: str


KeptColumns = tuple[KeptColumn, ...]
NO_COLUMNS: Final[KeptColumns] = ()


def joined(kept: KeptColumns, found: KeptColumns) -> KeptColumns:
    """The kept columns, and after them the found ones that are new and have room. A kept type stays."""
    names = {column.name for column in kept}
    if all(column.name in names for column in found):
        return kept
    more, size_bytes = list(kept), sum(len(name.encode()) for name in names)
    for column in found:
        more_bytes = size_bytes + len(column.name.encode())
        if column.name not in names and len(more) < COLUMNS_MAX and more_bytes <= NAMES_BYTES_MAX:
            more.append(column)
            names.add(column.name)
            size_bytes = more_bytes
    return tuple(more)
