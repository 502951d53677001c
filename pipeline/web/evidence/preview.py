"""The first rows of an object as a table, and its beginning as text. Pure: it gets the beginning of the bytes, or all of them.

The form is found in the bytes and in the content type, and not in the present settings of the action, under which an older
object was not written. A limit bounds the bytes, the rows, the columns and each cell.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from pipeline.formats import compression as compressions
from pipeline.web.evidence.shapes.objects import Compression, Form, ObjectPreview

READ_BYTES: Final = 1 << 20  # of an object whose beginning is enough
WHOLE_BYTES_MAX: Final = 64 << 20  # of Parquet, whose end says where its rows are
SHOWN_BYTES: Final = 4 << 20  # after decompression
TEXT_MAX: Final = 64 * 1024  # characters of the raw text
ROWS_MAX: Final = 200
COLUMNS_MAX: Final = 200
CELL_MAX: Final = 1_000  # characters
PARQUET: Final = b"PAR1"

Table = tuple[list[str], list[list[str | None]]]


def is_parquet(beginning: bytes) -> bool:
    """Whether these bytes begin a Parquet file, which can be read only as a whole."""
    return beginning.startswith(PARQUET)


def preview(content: bytes, *, whole: bool, content_type: str) -> ObjectPreview:
    """`content`: the bytes of an object, all of them if `whole`. What cannot be read says so in `problem`."""
    if is_parquet(content):
        return _parquet(content) if whole else _answer("parquet", problem="it is too large for a preview: download it")
    compression = cast(Compression, compressions.found_in(content))
    try:
        data = compressions.beginning(compression, content, SHOWN_BYTES)
    except ValueError as error:
        return _answer("binary", compression=compression, problem=str(error))
    cut = not whole or len(data) == SHOWN_BYTES
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)  # a letter may be cut at the end
    except UnicodeDecodeError:
        return _answer("binary", compression=compression, cut=cut)
    return _of_text(text, compression, content_type, cut)


def _of_text(text: str, compression: Compression, content_type: str, cut: bool) -> ObjectPreview:
    lines = text.rpartition("\n")[0] if cut and "\n" in text else text  # the last line may not be whole
    if content_type.startswith("text/csv"):
        form: Form = "csv"
        columns, rows = _csv(lines)
    elif (found := _json_lines(lines)) is not None:
        form = "json_lines" if "\n" in lines.strip() or "jsonl" in content_type else "json"
        columns, rows = found
    else:
        form, columns, rows = "text", [], []
    more = cut or len(rows) > ROWS_MAX or len(text) > TEXT_MAX
    return _answer(form, compression, columns[:COLUMNS_MAX], rows[:ROWS_MAX], text[:TEXT_MAX], more)


def _csv(text: str) -> Table:
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        rows = [
            row for _, row in zip(range(ROWS_MAX + 2), csv.reader(io.StringIO(text), delimiter=delimiter), strict=False)
        ]
    except csv.Error:
        return [], []
    return [_cut(each) for each in rows[0]] if rows else [], [[_cut(cell) for cell in row] for row in rows[1:]]


def _json_lines(text: str) -> Table | None:
    """The rows of JSON Lines, or of one JSON object or array of objects. None: it is another text."""
    found: list[Mapping[str, Any]] = []
    for line in text.split("\n"):
        if line.strip():
            value = _parsed(line)
            if not isinstance(value, dict):
                return _one_document(text)
            found.append(value)
            if len(found) > ROWS_MAX:
                break
    return _table(found) if found else None


def _one_document(text: str) -> Table | None:
    value = _parsed(text)
    rows = value if isinstance(value, list) else [value]
    return _table(rows) if rows and all(isinstance(each, dict) for each in rows) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))[:COLUMNS_MAX]
    return [_cut(each) for each in columns], [[_cell(row.get(name)) for name in columns] for row in rows]


def _parquet(content: bytes) -> ObjectPreview:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names[:COLUMNS_MAX]
        batch = next(file.iter_batches(batch_size=ROWS_MAX, columns=names), None)
        rows: Iterable[Mapping[str, Any]] = batch.to_pylist() if batch is not None else []
        found = [[_cell(row.get(name)) for name in names] for row in rows]
        more = file.metadata.num_rows > len(found)
    except (pa.ArrowException, OSError, ValueError) as error:
        return _answer("parquet", problem=f"it cannot be read: {error}")
    return _answer("parquet", "none", [_cut(each) for each in names], found, None, more)


def _cell(value: Any) -> str | None:
    """The text of one value. Null and a missing value are the same."""
    if value is None or isinstance(value, str):
        return None if value is None else _cut(value)
    if isinstance(value, bool | int | float | dict | list):
        return _cut(json.dumps(value, ensure_ascii=False, default=_plain))
    return _cut(_plain(value))


def _plain(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _cut(text: str) -> str:
    text = text.encode(errors="replace").decode()  # halves of surrogate pairs, which JSON can name
    return text if len(text) <= CELL_MAX else f"{text[:CELL_MAX]}…"


def _answer(
    form: Form,
    compression: Compression = "none",
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str | None]] = (),
    text: str | None = None,
    cut: bool = False,
    problem: str | None = None,
) -> ObjectPreview:
    shown = text.encode(errors="replace").decode() if text is not None else None
    return {
        "form": form,
        "compression": compression,
        "columns": list(columns),
        "rows": [list(each) for each in rows],
        "text": shown,
        "cut": cut,
        "problem": problem,
    }
