"""The number of columns of an object is bounded, whatever names devices invent, and no value is lost."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.formats import widths
from pipeline.formats.widths import COLUMNS_MAX, RESCUED, most_used
from tests.parts.containers import build

USUAL = {"temp": 21, "site": "a"}
INVENTED = {f"x{number}": number for number in range(3 * COLUMNS_MAX)}
ROWS = [INVENTED, USUAL, USUAL]


def made(kind: str, rows: list[dict[str, Any]], **settings: Any) -> list[dict[str, Any]]:
    """The rows of an object, as another library reads them."""
    container = build({"type": kind, **settings})
    content = container.encode(b"".join(map(container.line, rows)))
    if kind == "parquet":
        found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
        return found
    csv.field_size_limit(1 << 20)
    return list(csv.DictReader(io.StringIO(content.decode(errors="surrogateescape"), newline="")))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_invented_names_are_rescued_and_not_lost(kind: str) -> None:
    """The columns of most rows stay, although the row with the invented names came first."""
    hostile, *others = made(kind, ROWS)
    rescued = json.loads(hostile[RESCUED])

    assert len(hostile) == COLUMNS_MAX + 1
    assert [str(each["temp"]) for each in others] == (["21"] * 2 if kind == "csv" else ["21.0"] * 2)
    assert {each["site"] for each in others} == {"a"}
    assert not any(each[RESCUED] for each in others)
    whole = {name: value for name, value in {**hostile, **rescued}.items() if name in INVENTED}
    assert {name: int(float(value)) for name, value in whole.items()} == INVENTED


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_own_field_of_that_name_is_rescued_with_the_others(kind: str) -> None:
    """It is not taken for rescued values."""
    rows = made(kind, [*ROWS, {**USUAL, RESCUED: "mine"}])

    assert json.loads(rows[-1][RESCUED]) == {RESCUED: "mine"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_as_many_columns_as_allowed_have_no_other(kind: str) -> None:
    """At the limit nothing is rescued."""
    rows = made(kind, [{f"x{number}": 1 for number in range(COLUMNS_MAX)}])

    assert len(rows[0]) == COLUMNS_MAX
    assert RESCUED not in rows[0]


def test_declared_columns_of_csv_stay() -> None:
    """All of them, in their order, also one that is called as the last one."""
    row = made("csv", [INVENTED], column_order=["b", RESCUED, "a"])[0]

    assert list(row)[:3] == ["b", RESCUED, "a"]
    assert len(row) == COLUMNS_MAX
    assert len(json.loads(row[RESCUED])) == len(INVENTED) - (COLUMNS_MAX - 3)


def test_bytes_that_are_not_text_are_rescued_too() -> None:
    """As JSON has them."""
    row = made("csv", [{**INVENTED, "z": b"\xff"}])[0]

    assert json.loads(row[RESCUED])["z"] == "\udcff"


def test_nulls_alone_make_few_columns() -> None:
    """A device that sends only nulls."""
    assert len(made("parquet", [dict.fromkeys(INVENTED)])[0]) == COLUMNS_MAX


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_message_does_not_make_an_object_take_all_memory(kind: str) -> None:
    """Five thousand names once, and many short rows."""
    container = build({"type": kind})
    lines = container.line(INVENTED) + container.line({"a": 1}) * 20_000
    tracemalloc.start()

    content = container.encode(lines)

    assert len(content) < 25 << 20
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_names_that_are_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound, names do not count; of equal ones the first stay."""
    monkeypatch.setattr(widths, "NAMES_MAX", 4)

    assert most_used([["a", "b"], ["c", "d", "e", "e"], ["b", "e"]], 3) == ["a", "b", "c"]
