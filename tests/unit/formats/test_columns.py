"""Columns that an Avro schema declares: which values each takes, at the edges of its type, and what Arrow gets of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import ConfigError, EncodeError
from pipeline.formats.columns import Column, columns
from pipeline.sql.runtime.values import UNDEFINED

MILLIS = {"type": "int", "logicalType": "time-millis"}
MICROS = {"type": "long", "logicalType": "time-micros"}
DATE = {"type": "int", "logicalType": "date"}
FLOAT_MAX, DOUBLE_MAX = 3.4028234663852886e38, 1.7976931348623157e308


def moment(unit: str, *, local: bool = False) -> dict[str, str]:
    return {"type": "long", "logicalType": f"{'local-' if local else ''}timestamp-{unit}"}


def decimal(precision: int, scale: int = 0) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def fixed(size: int) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size}


def record(kind: Any, **field: Any) -> Column:
    """A record whose only column, `a`, is of that type."""
    fields = [{"name": "a", "type": kind, **field}]
    return columns(json.dumps({"type": "record", "name": "r", "fields": fields}))


def wide(*fields: tuple[str, Any], name: str = "r") -> Column:
    """The column of a record with these fields."""
    return columns(
        json.dumps({"type": "record", "name": name, "fields": [{"name": one, "type": type_} for one, type_ in fields]})
    )


def fitted(kind: Any, value: Any) -> Any:
    """What a chunk holds of the value."""
    return record(kind).fit({"a": value}, "")["a"]


def arrow(kind: Any, value: Any) -> Any:
    """What comes back from Arrow, after the way of a chunk through JSON."""
    column = record(kind)
    held = json.loads(json.dumps(column.fit({"a": value}, "")))
    return pa.array([column.load(held)], column.type).to_pylist()[0]["a"]


@pytest.mark.parametrize(
    ("kind", "text", "number"),
    [
        (MILLIS, "00:00:00", 0),
        (MILLIS, "01:02:03.004", 3_723_004),
        (MILLIS, "23:59:59.999999", 86_399_999),
        (MICROS, "00:00:00.000001", 1),
        (MICROS, "01:02:03.000004", 3_723_000_004),
        (MICROS, "23:00", 82_800_000_000),
        (DATE, "1970-01-01", 0),
        (DATE, "1969-12-31", -1),
        (DATE, "1970-02-01", 31),
        (moment("millis"), "1970-01-01T00:00:00Z", 0),
        (moment("millis"), "1970-01-02T00:00:01.5Z", 86_401_500),
        (moment("millis"), "1970-01-01T01:00:00+01:00", 0),
        (moment("micros"), "1969-12-31T23:59:59.999999Z", -1),
        (moment("micros"), "1970-01-01T00:00:01.000002Z", 1_000_002),
        (moment("nanos"), "1970-01-01T00:00:00.000001Z", 1000),
        (moment("millis", local=True), "1970-01-01T00:00:01", 1000),
        (moment("nanos"), "1970-01-01T00:00:00.123456789Z", 123_456_789),
        (moment("nanos"), "1969-12-31T23:59:59,999999999Z", -1),
        (moment("micros"), "1970-01-01T00:00:00.123456000Z", 123_456),
        (moment("millis"), "9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        (moment("micros", local=True), "0001-01-01T00:00:00", -62_135_596_800_000_000),
        (DATE, "0001-01-01", -719_162),
        (DATE, "9999-12-31", 2_932_896),
    ],
)
def test_a_time_in_words_is_a_number_in_its_unit(kind: Any, text: str, number: int) -> None:
    """Times, dates and moments as text become numbers, also before 1970, and numbers stay unchanged."""
    assert fitted(kind, text) == number
    assert fitted(kind, number) == number


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (MILLIS, "25:00", "an ISO 8601 time, found"),
        (MILLIS, "noon", "an ISO 8601 time, found"),
        (MILLIS, 1 << 31, "an ISO 8601 time, or its number"),
        (DATE, "1970-13-01", "an ISO 8601 date, found"),
        (DATE, True, "an ISO 8601 date, or its number"),
        (moment("millis"), "1970-01-01T00:00:00", "with a zone"),
        (moment("millis", local=True), "1970-01-01T00:00:00Z", "without a zone"),
        (moment("nanos"), 1 << 63, "or its number"),
        (MILLIS, "10:00:00+02:00", "an ISO 8601 time, found"),
        (MILLIS, 86_400_000, "from 0 to 86399999"),
        (MICROS, -1, "from 0 to 86399999999"),
        (MICROS, "10:15:00.1234567", "an ISO 8601 time, found"),
        (DATE, -719_163, "from -719162 to 2932896"),
        (DATE, 2_932_897, "from -719162 to 2932896"),
        (moment("millis"), 1708671600123456789, "from -62135596800000 to 253402300799999"),
        (moment("millis", local=True), -62_135_596_800_001, "from -62135596800000 to 253402300799999"),
        (moment("micros"), 253_402_300_800_000_000, "from -62135596800000000 to 253402300799999999"),
        (moment("millis"), "0001-01-01T00:00:00+01:00", "from -62135596800000 to"),
        (moment("micros"), "1970-01-01T00:00:00.1234567Z", "with a zone"),
        (moment("nanos"), "1970-01-01T00:00:00.1234567891Z", "with a zone"),
        (moment("nanos"), "2300-01-01T00:00:00Z", "or its number"),
    ],
)
def test_what_is_no_time_is_refused(kind: Any, value: Any, said: str) -> None:
    """The error says what was expected, also for a zone in a column without zones."""
    with pytest.raises(EncodeError, match=f"column a: expected .*{said}"):
        fitted(kind, value)


@pytest.mark.parametrize(("kind", "bits"), [("int", 32), ("long", 64)])
def test_an_integer_column_ends_where_its_bits_end(kind: str, bits: int) -> None:
    """An integer column refuses values out of range and booleans, and accepts floats without a fraction."""
    limit = 1 << (bits - 1)

    assert [fitted(kind, value) for value in (-limit, limit - 1, 3.0, -0.0)] == [-limit, limit - 1, 3, 0]
    assert type(fitted(kind, 3.0)) is int
    for value in (-limit - 1, limit, 1.5, True, "1", None):
        with pytest.raises(EncodeError, match=f"column a: expected an integer of {bits} bits"):
            fitted(kind, value)


@pytest.mark.parametrize(("kind", "limit"), [("float", FLOAT_MAX), ("double", DOUBLE_MAX)])
def test_a_number_column_ends_where_its_bits_end(kind: str, limit: float) -> None:
    """A float column refuses values out of range, infinity and values that are not numbers."""
    assert [fitted(kind, value) for value in (-limit, limit, 0)] == [-limit, limit, 0]
    assert type(fitted(kind, 1)) is float
    for value in (float("inf"), float("-inf"), float("nan"), True, "1"):
        with pytest.raises(EncodeError, match="column a: expected a number"):
            fitted(kind, value)
    if kind == "float":
        for value in (3.5e38, -3.5e38):
            with pytest.raises(EncodeError, match="a number of 32 bits"):
                fitted(kind, value)


@pytest.mark.parametrize(
    ("kind", "exact", "between"),
    [
        ("float", [1 << 24, -(1 << 100), 16_777_218], [(1 << 24) + 1, 123_456_789]),
        ("double", [1 << 53, 1 << 1000], [(1 << 53) + 1, 10**300]),
    ],
)
def test_an_integer_is_exact_in_a_column_of_floats_or_refused(kind: str, exact: list[int], between: list[int]) -> None:
    """A counter that is rounded on its way into the object is another counter. Floats are rounded as their column is."""
    assert [fitted(kind, value) for value in exact] == exact
    assert fitted(kind, 0.1) == 0.1
    for value in between:
        with pytest.raises(EncodeError, match="that holds the integer exactly"):
            fitted(kind, value)


def test_a_fixed_column_is_a_binary_that_every_reader_opens() -> None:
    """pandas cannot read a list of binaries of one size."""
    assert record({"type": "array", "items": fixed(2)}).type.field("a").type.value_type == pa.binary()
    assert arrow({"type": "array", "items": fixed(2)}, [b"\xff\x00", "ab"]) == [b"\xff\x00", b"ab"]


def test_bytes_of_any_size_and_of_one_size() -> None:
    """A fixed column accepts only its own size, and a bytes column accepts any size."""
    assert [arrow("bytes", value) for value in ("", "ab", b"\xff\x00")] == [b"", b"ab", b"\xff\x00"]
    assert [arrow(fixed(2), value) for value in ("ab", b"\xff\x00")] == [b"ab", b"\xff\x00"]
    assert fitted(fixed(0), "") == ""
    for kind, value, said in (
        (fixed(2), "a", "2 bytes"), (fixed(2), "abc", "2 bytes"), (fixed(2), "", "2 bytes"), (fixed(0), "a", "0 bytes"),
        (fixed(2), 12, "2 bytes"), ("bytes", 12, "a string"), ("bytes", None, "a string"),
    ):  # fmt: skip
        with pytest.raises(EncodeError, match=f"column a: expected {said}"):
            fitted(kind, value)


@pytest.mark.parametrize("text", ["1_0", " 1", "1 ", "\u0661", "NaN", "Infinity", "1e", ".", "", "+-1", "0x1", "1,5"])
def test_a_decimal_takes_the_texts_that_every_parser_takes(text: str) -> None:
    """Python takes more of them: underscores, spaces, digits of other scripts, words."""
    with pytest.raises(EncodeError, match="column a: expected a number of 5 digits"):
        fitted(decimal(5, 2), text)
    assert [fitted(decimal(5, 2), each) for each in ("1.5", "+1", "-.5", "1.", "2e1")] == [
        "1.50", "1.00", "-0.50", "1.00", "20.00",
    ]  # fmt: skip


def test_a_record_within_the_record_needs_fields() -> None:
    """Arrow cannot write a struct without members: `check` says so, and where."""
    inner = {"type": "record", "name": "Inner", "fields": []}

    with pytest.raises(ConfigError, match="a: expected a record with fields, found none"):
        record(inner)
    with pytest.raises(ConfigError, match=r"a\[\]: expected a record with fields"):
        record({"type": "array", "items": inner})


def test_a_decimal_keeps_its_digits_and_no_others() -> None:
    """A decimal column accepts only values that fit its digits exactly."""
    assert arrow(decimal(5, 2), 999.99) == Decimal("999.99")
    assert arrow(decimal(5, 2), -1) == Decimal("-1.00")
    assert arrow(decimal(3, 3), "0.125") == Decimal("0.125")
    assert arrow(decimal(1), 9) == 9
    for value in (1000, -1000, 0.001, "x", True, None, float("inf"), "1e100"):
        with pytest.raises(EncodeError, match="column a: expected a number of 5 digits, 2 of them decimals"):
            fitted(decimal(5, 2), value)


def test_a_decimal_has_at_most_the_digits_that_all_readers_know() -> None:
    """polars cannot open a file with more digits, and DuckDB reads other values."""
    assert record(decimal(38)).type.field("a").type == pa.decimal128(38, 0)
    unsaid = {name: value for name, value in decimal(38).items() if name != "scale"}
    assert record(unsaid).type.field("a").type == pa.decimal128(38, 0)
    assert arrow(decimal(38), 10**38 - 1) == 10**38 - 1
    assert arrow(decimal(38, 38), "0." + "9" * 38) == Decimal("0." + "9" * 38)
    for precision, scale in ((39, 0), (76, 10), (5, 6)):
        with pytest.raises(ConfigError, match=r"Avro schema is refused|expected a decimal of 1 to 38 digits"):
            record(decimal(precision, scale))


def test_what_is_not_there_is_null_or_the_default() -> None:
    """A missing value is null in a nullable column, or the field's default, else an error."""
    nullable = record(["null", "int"])

    assert [nullable.fit(row, "")["a"] for row in ({}, {"a": None}, {"a": UNDEFINED}, {"a": 1})] == [
        None,
        None,
        None,
        1,
    ]
    assert record("int", default=7).fit({}, "") == {"a": 7}
    assert record("int", default=7).fit({"a": UNDEFINED}, "") == {"a": 7}
    assert record("bytes", default="\u00ff").load(record("bytes", default="\u00ff").fit({}, "")) == {"a": b"\xff"}
    assert record(["null", "bytes"], default=None).fit({}, "") == {"a": None}
    assert record("string", default="\u00ff").fit({}, "") == {"a": "\u00ff"}
    assert fitted("null", UNDEFINED) is None
    with pytest.raises(EncodeError, match="column a: required, and not in the row, whose fields are: b, c"):
        record("int").fit({"b": 1, "c": 2}, "")
    with pytest.raises(EncodeError, match="column a: required, and not in the row, whose fields are: none"):
        record("int").fit({}, "")
    with pytest.raises(EncodeError, match="column a: expected null"):
        fitted("null", 0)


