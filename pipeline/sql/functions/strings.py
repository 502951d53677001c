"""Text: cut, join, search. A character is a grapheme cluster, which a reader sees as one character. Positions count from 0."""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from pipeline.sql.functions.registry import as_binary, as_list, function
from pipeline.sql.runtime.jsontext import concat as concat_two
from pipeline.sql.runtime.jsontext import join, to_json, to_text
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, number_text, octets, refuse, shown, text_of

RESULT_CHARACTERS_MAX: Final = 16_777_216
WHITE_SPACE: Final = "\t\n\v\f\r \x85\u200e\u200f\u2028\u2029"


@functools.cache
def _cluster() -> Any:
    """The pattern of one character. It is loaded when a text first needs it."""
    import regex

    # A flag is two letters: \X alone looks back to the first of a row of them, again for each.
    extending = r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*"
    return regex.compile(rf"[\U0001F1E6-\U0001F1FF]{{1,2}}{extending}|\X")


def _unicode(text: Text) -> str:
    return text if type(text) is str else refuse("valid UTF-8", text)


def clusters(text: Text) -> list[str] | str:
    """The characters of a text, or the text itself if each code point is one character."""
    text = _unicode(text)
    return text if text.isascii() and "\r\n" not in text else _cluster().findall(text)


@function("lower(text: string) -> string", example=("lower('HeLLo')", "'hello'"))
def lower(text: Text) -> str:
    """The text in lower case. Each character is converted alone, so a sigma at the end of a word is the same as
    inside a word.
    """
    return "".join(map(str.lower, _unicode(text)))


@function("upper(text: string) -> string", example=("upper('straße')", "'STRASSE'"))
def upper(text: Text) -> str:
    """The text in upper case."""
    return _unicode(text).upper()


@function("trim(text: string) -> string", example=("trim('  a ')", "'a'"))
def trim(text: Text) -> str:
    """The text without white space, tabs and line ends at both ends."""
    return _unicode(text).strip(WHITE_SPACE)


@function("ltrim(text: string) -> string", example=("ltrim('  a ')", "'a '"))
def ltrim(text: Text) -> str:
    """The text without white space at its beginning."""
    return _unicode(text).lstrip(WHITE_SPACE)


@function(
    "rtrim(text: string[, characters: binary]) -> string",
    examples=(("rtrim(' a  ')", "' a'"), ("rtrim('xaxx', 'x')", "'xa'")),
)
def rtrim(text: Text, characters: Text = WHITE_SPACE) -> str:
    """The text without white space, or any of the given characters, at its end."""
    return _unicode(text).rstrip(_unicode(characters)) if characters else _unicode(text)


@function("rm_prefix(text: string, prefix: binary) -> string", example=("rm_prefix('foo/bar', 'foo/')", "'bar'"))
def rm_prefix(text: Text, prefix: Text) -> Text:
    """The text without `prefix` at its beginning."""
    return text_of(octets(text).removeprefix(octets(prefix)))


@function("reverse(text: string) -> string", example=("reverse('hello')", "'olleh'"))
def reverse(text: Text) -> Text:
    """The characters in reverse order. Use it for ASCII only: characters up to U+00FF become single bytes, and others raise."""
    turned = "".join(reversed(clusters(text)))
    try:
        return text_of(turned.encode("latin-1"))
    except UnicodeEncodeError:
        refuse("characters up to U+00FF", text)


@function("strlen(text: string) -> integer", example=("strlen('你好')", "2"))
def strlen(text: Text) -> int:
    """The number of characters."""
    return len(clusters(text))


@function(
    "substr(text: string, start: integer[, length: integer]) -> string",
    examples=(("substr('hello world!', 6)", "'world!'"), ("substr('hello world!', 6, 5)", "'world'")),
)
def substr(text: Text, start: int, length: int | None = None) -> str:
    """The characters from `start` on, at most `length`. Raises if one of the two is negative."""
    if start < 0 or (length is not None and length < 0):
        refuse("a start and a length of at least 0", start if start < 0 else length)
    return "".join(clusters(text)[start : None if length is None else start + length])


