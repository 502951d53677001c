"""Parquet with pyarrow: columns that an Avro schema declares, or columns that fit the rows of the object.

Declared columns are checked for each row; keys that are not declared are left out. The type of an inferred column depends on the
kind of its values and not on the values themselves, so that the objects of one action can be read together: numbers are always
doubles, strings, maps and lists always text. A column that has only nulls has no kind, and is left out. Kept columns (kept.py)
come first, always with their types. A value of another kind goes to the column RESCUED, which has all such values of a row as one
JSON object. Other columns are in the order of their first appearance. A row that lacks a column has null there. Rows become row
groups batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import ConfigError, EncodeError
from pipeline.formats.columns import Column, columns
from pipeline.formats.container import Container, Inference
from pipeline.formats.kept import KeptColumn, KeptColumns
from pipeline.formats.lines import batches, decode
from pipeline.sql.runtime.jsontext import to_json_line
from pipeline.sql.runtime.schemas import SchemaText
from pipeline.sql.runtime.values import Row, shown

_HEADERS: Final = {"content-type": "application/vnd.apache.parquet"}
_EXACT_MAX: Final = 1 << 53  # all integers up to this one are exact as a double
RESCUED: Final = "_rescued_data"  # the name that Databricks gives to a column for values that do not fit theirs
# Values that are converted together, with those that rows lack. This bounds the Python objects in memory.
CELLS_MAX: Final = 1 << 22
DENSE_MAX: Final = (
    64  # of more columns, rows have some: several rules feed the action. A column without values costs little then.
)
# The kinds of values that a column holds, as bits.
BOOLEAN, NUMBER, TEXT = 1, 2, 4
_KIND_OF: Final = {type(None): 0, bool: BOOLEAN, int: NUMBER, float: NUMBER}  # all others are text
_FITTING: Final[Mapping[str, set[type]]] = {"boolean": {bool, type(None)}, "double": {int, float, type(None)}}
_ARROW: Final = {"boolean": pa.bool_(), "double": pa.float64(), "string": pa.string()}


def make(settings: Mapping[str, Any], schemas: Mapping[str, SchemaText]) -> Container:
    """Parquet with these settings, whose columns are declared or inferred.

    Raises ConfigError if the schema is missing, is not Avro, or has no columns.
    """
    source = _source(settings["schema"], schemas)
    options = {
        "compression": settings["default_compression"],
        "use_dictionary": settings["enable_dictionary"],
        "data_page_version": f"{settings['data_page_header_version']}.0",
    }
    write = partial(_write, options=options, group_bytes=settings["max_row_group_bytes"])
    if source is None:
        inference = Inference(_columns, lambda lines, found: write(*_inferred(lines, found)))
        return Container(
            _inferred_line, lambda lines: inference.encode(lines, inference.columns(lines, ())), _HEADERS, inference
        )
    record = columns(source)
    return Container(
        partial(_declared_line, record),
        lambda lines: write(pa.schema(record.type), _declared(record, lines)),
        _HEADERS,
    )


def count(content: bytes, settings: object) -> int:
    """The number of rows, after reading all of them. Raises ValueError for content that is not Parquet."""
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        return sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not Parquet: {error}") from None


def texts(content: bytes, settings: object) -> list[bytes]:
    """Each row as one text: its columns and their values, without nulls, because a kept column may be in one object and not
    in another. Raises ValueError for content that is not Parquet.
    """
    try:
        rows = pq.read_table(pa.BufferReader(content)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not Parquet: {error}") from None
    there = [sorted((name, value) for name, value in row.items() if value is not None) for row in rows]
    return [repr(row).encode(errors="surrogateescape") for row in there]


def _source(schema: Mapping[str, Any], schemas: Mapping[str, SchemaText]) -> str | None:
    """The Avro schema of the settings, or None for inferred columns."""
    if schema["type"] == "inferred":
        return None
    if schema["type"] == "avro_inline":
        return str(schema["def"])
    name = schema["name"]
    if name not in schemas:
        raise ConfigError(f"parquet_schema_not_found: no schema {name!r}; there are: {', '.join(schemas) or 'none'}")
    kind, source = schemas[name]
    if kind != "avro":
        raise ConfigError(f"parquet_schema_wrong_type: expected an avro schema, found {name!r} of type {kind}")
    return source


def _write(schema: Any, rows: Iterator[Any], *, options: Mapping[str, Any], group_bytes: int) -> bytes:
    """Make an object from record batches. A row group closes when its columns have `group_bytes`, before compression."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, version="2.6", store_schema=False, **options) as writer:
        group: list[Any] = []
        size = 0
        for batch in rows:
            if group and size + batch.nbytes > group_bytes:
                _write_group(writer, group)
                group, size = [], 0
            group.append(batch)
            size += batch.nbytes
        if group:
            _write_group(writer, group)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _write_group(writer: Any, group: list[Any]) -> None:
    table = pa.Table.from_batches(group)
    writer.write_table(table, row_group_size=table.num_rows)


