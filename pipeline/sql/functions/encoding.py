"""Text encodings of binaries and values: Base64, JSON, and Erlang's external term format."""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from pipeline.sql.functions import terms
from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.jsontext import from_json, to_json
from pipeline.sql.runtime.values import Text, octets, refuse, text_of

_SPACE: Final = re.compile(rb"[ \t\r\n]+")
_ALPHABET: Final = {
    False: re.compile(rb"[A-Za-z0-9+/]*={0,2}"),
    True: re.compile(rb"[A-Za-z0-9_-]*={0,2}"),
}


@function(
    "base64_encode(data: binary[, option: any, option: any]) -> string",
    examples=(("base64_encode('a')", "'YQ=='"), ("base64_encode('a', 'no_padding')", "'YQ'")),
    grows=True,
)
def base64_encode(data: Text, *options: Any) -> str:
    """The data as Base64. Options, in any order: 'no_padding' leaves out the =, 'urlsafe' uses - and _ for + and /.
    Other options are ignored.
    """
    raw = octets(data)
    text = (base64.urlsafe_b64encode(raw) if "urlsafe" in options else base64.b64encode(raw)).decode()
    return text.rstrip("=") if "no_padding" in options else text


@function(
    "base64_decode(text: binary[, option: any, option: any]) -> string",
    examples=(("base64_decode('YQ==')", "'a'"), ("base64_decode('YQ', 'no_padding')", "'a'")),
)
def base64_decode(text: Text, *options: Any) -> Text:
    """The binary in a Base64 text, with the options of `base64_encode()`. Raises for other characters, and for
    missing padding unless 'no_padding' is given.
    """
    raw = _SPACE.sub(b"", octets(text))
    urlsafe = "urlsafe" in options
    if not _ALPHABET[urlsafe].fullmatch(raw):
        refuse("Base64 in the URL-safe alphabet" if urlsafe else "Base64", text)
    digits = raw.rstrip(b"=")
    padded = digits + b"=" * (-len(digits) % 4)
    if len(digits) % 4 == 1 or (padded != raw and "no_padding" not in options):
        refuse("Base64 with its padding", text)
    return text_of(base64.b64decode(padded, altchars=b"-_" if urlsafe else None))


@function("json_encode(x: any) -> string", example=("json_encode(payload.list)", "'[1,2,300]'"), grows=True)
def json_encode(x: Any) -> str:
    """The value as compact JSON. `undefined` becomes the string "undefined", and bytes that are not UTF-8 become U+FFFD."""
    return to_json(x).decode()


@function("json_decode(text: binary) -> any", example=("json_decode('[1, 2]')", "[1, 2]"))
def json_decode(text: Text) -> Any:
    """The value of a JSON text. Raises if the text is not JSON."""
    return from_json(text)


@function("term_encode(x: any) -> string", example=("bin2hexstr(term_encode(1))", "'836101'"), grows=True)
def term_encode(x: Any) -> Text:
    """Any value in Erlang's external term format."""
    return text_of(terms.encode(x))


@function("term_decode(data: binary) -> any", example=("term_decode(term_encode([1, 'a']))", "[1, 'a']"))
def term_decode(data: Text) -> Any:
    """The value of data in Erlang's external term format. Raises for other data, and for terms that the language
    cannot represent.
    """
    return terms.decode(octets(data))
