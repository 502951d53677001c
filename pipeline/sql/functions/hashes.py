"""Digests, as lower-case hexadecimal text."""

from __future__ import annotations

import hashlib
from typing import Final

from pipeline.sql.functions.md4 import md4
from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.values import Text, octets, refuse

ALGORITHMS: Final = frozenset(
    [
        "md4",
        "md5",
        "sha",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "sha3_224",
        "sha3_256",
        "sha3_384",
        "sha3_512",
        "blake2b",
        "blake2s",
    ]
)


def _digest(algorithm: str, text: Text) -> str:
    if algorithm == "md4":
        return md4(octets(text)).hex()
    return hashlib.new("sha1" if algorithm == "sha" else algorithm, octets(text), usedforsecurity=False).hexdigest()


@function("md5(text: binary) -> string", example=("md5('')", "'d41d8cd98f00b204e9800998ecf8427e'"))
def md5(text: Text) -> str:
    """The MD5 digest of a text."""
    return _digest("md5", text)


@function("sha(text: binary) -> string", example=("sha('hello')", "'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d'"))
def sha(text: Text) -> str:
    """The SHA-1 digest of a text."""
    return _digest("sha1", text)


@function(
    "sha256(text: binary) -> string",
    example=("sha256('')", "'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"),
)
def sha256(text: Text) -> str:
    """The SHA-256 digest of a text."""
    return _digest("sha256", text)


@function(
    "hash(algorithm: any, text: binary) -> string", example=("hash('md4', 'abc')", "'a448017aaf21d8525fc10ae87aa6729d'")
)
def hash_(algorithm: Text, text: Text) -> str:
    """The digest of a text with md4, md5, sha, sha1, sha224, sha256, sha384, sha512, sha3_224, sha3_256, sha3_384,
    sha3_512, blake2b or blake2s. Raises for other names.
    """
    if algorithm not in ALGORITHMS:
        refuse(f"one of {', '.join(sorted(ALGORITHMS))}", algorithm)
    return _digest(str(algorithm), text)
