"""Objects of rows that have few of many columns, as a hundred rules of one action make them."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pyarrow.parquet as pq
import pytest

from pipeline.formats import parquet
from tests.parts.containers import build
from tests.parts.memory import traced

WIDE = {f"x{number:04}": number for number in range(3000)}
NARROW = {"a": 1, "b": "text"}


def test_columns_that_rows_lack_take_no_memory_in_python() -> None:
    """Sixty million places without a value."""
    container = build({"type": "parquet"})
    lines = container.line(NARROW) * 10_000 + container.line(WIDE) + container.line(NARROW) * 10_000

    with traced():
        content = container.encode(lines)
        peak = tracemalloc.get_traced_memory()[1]

    assert peak < 100 << 20
    found = pq.read_table(io.BytesIO(content), columns=["a", "b", "x0007"])
    assert found.num_rows == 20_001
    assert [found[name].null_count for name in ("a", "b", "x0007")] == [1, 1, 20_000]
    assert found["x0007"][10_000].as_py() == 7


def test_rows_are_the_same_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows are converted together."""
    container = build({"type": "parquet"})
    lines = b"".join(map(container.line, [NARROW, WIDE, {"a": "text"}, NARROW, {"c": None}]))
    whole = pq.read_table(io.BytesIO(container.encode(lines))).to_pylist()
    monkeypatch.setattr(parquet, "CELLS_MAX", 1)

    assert pq.read_table(io.BytesIO(container.encode(lines))).to_pylist() == whole


def test_cells_of_csv_are_in_their_columns() -> None:
    """Each row has its cells, and empty ones."""
    container = build({"type": "csv", "column_order": ["b"]})
    content = container.encode(b"".join(map(container.line, [NARROW, WIDE])))
    narrow, wide = csv.DictReader(io.StringIO(content.decode(), newline=""))

    assert {name: cell for name, cell in narrow.items() if cell} == {"a": "1", "b": "text"}
    assert {name: cell for name, cell in wide.items() if cell} == {name: str(value) for name, value in WIDE.items()}
    assert list(narrow) == ["b", "a", *WIDE]
