"""Parquet with inferred columns: the objects of one action can be read together."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import EncodeError
from tests.parts.containers import build, encoded

PARQUET = {"type": "parquet"}
ROWS = [{"a": 1, "b": "x"}, {"b": "y", "c": None}]


def table(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        ([True, None], "bool", [True, None]),
        ([1, -(2**53)], "double", [1.0, -(2.0**53)]),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([1, "x", None], "string", ["1", "x", None]),
        ([True, 1], "string", ["true", "1"]),
        ([2**60, 0.5], "double", [2.0**60, 0.5]),
        ([2**64], "double", [2.0**64]),
        ([{"a": [1]}, [2]], "string", ['{"a":[1]}', "[2]"]),
        ([None], "string", [None]),
    ],
)
def test_inferred_columns_fit_all_their_values(values: list[Any], kind: str, found: list[Any]) -> None:
    """A column of numbers is one of doubles, and what has several kinds is text."""
    content = encoded(build(PARQUET), [{"v": each} for each in values])

    assert str(pq.read_schema(io.BytesIO(content)).field("v").type) == kind
    assert [row["v"] for row in table(content)] == found


@pytest.mark.parametrize("value", [2**53 + 1, -(2**63) + 1, 1708671600123456789, 10**400])
def test_an_integer_that_a_double_cannot_hold_is_refused_without_a_schema(value: int) -> None:
    """An object of integers beside one of doubles would be read with other values, and without an error."""
    with pytest.raises(EncodeError, match=r"column v: .*declare a schema, or write str\(v\)"):
        build(PARQUET).line({"v": value})

    assert build(PARQUET).line({"v": {"n": value}})


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([{"v": 21}], [{"v": 21.5}], [21.0, 21.5]),
        ([{"v": 21}], [{"v": None, "n": 1}], [21.0, None]),
        ([{"v": True}], [{"v": None, "n": 1}], [True, None]),
        ([{"v": "x"}], [{"v": None}, {"n": 1}], ["x", None, None]),
        ([{"v": {"a": 1}}], [{"v": [1.5]}], ['{"a":1}', "[1.5]"]),
        ([{"v": {"a": 1}}], [{"v": "x"}], ['{"a":1}', "x"]),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_objects_with_inferred_columns_are_read_together(one: Any, other: Any, found: list[Any], turned: bool) -> None:
    """The types agree in every order of the objects: nothing has to be converted, and no value changes."""
    contents = [encoded(build(PARQUET), rows) for rows in ((other, one) if turned else (one, other))]
    whole = pa.concat_tables([pq.read_table(io.BytesIO(each)) for each in contents], promote_options="default")

    assert sorted(map(str, whole["v"].to_pylist())) == sorted(map(str, found))


def test_rows_may_lack_inferred_columns() -> None:
    """A row without a column has null there, a column of nulls alone is left out, and an empty row is refused."""
    assert table(encoded(build(PARQUET), ROWS)) == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    with pytest.raises(EncodeError, match="no column"):
        build(PARQUET).line({})