def test_an_error_inside_says_where() -> None:
    """An error names list elements by number, map values by key, and fields by name."""
    inner = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "int"}]}
    for kind, value, place in (
        ({"type": "array", "items": "int"}, [1, "2"], r"a\[2\]"),
        ({"type": "map", "values": "int"}, {"k": "v"}, r"a\.k"),
        (inner, {"x": "1"}, r"a\.x"),
        ({"type": "array", "items": inner}, [{"x": 1}, {}], r"a\[2\]\.x"),
        ({"type": "array", "items": "int"}, {}, "a"),
        ({"type": "map", "values": "int"}, [], "a"),
        (inner, [], "a"),
    ):
        with pytest.raises(EncodeError, match=f"column {place}: "):
            fitted(kind, value)


def test_what_needs_a_second_look_is_converted_all_the_way_down() -> None:
    """Bytes in lists, maps, records and nullable columns are converted at every level."""
    inner = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "bytes"}, {"name": "y", "type": "int"}]}

    assert arrow({"type": "array", "items": "bytes"}, ["a", b"\xff"]) == [b"a", b"\xff"]
    assert arrow({"type": "map", "values": "bytes"}, {"k": "a"}) == [("k", b"a")]
    assert arrow(inner, {"x": "a", "y": 1}) == {"x": b"a", "y": 1}
    assert [arrow(["null", "bytes"], value) for value in (None, "a")] == [None, b"a"]
    assert arrow({"type": "array", "items": ["null", "int"]}, [1, None]) == [1, None]


def test_types_are_known_by_their_names_and_namespaces() -> None:
    """A named type is found by its whole name, or without the namespace that it shares with whoever names it."""
    made = wide(
        ("far", {"type": "enum", "name": "b.Far", "symbols": ["F"]}),
        ("near", {"type": "enum", "name": "Near", "symbols": ["N"]}),
        ("said", {"type": "fixed", "name": "Said", "namespace": "c", "size": 1}),
        *(("again", "b.Far"), ("here", "Near"), ("whole", "a.Near"), ("there", "c.Said")),
        name="a.R",
    )
    row = {"far": "F", "near": "N", "said": "x", "again": "F", "here": "N", "whole": "N", "there": "y"}

    assert made.fit(row, "").keys() == row.keys()
    with pytest.raises(EncodeError, match="column there: expected 1 bytes"):
        made.fit({**row, "there": "yy"}, "")


def test_a_column_of_nulls_holds_nothing_else() -> None:
    """A column of the type null takes null and undefined."""
    made = wide(("n", "null"))

    assert [made.fit({"n": value}, "") for value in (None, UNDEFINED)] == [{"n": None}] * 2
    with pytest.raises(EncodeError, match="column n: expected null, found integer 0"):
        made.fit({"n": 0}, "")
