"""sprintf: Erlang's io:format over the values of the language.

Source: erlang.org/doc/man/io.html#format-3 and io_lib's way of writing terms. A directive is `~F.P.PadModC`: field
width (negative: on the left), precision, padding character, `t` for Unicode, and the control character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pipeline.sql.functions.registry import as_list, function
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, is_printable, octets, refuse, shown, text_of

RESULT_BYTES_MAX: Final = 16_777_216
# About 4,000 decimal digits: writing an integer takes the square of its length.
INTEGER_BITS_SHOWN_MAX: Final = 13_300
_DIRECTIVE: Final = re.compile(
    rb"~(?P<width>-?[0-9]+|\*)?(?:\.(?P<precision>[0-9]+|\*)?)?(?:\.(?P<pad>.))?(?P<mods>[tlkK]*)(?P<control>.)",
    re.DOTALL,
)
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def _directives(pattern: bytes) -> Iterator[re.Match[bytes]]:
    """The directives of a format, in order. Raises BadValueError for one that does not exist or has no end."""
    end = 0
    while (start := pattern.find(b"~", end)) >= 0:
        match = _DIRECTIVE.match(pattern, start)
        if match is None:
            raise BadValueError(f"the format ends inside a directive: {shown(text_of(pattern))}")
        control = match["control"].decode("latin-1")
        if control not in "~n" and control not in _WRITERS:
            raise BadValueError(f"~{control} is not a directive")
        yield match
        end = match.end()


JUDGES: Final = {"format": lambda pattern: list(_directives(octets(pattern)))}


@function(
    "sprintf(format: binary, …: any) -> string",
    examples=(("sprintf('~s is ~b', 'x', 5)", "'x is 5'"), ("sprintf('~3..0b', 7)", "'007'")),
    grows=True,
    cost=32,
    judges=JUDGES,
)
def sprintf(pattern: Text, *arguments: Any) -> Text:
    """Text with an Erlang format: ~s for text, ~p and ~w for any value, ~b for an integer (~.16b in base 16), ~f ~e
    ~g for floats, ~c for a character, ~n for a line end, ~~ for a tilde. Raises for a wrong type and for a wrong
    number of arguments. ~p writes any value in one line.
    """
    return _formatted(octets(pattern), list(arguments))


@function(
    "sprintf_s(format: binary, arguments: list) -> string",
    example=("sprintf_s('~s-~s', ['a', 'b'])", "'a-b'"),
    grows=True,
    cost=32,
    judges=JUDGES,
)
def sprintf_s(pattern: Text, arguments: list[Any]) -> Text:
    """The same as `sprintf()`, with the arguments in a list."""
    return _formatted(octets(pattern), list(as_list(arguments)))


def _formatted(pattern: bytes, arguments: list[Any]) -> Text:
    pieces, end, size = [], 0, 0
    waiting = iter(arguments)
    for match in _directives(pattern):
        made = _directive(match, waiting)
        size += match.start() - end + len(made)
        if size > RESULT_BYTES_MAX:
            raise BadValueError(f"the result would have more than {RESULT_BYTES_MAX} bytes")
        pieces += [pattern[end : match.start()], made]
        end = match.end()
    if next(waiting, _directive) is not _directive:
        raise BadValueError("the format has fewer directives than arguments")
    return text_of(b"".join(pieces) + pattern[end:])


def _next(waiting: Any) -> Any:
    value = next(waiting, _directive)
    return value if value is not _directive else _too_few()


def _too_few() -> Any:
    raise BadValueError("the format has more directives than arguments")


def _number(text: bytes | None, waiting: Any) -> int | None:
    if text is None:
        return None
    value = _next(waiting) if text == b"*" else int(text)
    if type(value) is not int or abs(value) > RESULT_BYTES_MAX:
        refuse("a field width", value)
    return value


def _directive(match: re.Match[bytes], waiting: Any) -> bytes:
    width = _number(match["width"], waiting)
    precision = _number(match["precision"], waiting)
    if precision is not None and precision < 0:
        refuse("a precision of at least 0", precision)
    pad = match["pad"] or b" "
    control, unicode = match["control"].decode("latin-1"), b"t" in match["mods"]
    if control == "~":
        return _repeated(b"~", width, precision, pad)
    if control in "np" and width is not None and width < 0:
        refuse(f"a width of at least 0 for ~{control}", width)
    if control == "n":
        return b"\n" * (1 if width is None else width)
    writer = _WRITERS[control]
    value = _next(waiting)
    lead = _prefix(_next(waiting)) if control in "xX" else b""
    if control == "i":
        return b""
    if control == "c":
        return _repeated(_character(value, unicode=unicode), width, precision, pad)
    if control == "s":
        return _string(_bytes_of(value, unicode=unicode), width, precision, pad)
    try:
        raw: bytes = writer(value, precision, unicode).encode("latin-1")
    except UnicodeEncodeError:
        raise BadValueError(f"~t{control} gives characters that have no single byte: {shown(value)}") from None
    if control == "p":  # a width and a precision of ~p are those of a line, and long values stay in one line here
        return raw
    raw = b"-" + lead + raw[1:] if lead and raw[:1] == b"-" else lead + raw
    return _field(raw, width, precision if control == "w" else None, pad)


def _prefix(value: Any) -> bytes:
    """The text that ~x writes before the digits: a list of characters or a word. As in Erlang, a binary is refused."""
    if type(value) in (str, bytes, int, float, dict):
        refuse("a list of characters before the digits", value)
    return _characters(value) if type(value) is list else _atom(value).encode()


def _padded(raw: bytes, width: int, pad: bytes) -> bytes:
    return raw.ljust(-width, pad) if width < 0 else raw.rjust(width, pad)


def _field(raw: bytes, width: int | None, precision: int | None, pad: bytes) -> bytes:
    """The text padded to the width. A text that does not fit becomes stars, as in Erlang."""
    width = precision if width is None else width
    if width is None:
        return raw
    room = abs(width) if precision is None else min(abs(width), precision)
    return _padded(b"*" * room if len(raw) > room else raw, width, pad)


def _repeated(character: bytes, width: int | None, precision: int | None, pad: bytes) -> bytes:
    """A character as often as the precision or the width says. The width pads what the precision repeats."""
    if width is None or precision is None:
        times = precision if width is None else abs(width)
        return character * (1 if times is None else times)
    return _padded(character * precision, _wide_enough(width, precision), pad)


def _string(raw: bytes, width: int | None, precision: int | None, pad: bytes) -> bytes:
    """The text cut or padded to the precision, which pads on the right, and then padded to the width."""
    if precision is None:
        return raw if width is None else _padded(raw[: abs(width)], width, pad)
    if width is None or abs(_wide_enough(width, precision)) > precision:
        raw = raw[:precision].ljust(precision, pad)
    return raw if width is None else _padded(raw[:precision], width, pad)


def _wide_enough(width: int, precision: int) -> int:
    return width if abs(width) >= precision else refuse(f"a field width of at least the precision, {precision}", width)


def _bytes_of(value: Any, *, unicode: bool) -> bytes:
    """The text that ~s writes."""
    if type(value) is list:
        raw = _characters(value)
    elif value is UNDEFINED or value is None or type(value) is bool:
        raw = _atom(value).encode()
    elif type(value) in (str, bytes):
        raw = octets(value)
    else:
        refuse("a string for ~s", value)
    return _latin(raw) if unicode else raw


def _characters(items: list[Any]) -> bytes:
    """A list of byte values, strings and such lists, as one text, as Erlang writes it."""
    pieces = []
    for item in items:
        if type(item) is int and 0 <= item <= 255:
            pieces.append(bytes([item]))
        elif type(item) in (str, bytes):
            pieces.append(octets(item))
        elif type(item) is list:
            pieces.append(_characters(item))
        else:
            refuse("characters for ~s", item)
    return b"".join(pieces)


def _latin(raw: bytes) -> bytes:
    """The result of ~ts: characters as single bytes, because the result is a binary again."""
    try:
        return raw.decode().encode("latin-1")
    except UnicodeError:
        raise BadValueError(f"~ts gives characters that have no single byte: {shown(text_of(raw))}") from None


def _character(value: Any, *, unicode: bool) -> bytes:
    if type(value) is not int:
        refuse("a character code for ~c", value)
    if unicode and not 0 <= value <= 255:
        raise BadValueError(f"~tc gives a character that has no single byte: {shown(value)}")
    return bytes([value & 255])


def _integer(value: Any, base: int | None, _unicode: bool, digits: str = _DIGITS) -> str:
    if type(value) is not int:
        refuse("an integer for ~b", value)
    base = 10 if base is None else base
    if not 2 <= base <= 36:
        refuse("a base from 2 to 36", base)
    if value.bit_length() > INTEGER_BITS_SHOWN_MAX:
        raise BadValueError(f"an integer of more than {INTEGER_BITS_SHOWN_MAX} bits cannot become text")
    if base == 10:
        return str(value)
    size, text = abs(value), ""
    while size:
        size, digit = divmod(size, base)
        text = digits[digit] + text
    return ("-" if value < 0 else "") + (text or "0")


def _integer_upper(value: Any, base: int | None, unicode: bool) -> str:
    return _integer(value, base, unicode, _DIGITS.upper())


def _with_base(value: Any, base: int | None, unicode: bool) -> str:
    return f"{'-' * (type(value) is int and value < 0)}{base or 10}#{_integer_upper(value, base, unicode).lstrip('-')}"


def _with_base_lower(value: Any, base: int | None, unicode: bool) -> str:
    return _with_base(value, base, unicode).lower()


def _float(value: Any) -> float:
    return value if type(value) is float else refuse("a float", value)


def _fixed(value: Any, precision: int | None, _unicode: bool) -> str:
    if precision is not None and precision < 1:
        refuse("a precision of at least 1 for ~f", precision)
    return f"{_float(value):.{6 if precision is None else precision}f}"


def _exponent(value: Any, precision: int | None, _unicode: bool) -> str:
    digits = 6 if precision is None else precision
    if digits < 2:
        refuse("a precision of at least 2 for ~e", digits)
    mantissa, _, power = f"{_float(value):.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power):+d}"


def _general(value: Any, precision: int | None, unicode: bool) -> str:
    number, digits = _float(value), 6 if precision is None else precision
    if digits < 1:
        refuse("a precision of at least 1 for ~g", digits)
    size = abs(number)
    if not 0.1 <= size < 10_000:
        return _exponent(value, max(2, digits), unicode)
    whole = 0 if size < 1 else 1 if size < 10 else 2 if size < 100 else 3 if size < 1000 else 4
    if digits <= 1 or digits + 1 <= whole + 1:
        return _exponent(value, max(2, digits), unicode)
    return _fixed(value, digits - max(1, whole) if size >= 1 else digits, unicode)


def _pretty(value: Any, _precision: int | None, unicode: bool) -> str:
    return term_text(value, unicode=unicode, pretty=True)


def _written(value: Any, _precision: int | None, unicode: bool) -> str:
    return term_text(value, unicode=unicode, pretty=False)


_WRITERS: Final[dict[str, Any]] = {
    "s": None.__class__, "c": None.__class__, "i": None.__class__, "b": _integer, "B": _integer_upper, "f": _fixed,
    "e": _exponent, "g": _general, "p": _pretty, "w": _written, "x": _integer, "X": _integer_upper, "#": _with_base,
    "+": _with_base_lower,
}  # fmt: skip


def _atom(value: Any) -> str:
    return "undefined" if value is UNDEFINED else "null" if value is None else "true" if value else "false"


def term_text(value: Any, *, unicode: bool, pretty: bool) -> str:
    """A value in Erlang's notation: `<<"a">>`, `[1,2]`, `#{<<"k">> => 1}`."""
    if value is UNDEFINED or value is None or type(value) is bool:
        return _atom(value)
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return shortest(value)
    if type(value) is list:
        if pretty and value and is_printable(value):
            return '"' + _quoted("".join(map(chr, value))) + '"'
        return "[" + ",".join(term_text(v, unicode=unicode, pretty=pretty) for v in value) + "]"
    if type(value) is dict:
        pairs = (
            f"{term_text(k, unicode=unicode, pretty=pretty)} => {term_text(value[k], unicode=unicode, pretty=pretty)}"
            for k in sorted(value)
        )
        return "#{" + ",".join(pairs) + "}"
    return _binary(octets(value), unicode, pretty)