@function(
    "concat(a: any, b: any) -> string",
    "concat(items: list) -> string",
    examples=(("concat('a', 1)", "'a1'"), ("concat(['a', 'b', 'c'])", "'abc'")),
    grows=True,
)
def concat(*items: Any) -> Text:
    """The values joined as text, as `str()` converts them."""
    return concat_two(*items) if len(items) == 2 else join([to_text(item) for item in as_list(items[0])], "")


@function(
    "split(text: string, separator: binary[, option: any]) -> list",
    examples=(
        ("split(';a;;b', ';')", "['a', 'b']"),
        ("split('a;b;c', ';', 'leading')", "['a', 'b;c']"),
        ("split('a;;b', ';', 'notrim')", "['a', '', 'b']"),
    ),
)
def split(text: Text, separator: Text, *options: Any) -> list[Text]:
    """The parts between separators, without empty parts. 'notrim' keeps empty parts. 'leading' and 'trailing' split
    only once, at the first or the last separator; 'leading_notrim' and 'trailing_notrim' do the same and keep empty
    parts. Raises for other options.
    """
    raw, mark = octets(text), octets(separator)
    option = options[0] if options else ""
    if options and option not in ("notrim", "leading", "leading_notrim", "trailing", "trailing_notrim"):
        refuse("'notrim', 'leading', 'leading_notrim', 'trailing' or 'trailing_notrim'", option)
    if not mark:
        parts = [raw]
    elif option in ("", "notrim"):
        parts = raw.split(mark)
    else:
        parts = raw.split(mark, 1) if option.startswith("leading") else raw.rsplit(mark, 1)
    keeps_empty = option.endswith("notrim")
    return [text_of(part) for part in parts if part or keeps_empty]


@function(
    "tokens(text: string, separators: binary[, option: any]) -> list",
    example=("tokens(' a b ;c', ' ;')", "['a', 'b', 'c']"),
)
def tokens(text: Text, separators: Text, *options: Any) -> list[str]:
    """The parts between any of the separator characters, without empty parts. The option 'nocrlf' also splits at line
    ends. Raises for other options.
    """
    if options and options[0] != "nocrlf":
        refuse("'nocrlf'", options[0])
    marks = set(clusters(separators)) | ({"\r", "\n", "\r\n"} if options else set())
    parts, part = [], ""
    for character in clusters(text):
        if character not in marks:
            part += character
        elif part:
            parts.append(part)
            part = ""
    return [*parts, part] if part else parts


