"""The rows of an object of each format, taken apart and put together again by libraries that are not ours."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def read(name: str, content: bytes) -> list[Row]:
    """The rows."""
    if name == "parquet":
        rows: list[Row] = pq.read_table(pa.BufferReader(content)).to_pylist()
        return rows
    if name == "csv":
        text = pa.input_stream(pa.py_buffer(content), compression="zstd").read().decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))
    text = (gzip.decompress(content) if name == "gzip" else content).decode()
    return [json.loads(line) for line in text.splitlines()]


def write(name: str, rows: list[Row]) -> bytes:
    """An object of these rows."""
    if name == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        found: bytes = sink.getvalue().to_pybytes()
        return found
    if name == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["n"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return _zstd(text.getvalue().encode())
    lines = "".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows).encode()
    return gzip.compress(lines, mtime=0) if name == "gzip" else lines


def empty_frame(name: str) -> bytes:
    """An object that was opened and closed: compressed, and nothing in it."""
    if name == "parquet":
        return write(name, [])
    return {"csv": _zstd(b""), "gzip": gzip.compress(b""), "lines": b"\n"}[name]


def _zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed
