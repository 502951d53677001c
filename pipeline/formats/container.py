"""The type of containers, and the table of all.

A container is made from plain settings, which come from its section of the configuration. This package does not know the
section. Parquet is loaded only for an action that uses it, because its library takes a third of a second and 60 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final, NamedTuple

from pipeline.formats import compression as compressions
from pipeline.formats.kept import KeptColumns
from pipeline.sql.runtime.jsontext import LINE_CODE, to_json_line
from pipeline.sql.runtime.schemas import SchemaText
from pipeline.sql.runtime.values import Row

# By the `type` of the settings: the module with the functions `make`, `count` and `texts`.
CONTAINERS: Final[Mapping[str, str]] = {
    "json_lines": "lines",
    "raw_lines": "raw_lines",
    "csv": "csv",
    "parquet": "parquet",
}
# Containers whose objects are the unchanged lines of a chunk, so that a reader can hash them again.
_LINES_AS_STORED: Final = {"json_lines", "raw_lines"}


class Inference(NamedTuple):
    """Two functions of a container whose columns are inferred from the rows.

    `columns(lines, kept)` gives the columns of an object of these rows: first the kept ones. `encode(lines, columns)` gives the
    bytes of the object.
    """

    columns: Callable[[bytes, KeptColumns], KeptColumns]
    encode: Callable[[bytes, KeptColumns], bytes]


@dataclass(frozen=True, slots=True)
class Container:
    """Two functions, and the headers of the objects.

    `line(row)` gives the line of a row for a chunk, with its line break. It raises EncodeError for a row that the container
    cannot hold. `encode(lines)` gives the bytes of an object from the lines of a chunk. It may be slow, so callers run it in
    threads, several at once. It never fails on lines that `line` made.

    A container with `inference` can also make an object that has kept columns.
    """

    line: Callable[[Row], bytes]
    encode: Callable[[bytes], bytes]
    headers: Mapping[str, str]
    inference: Inference | None = None

    @property
    def line_code(self) -> tuple[str, Mapping[str, Any]]:
        """Python code for the line of `row`, and the values of its other names. It may raise where `line` does not."""
        return LINE_CODE if self.line is to_json_line else ("line_of(row)", {"line_of": self.line})


def make(
    settings: Mapping[str, Any],
    *,
    compression: str = "none",
    level: int | None = None,
    content_encoding: bool = True,
    schemas: Mapping[str, SchemaText] | None = None,
) -> Container:
    """The container for `settings`: a `type` and the settings of this type. `schemas` are by name. Raises ConfigError.

    `content_encoding`: whether the header of that name says how the objects are compressed.
    """
    others = {name: value for name, value in settings.items() if name not in ("type", "except")}
    made: Container = _module(settings["type"]).make(others, schemas or {})
    if settings.get("except"):
        made = replace(made, line=_without(frozenset(settings["except"]), made.line))
    if compression == "none":
        return made
    compress, encode = compressions.make(compression, level), made.encode
    encoding = {"content-encoding": compression} if content_encoding else {}  # names of RFC 9110 and RFC 8878
    return replace(made, encode=lambda lines: compress(encode(lines)), headers={**made.headers, **encoding})


def _without(left_out: frozenset[str], line: Callable[[Row], bytes]) -> Callable[[Row], bytes]:
    """`line` for rows without some of their fields."""

    def of_the_rest(row: Row) -> bytes:
        return line({name: value for name, value in row.items() if name not in left_out})

    return of_the_rest


def read_rows(content: bytes, parameters: Mapping[str, Any]) -> tuple[int, str | None]:
    """The number of rows in an object, and the digest of its chunk's lines if the container keeps their bytes.

    `parameters` are those of the action. Raises ValueError for content that is not an object of this container.
    """
    container = parameters["container"]
    lines = compressions.decompress(parameters["compression"], content)
    rows: int = _module(container["type"]).count(lines, container)
    return rows, hashlib.sha256(lines).hexdigest() if container["type"] in _LINES_AS_STORED else None


def row_texts(content: bytes, parameters: Mapping[str, Any]) -> list[bytes]:
    """Each row of an object as one text, so that rows of two objects can be compared. Raises ValueError as `read_rows` does."""
    container = parameters["container"]
    lines = compressions.decompress(parameters["compression"], content)
    texts: list[bytes] = _module(container["type"]).texts(lines, container)
    return texts


def _module(name: str) -> Any:
    return import_module(f"pipeline.formats.{CONTAINERS[name]}")