# --- Declared columns


def _declared_line(record: Column, row: Row) -> bytes:
    return to_json_line(record.fit(row, ""))


def _declared(record: Column, lines: bytes) -> Iterator[Any]:
    schema = pa.schema(record.type)
    for batch in batches(lines):
        yield pa.RecordBatch.from_pylist([record.load(row) for row in decode(batch)], schema=schema)


# --- Inferred columns


def _inferred_line(row: Row) -> bytes:
    if not row:
        raise EncodeError("expected a row with fields, found an empty one, which has no column")
    for name, value in row.items():
        if type(value) is int and not _is_exact(value):
            raise EncodeError(
                f"column {name}: expected an integer that a double holds exactly, because no schema is declared, found"
                f" {shown(value)}: declare a schema, or write str({name}) in the rule"
            )
    return to_json_line(row)


def _is_exact(value: int) -> bool:
    if -_EXACT_MAX <= value <= _EXACT_MAX:
        return True
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _columns(lines: bytes, kept: KeptColumns) -> KeptColumns:
    """The columns of an object of these rows: the kept ones, then those that the rows bring."""
    seen = _seen(lines)
    rescues = bool(seen.pop(RESCUED, 0))  # a field of this name would be taken for rescued values, so it is one of them
    for name, kept_type in kept:
        bits = seen.pop(name, 0)
        rescues |= bool(bits) and kept_type not in ("string", _type(bits))
    found = [*kept, *(KeptColumn(name, _type(bits)) for name, bits in seen.items() if bits)]
    if rescues and all(name != RESCUED for name, _ in kept):
        found.append(KeptColumn(RESCUED, "string"))
    return tuple(found)


def _seen(lines: bytes) -> dict[str, int]:
    """The columns of all rows, and the kinds of their values: none if all are null."""
    seen: dict[str, int] = {}
    for batch in batches(lines):
        for row in decode(batch):
            for name, value in row.items():
                seen[name] = seen.get(name, 0) | _KIND_OF.get(type(value), TEXT)
    return seen


def _type(bits: int) -> str:
    return {BOOLEAN: "boolean", NUMBER: "double"}.get(bits, "string")


def _inferred(lines: bytes, found: KeptColumns) -> tuple[Any, Iterator[Any]]:
    """The schema of these columns, and the rows in this schema."""
    if not found:  # a file without columns has no rows either
        found = tuple(KeptColumn(name, "string") for name in _seen(lines))
    schema = pa.schema([pa.field(column.name, _ARROW[column.type]) for column in found])
    step = max(1, CELLS_MAX // len(found)) if found else CELLS_MAX
    pieces = (rows[at : at + step] for rows in map(decode, batches(lines)) for at in range(0, len(rows), step))
    return schema, (_inferred_batch(rows, found, schema) for rows in pieces)


def _inferred_batch(rows: list[Row], found: KeptColumns, schema: Any) -> Any:
    rescued: list[Row] = [{RESCUED: row[RESCUED]} if row.get(RESCUED) is not None else {} for row in rows]
    names = [name for name, _ in found]
    there = set(names) if len(names) <= DENSE_MAX else set[str]().union(*rows)
    columns = {name: _values(rows, name, column_type, rescued) for name, column_type in found if name in there}
    if RESCUED in names:
        columns[RESCUED] = [_json(each) if each else None for each in rescued]
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _values(rows: list[Row], name: str, column_type: str, rescued: list[Row]) -> list[Any]:
    """The values of a column. Those of another kind go to `rescued`, by their columns."""
    values = [row.get(name) for row in rows]
    if column_type == "string":
        return [each if each is None or type(each) is str else _json(each) for each in values]
    fitting = _FITTING[column_type]
    if not fitting.issuperset(map(type, values)):
        for at, value in enumerate(values):
            if type(value) not in fitting:
                rescued[at][name], values[at] = value, None
    if column_type == "double":
        return [each if each is None else float(each) for each in values]
    return values


def _json(value: Any) -> str:
    return to_json_line(value)[:-1].decode()
