"""Compressed binaries: gzip, raw deflate, and zlib.

The size after unpacking is bounded, so a small payload cannot fill the memory.
"""

from __future__ import annotations

import zlib
from typing import Final

from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.values import BadValueError, Text, octets, text_of

UNPACKED_BYTES_MAX: Final = 67_108_864
GZIP: Final = 31
RAW: Final = -15
ZLIB: Final = 15


def _packed(text: Text, window: int) -> Text:
    packer = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, window)
    return text_of(packer.compress(octets(text)) + packer.flush())


def _unpacked(text: Text, window: int) -> Text:
    """Unpack one whole stream, or several for gzip. Raises BadValueError for anything else."""
    rest, out = octets(text), bytearray()
    while True:
        unpacker = zlib.decompressobj(window)
        try:
            out += unpacker.decompress(rest, UNPACKED_BYTES_MAX - len(out) + 1)
        except zlib.error as error:
            raise BadValueError(f"not compressed data of this kind: {error}") from None
        if len(out) > UNPACKED_BYTES_MAX:
            raise BadValueError(f"the data unpacks to more than {UNPACKED_BYTES_MAX} bytes")
        if not unpacker.eof:
            raise BadValueError("the compressed data ends too early")
        rest = unpacker.unused_data
        if not rest or window != GZIP:
            return text_of(bytes(out))


@function("gzip(data: binary) -> string", example=("gunzip(gzip('hello'))", "'hello'"))
def gzip(data: Text) -> Text:
    """The data as a gzip file (RFC 1952), without a time stamp."""
    return _packed(data, GZIP)


@function("gunzip(data: binary) -> string", example=("gunzip(gzip('hello'))", "'hello'"), unpacks=True)
def gunzip(data: Text) -> Text:
    """The content of a gzip file. Raises for other data, and beyond 64 MiB."""
    return _unpacked(data, GZIP)


@function("zip(data: binary) -> string", example=("bin2hexstr(zip('hello'))", "'CB48CDC9C90700'"))
def zip_(data: Text) -> Text:
    """The data as a raw deflate stream (RFC 1951)."""
    return _packed(data, RAW)


@function("unzip(data: binary) -> string", example=("unzip(zip('hello'))", "'hello'"), unpacks=True)
def unzip(data: Text) -> Text:
    """The content of a raw deflate stream. Raises for other data, and beyond 64 MiB."""
    return _unpacked(data, RAW)


@function(
    "zip_compress(data: binary) -> string",
    example=("bin2hexstr(zip_compress('hello'))", "'789CCB48CDC9C90700062C0215'"),
)
def zip_compress(data: Text) -> Text:
    """The data as a zlib stream (RFC 1950)."""
    return _packed(data, ZLIB)


@function(
    "zip_uncompress(data: binary) -> string", example=("zip_uncompress(zip_compress('hello'))", "'hello'"), unpacks=True
)
def zip_uncompress(data: Text) -> Text:
    """The content of a zlib stream. Raises for other data, and beyond 64 MiB."""
    return _unpacked(data, ZLIB)