def _binary(raw: bytes, unicode: bool, pretty: bool) -> str:
    if pretty and is_printable(list(raw)) and (raw.isascii() or not unicode):
        return f'<<"{_quoted(raw.decode("latin-1"))}">>' if raw else "<<>>"
    if pretty and unicode and type(text := text_of(raw)) is str and text.isprintable():
        return f'<<"{_quoted(text)}"/utf8>>'
    return f"<<{','.join(map(str, raw))}>>"


def _quoted(text: str) -> str:
    names = {
        '"': '\\"',
        "\\": "\\\\",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\b": "\\b",
        "\f": "\\f",
        "\x1b": "\\e",
    }
    return "".join(names.get(c, c) for c in text)


def shortest(value: float) -> str:
    """The shortest digits for this float, with an exponent if that is shorter."""
    sign = "-" if repr(value).startswith("-") else ""
    mantissa, _, power = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + ("" if fraction == "0" else fraction)).lstrip("0")
    if not digits:
        return sign + "0.0"
    leading = len(whole) if whole != "0" else -(len(fraction) - len(fraction.lstrip("0")))
    place = leading + int(power or 0)
    return sign + _placed(place, digits.rstrip("0"))


def _placed(place: int, digits: str) -> str:
    """`digits` with a decimal point after the first `place` digits, or with an exponent."""
    if place == 0:
        return "0." + digits
    count = len(digits)
    if 0 < place < count:
        return f"{digits[:place]}.{digits[place:]}"
    power = str(place - 1)
    cost = len(power) + 1 + (2 if count == 1 else 1)
    if place < 0 and 2 - place <= cost:
        return "0." + "0" * -place + digits
    if place > 0 and place - count + 2 <= cost:
        return digits + "0" * (place - count) + ".0"
    return f"{digits[0]}.{digits[1:] or '0'}e{power}"