@function(
    "pad(text: string, length: integer[, direction: any, fill: binary]) -> string",
    examples=(
        ("pad('abc', 5)", "'abc  '"),
        ("pad('7', 3, 'leading', '0')", "'007'"),
        ("pad('a', 4, 'both')", "' a  '"),
    ),
    grows=True,
)
def pad(text: Text, length: int, direction: Any = "trailing", fill: Text = " ") -> str:
    """The text padded to `length` characters: 'trailing' pads the end, 'leading' the beginning, 'both' the two ends,
    and the end gets an odd character. Each missing character is one `fill`, even if `fill` is longer. Raises for
    other directions.
    """
    if direction not in ("trailing", "leading", "both"):
        refuse("'trailing', 'leading' or 'both'", direction)
    missing = max(0, length - len(clusters(text)))
    if missing * len(fill) > RESULT_CHARACTERS_MAX:
        raise BadValueError(f"the result would have more than {RESULT_CHARACTERS_MAX} characters")
    before = {"trailing": 0, "leading": missing, "both": missing // 2}[direction]
    return _unicode(fill) * before + _unicode(text) + _unicode(fill) * (missing - before)


@function(
    "replace(text: string, pattern: binary, replacement: binary[, where: any]) -> string",
    examples=(
        ("replace('ab..cd..ef', '..', '**')", "'ab**cd**ef'"),
        ("replace('a.a.a', 'a', 'b', 'trailing')", "'a.a.b'"),
    ),
    grows=True,
)
def replace(text: Text, pattern: Text, replacement: Text, where: Any = "all") -> Text:
    """The text with `pattern`, a plain text, replaced: 'all' times, or only the first ('leading') or the last
    ('trailing') time. Raises for another `where`.
    """
    raw, mark, new = octets(text), octets(pattern), octets(replacement)
    if where not in ("all", "leading", "trailing"):
        refuse("'all', 'leading' or 'trailing'", where)
    if not mark:
        return text
    if where == "trailing":
        head, found, tail = raw.rpartition(mark)
        return text_of(head + new + tail) if found else text
    count = 1 if where == "leading" else -1
    if where == "all" and raw.count(mark) * len(new) > RESULT_CHARACTERS_MAX:
        raise BadValueError(f"the result would have more than {RESULT_CHARACTERS_MAX} bytes")
    return text_of(raw.replace(mark, new, count))


@function("ascii(text: string) -> integer", example=("ascii('a')", "97"))
def ascii_(text: Text) -> int:
    """The first byte as a number. Raises for the empty string."""
    return octets(text)[0] if text else refuse("a string that is not empty", text)


@function(
    "find(text: string, pattern: binary[, direction: any]) -> string",
    examples=(("find('a/b/c', '/')", "'/b/c'"), ("find('a/b/c', '/', 'trailing')", "'/c'")),
)
def find(text: Text, pattern: Text, direction: Any = "leading") -> Text:
    """The rest of the text from the first ('leading') or the last ('trailing') occurrence of `pattern` on, or ''
    without an occurrence. Raises for another direction.
    """
    if direction not in ("leading", "trailing"):
        refuse("'leading' or 'trailing'", direction)
    raw, mark = octets(text), octets(pattern)
    if not mark:
        return text
    position = raw.find(mark) if direction == "leading" else raw.rfind(mark)
    return text_of(raw[position:]) if position >= 0 else ""


@function(
    "join_to_string(items: list) -> string",
    "join_to_string(separator: binary, items: list) -> string",
    examples=(("join_to_string(['a', 1])", "'a, 1'"), ("join_to_string('-', ['a', 'b'])", "'a-b'")),
    grows=True,
)
def join_to_string(*arguments: Any) -> Text:
    """The elements joined as text. The default separator is ', '."""
    separator = as_binary(arguments[0]) if len(arguments) == 2 else ", "
    return join([to_text(item) for item in as_list(arguments[-1])], separator)


@function(
    "join_to_sql_values_string(items: list) -> string",
    example=("join_to_sql_values_string([1, null()])", "'1, NULL'"),
    grows=True,
)
def join_to_sql_values_string(items: list[Any]) -> Text:
    """The elements as SQL literals, joined by ', '. Text is in quotes, with \\ before each ' and \\. Numbers have no
    quotes, `undefined` is NULL. All other values, also JSON's null, are quoted, as `str()` converts them.
    """
    return join([_sql_literal(item) for item in items], ", ")


def _sql_literal(value: Any) -> Text:
    if value is UNDEFINED:
        return "NULL"
    if type(value) in (int, float):
        return number_text(value)
    raw = octets(to_json(value).decode() if type(value) is list else to_text(value))
    return text_of(b"'" + raw.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'")


_ESCAPES: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "'": "'", '"': '"', "\\": "\\",
    "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]+)|(.))", re.DOTALL)


@function(
    "unescape(text: string) -> string", example=(r"unescape('a\tb\x41')", "concat(concat('a', hexstr2bin('09')), 'bA')")
)
def unescape(text: Text) -> str:
    r"""The text with C escapes replaced: \n \t \r \b \f \v \a \' \" \\ \? and \x, which takes all following hexadecimal
    digits as one code point. Raises for other escapes, and for code points that do not exist. A single \ at the end
    stays."""
    return str(_ESCAPE.sub(_unescaped, _unicode(text)))


def _unescaped(match: Any) -> str:
    digits, letter = match.groups()
    if digits is None and letter in _ESCAPES:
        return _ESCAPES[letter]
    code = int(digits, 16) if digits is not None and len(digits.lstrip("0")) <= 6 else -1
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise BadValueError(f"unknown escape {shown(match.group())}")
    return chr(code)
