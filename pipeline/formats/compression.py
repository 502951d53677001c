"""Compression of whole objects, for the containers that do not compress inside.

The output does not depend on time: gzip's header holds no time stamp, and one thread does the work. A new version of a
library may compress differently, but the rows inside stay the same.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from isal import igzip

from pipeline.errors import ConfigError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Compress = Callable[[bytes], bytes]


class Levels(NamedTuple):
    """The levels of a compression, and the default, which takes 2 to 3 ms for a megabyte."""

    allowed: range
    default: int


LEVELS: Final[Mapping[str, Levels]] = {"gzip": Levels(range(4), 1), "zstd": Levels(range(1, 20), 1)}
# The bytes with which the data begins (RFC 1952, RFC 8878).
_MARKS: Final[Mapping[str, bytes]] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


def make(compression: str, level: int | None = None) -> Compress:
    """The compression with this name. `level` None means its default. Raises ConfigError for a level that it does not have."""
    levels, default = LEVELS[compression]
    if level is not None and level not in levels:
        expected = f"expected a compression_level of {levels.start} to {levels.stop - 1} for {compression}"
        raise ConfigError(f"{expected}, found {level}")
    return partial({"gzip": _gzip, "zstd": _zstd}[compression], default if level is None else level)


def decompress(compression: str, content: bytes) -> bytes:
    """The data before compression. Raises ValueError for data of another form, and for data that is not whole."""
    if compression == "none":
        return content
    if not content:  # which gzip takes for nothing compressed
        raise ValueError(f"not {compression}: it has no bytes")
    try:
        if compression == "gzip":
            return gzip.decompress(content)
        return zstd.decompress(content)
    except (zlib.error, EOFError, OSError, zstd.ZstdError) as error:
        raise ValueError(f"not {compression}, or not whole: {error}") from None


def found_in(content: bytes) -> str:
    """The name of the compression with which data begins, or "none"."""
    return next((name for name, mark in _MARKS.items() if content.startswith(mark)), "none")


def beginning(compression: str, content: bytes, bytes_max: int) -> bytes:
    """At most `bytes_max` of the data before compression, also if only the beginning of the compressed data is there.

    Raises ValueError for data of another form.
    """
    if compression == "none":
        return content[:bytes_max]
    try:
        if compression == "gzip":
            return zlib.decompressobj(wbits=31).decompress(content, bytes_max)
        return zstd.ZstdDecompressor().decompress(content, max_length=bytes_max)
    except (zlib.error, zstd.ZstdError) as error:
        raise ValueError(f"not {compression}: {error}") from None


def _gzip(level: int, data: bytes) -> bytes:
    """A gzip file (RFC 1952) with the time 0."""
    packed: bytes = igzip.compress(data, compresslevel=level, mtime=0)
    return packed


def _zstd(level: int, data: bytes) -> bytes:
    """One zstd frame with its size and checksum (RFC 8878)."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.content_size_flag: 1,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return zstd.compress(data, options=options)
