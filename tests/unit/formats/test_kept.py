"""Kept columns: the objects of one partition have the same columns with the same types."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import kept, row_texts
from pipeline.formats.container import Container, Inference
from pipeline.formats.kept import NO_COLUMNS, KeptColumn, KeptColumns, joined
from tests.parts.containers import build

PARQUET = build({"type": "parquet"})
TEMP, OK, NOTE = KeptColumn("temp", "double"), KeptColumn("ok", "boolean"), KeptColumn("note", "string")
KEPT = (TEMP, OK, NOTE)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.floats(-9, 9), st.text(max_size=2), st.just([1]))
ROWS = st.lists(st.dictionaries(st.sampled_from("abcde"), VALUES, min_size=1), min_size=1, max_size=4)


def inferred(container: Container = PARQUET) -> Inference:
    assert container.inference is not None
    return container.inference


def lines_of(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(map(PARQUET.line, rows))


def made(rows: list[dict[str, Any]], columns: KeptColumns = KEPT) -> pa.Table:
    """The object of these rows with these kept columns."""
    lines = lines_of(rows)
    return pq.read_table(io.BytesIO(inferred().encode(lines, inferred().columns(lines, columns))))


def types(table: pa.Table) -> dict[str, str]:
    return {field.name: str(field.type) for field in table.schema}


KEPT_TYPES = {"temp": "double", "ok": "bool", "note": "string"}
RESCUED = {"_rescued_data": "string"}


@pytest.mark.parametrize(
    ("rows", "new", "found"),
    [
        ([{"temp": 21, "ok": True, "note": "x"}], {}, [21.0, True, "x"]),
        ([{"note": "x"}], {}, [None, None, "x"]),
        ([{"ok": None, "temp": None}], {}, [None, None, None]),
        ([{"note": 1.5}], {}, [None, None, "1.5"]),
        ([{"note": {"a": [1]}}], {}, [None, None, '{"a":[1]}']),
        ([{"new": 1, "temp": 1, "null": None}], {"new": "double"}, [1.0, None, None, 1.0]),
        ([{"temp": "high", "note": "x"}], RESCUED, [None, None, "x", '{"temp":"high"}']),
        ([{"temp": "high"}, {"temp": 21}], RESCUED, [None, None, None, '{"temp":"high"}', 21.0, None, None, None]),
        ([{"ok": 1, "temp": [True]}], RESCUED, [None, None, None, '{"temp":[true],"ok":1}']),
        ([{"temp": 1, "_rescued_data": "x"}], RESCUED, [1.0, None, None, '{"_rescued_data":"x"}']),
    ],
)
def test_an_object_has_the_kept_columns_first(
    rows: list[dict[str, Any]], new: dict[str, str], found: list[Any]
) -> None:
    """Always with their types: missing ones are nulls, and values of another kind are in a column of their own, as JSON."""
    table = made(rows)

    assert list(types(table).items()) == list({**KEPT_TYPES, **new}.items())
    assert [value for row in table.to_pylist() for value in row.values()] == found


def test_a_row_of_nulls_alone_settles_no_type() -> None:
    """Its column is a string in this object, because a file needs a column, and has a type only when a value comes."""
    lines = lines_of([{"temp": None}])

    assert inferred().columns(lines, NO_COLUMNS) == ()
    assert types(made([{"temp": None}], NO_COLUMNS)) == {"temp": "string"}
    assert inferred().columns(lines_of([{"temp": 1}]), NO_COLUMNS) == (TEMP,)


def test_the_first_type_stays() -> None:
    """One message of one device does not turn a column into text for the objects after it."""
    odd = inferred().columns(lines_of([{"temp": "high", "new": True}]), KEPT)

    assert joined(KEPT, odd) == (*KEPT, KeptColumn("new", "boolean"), KeptColumn("_rescued_data", "string"))


def without_nulls(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def values_in(row: dict[str, Any]) -> dict[str, str]:
    """The values of a row of a table as texts, rescued ones in their columns."""
    rescued = json.loads(row.get("_rescued_data") or "{}")
    return {name: text_of(value) for name, value in {**row, **rescued}.items() if name != "_rescued_data"}


def text_of(value: Any) -> str:
    """A value as a column of any type would have it: 1, 1.0 and "1" are the same."""
    text = value if type(value) is str else json.dumps(value, separators=(",", ":"))
    try:
        return repr(float(text))
    except ValueError:
        return text


@given(st.lists(ROWS, min_size=1, max_size=6))
def test_objects_of_one_partition_are_read_together(objects: list[list[dict[str, Any]]]) -> None:
    """Whatever rows come: no type changes, tables concatenate without a conversion, and each value is there."""
    columns, tables = NO_COLUMNS, []
    for rows in objects:
        of_file = inferred().columns(lines_of(rows), columns)
        if of_file:
            tables.append(made(rows, columns))
            assert of_file[: len(columns)] == columns
            columns = joined(columns, of_file)
    if not tables:
        return
    whole = pa.concat_tables(tables, promote_options="default")
    given_rows = [row for rows in objects for row in without_nulls(rows)]

    assert types(whole) == {name: {"boolean": "bool"}.get(kind, kind) for name, kind in columns}
    found = [values_in(row) for row in without_nulls(whole.to_pylist())]
    expected = [{name: text_of(value) for name, value in row.items()} for row in given_rows]
    assert [row for row in found if row] == [row for row in expected if row]


def test_what_devices_can_add_is_bounded() -> None:
    """So many columns with so many bytes of names are kept. A later one with a short name may still have room."""
    many = tuple(KeptColumn(f"c{number}", "double") for number in range(10_000))
    long = tuple(KeptColumn(letter * 6000, "double") for letter in "abé")

    assert joined(NO_COLUMNS, many) == many[: kept.COLUMNS_MAX]
    assert joined(many[: kept.COLUMNS_MAX], many) == many[: kept.COLUMNS_MAX]
    assert joined(long[:2], (long[2], TEMP, TEMP)) == (*long[:2], TEMP)
    assert joined(KEPT, (NOTE, TEMP)) is KEPT


def test_columns_beyond_the_bounds_are_in_their_object() -> None:
    """With the type of this object, as if nothing were kept."""
    full = tuple(KeptColumn(f"c{number}", "double") for number in range(kept.COLUMNS_MAX))

    table = made([{"more": True}], full)

    assert types(table)["more"] == "bool"
    assert table.num_columns == kept.COLUMNS_MAX + 1


def test_rows_are_the_same_with_and_without_kept_columns() -> None:
    """An orphan that was made with fewer columns is compared with the object of the ledger that has its rows."""
    rows = [{"temp": 1.5, "new": "x"}, {"temp": None, "new": "y"}]
    lines = lines_of(rows)
    contents = [inferred().encode(lines, inferred().columns(lines, columns)) for columns in (NO_COLUMNS, KEPT)]
    first, second = (
        row_texts(content, {"container": {"type": "parquet"}, "compression": "none"}) for content in contents
    )

    assert first == second
    assert len(set(first)) == 2
