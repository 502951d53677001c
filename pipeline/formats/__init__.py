"""Containers: how the rows of a chunk become the bytes of an object. One file each; CONTAINERS names them all.

Every container takes the chunk's rows as JSON Lines, the form in which a chunk holds them, so that the digest of the rows does
not depend on the container and a replay compares equal. The same rows and settings give the same bytes, always: no clock, no
chance, no order of a dictionary.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from isal import igzip

Encode = Callable[[bytes], bytes]

CONTENT_TYPES: Final[Mapping[str, str]] = {"json_lines": "application/jsonl"}
CONTENT_ENCODINGS: Final[Mapping[str, str]] = {"gzip": "gzip"}


def _same(data: bytes) -> bytes:
    return data


def _gzip(data: bytes) -> bytes:
    """RFC 1952, with the time left at 0 so that the same rows give the same bytes."""
    return igzip.compress(data, compresslevel=1, mtime=0)


CONTAINERS: Final[Mapping[str, Encode]] = {"json_lines": _same}
COMPRESSIONS: Final[Mapping[str, Encode]] = {"none": _same, "gzip": _gzip}


def _gunzip(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (zlib.error, EOFError, OSError) as error:
        raise ValueError(f"not gzip: {error}") from None


_DECOMPRESS: Final[Mapping[str, Encode]] = {"none": _same, "gzip": _gunzip}


def encode(rows: bytes, *, container: str, compression: str) -> bytes:
    """An object's bytes from a chunk's rows."""
    return COMPRESSIONS[compression](CONTAINERS[container](rows))


def read_rows(content: bytes, parameters: Mapping[str, Any]) -> tuple[int, str | None]:
    """How many rows an object holds, and the digest of its chunk's rows, if the container keeps their bytes.

    `parameters` are those of the action. Raises ValueError for what is no such object.
    """
    rows = _DECOMPRESS[parameters["compression"]](content)
    if rows[-1:] not in (b"", b"\n"):
        raise ValueError("the last line is not whole")
    return rows.count(b"\n"), hashlib.sha256(rows).hexdigest()
