"""How many columns an object of CSV, or of Parquet with inferred columns, may have.

Such an object has a place for each of its columns in each of its rows. Devices may invent names: one message with five thousand
of them would make an object of 100,000 rows take gigabytes. So an object has at most COLUMNS_MAX columns. The values of all
others are in the column RESCUED, as one JSON object for each row that has any.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

COLUMNS_MAX: Final = 1000  # with declared and kept ones
NAMES_MAX: Final = 1 << 16  # names that are counted: each takes about 150 bytes
RESCUED: Final = "_rescued_data"  # the name that Databricks gives to a column for values that do not fit theirs


def most_used(rows: Iterable[Iterable[str]], columns_max: int) -> list[str]:
    """The names that most rows have, in the order of their first appearance. Of names that are after NAMES_MAX others, none."""
    counts: dict[str, int] = {}
    for names in rows:
        for name in names:
            if name in counts:
                counts[name] += 1
            elif len(counts) < NAMES_MAX:
                counts[name] = 1
    chosen = set(sorted(counts, key=counts.__getitem__, reverse=True)[:columns_max])  # of equal ones, the first
    return [name for name in counts if name in chosen]
