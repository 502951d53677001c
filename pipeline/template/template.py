"""Templates: text with `${path}` in it, rendered from one row, byte for byte.

Three kinds of placeholder:

    ${a.b}  ${.a}  ${.}  ${}     a path of [A-Za-z0-9._]*, as EMQX defines it; `${.}` and `${}` are the whole row as JSON
    ${a | date('%Y')}            with a `|` in it: a sandboxed Jinja expression (`filters.py` has the filters)
    ${% if … %} ${# … #}         Jinja statements and comments

`${$}` is a dollar sign. Any other text, such as `${ a }`, `${a-b}` or `${l[1]}`, is literal, as in EMQX. An expression
needs a `|`, which distinguishes both. Only templates with Jinja in them pay for Jinja.

This file knows rows. It does not know keys, buckets or actions. Source: the dialect's template rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pipeline.errors import RenderError, TemplateSyntaxError
from pipeline.sql.runtime.jsontext import NotJsonError, from_json, to_text
from pipeline.sql.runtime.values import TEXT_LENGTH_MAX, UNDEFINED, BadValueError, Text, octets, text_of

if TYPE_CHECKING:
    from pipeline.template.jinja import Expressions

Decode = Callable[[Any], Any]
Missing = Literal["undefined", "empty", "null", "dead_letter"]

TEMPLATE_CHARACTERS_MAX: Final = 1_048_576
# With fewer pieces than this, the output cannot be much larger than the row.
MANY_PIECES: Final = 16
# Characters of a template that an error shows.
SHOWN_CHARACTERS: Final = 200
MISSING_TEXT: Final[Mapping[str, str]] = {
    "undefined": "undefined",
    "empty": "",
    "null": "null",
    "dead_letter": "undefined",
}
# Private characters as delimiters of Jinja, because no template contains them.
START: Final = "\ue0f0"
END: Final = "\ue0f1"
_PATH: Final = re.compile(r"\$\{(\$|[A-Za-z0-9._]*)\}")
_JINJA: Final = re.compile(r"\$\{(?:%(?P<statement>.*?)%\}|#.*?#\})", re.DOTALL)
# An expression: text, quoted strings and balanced brackets up to the closing brace.
_EXPRESSION: Final = re.compile(r"""\$\{((?:[^{}'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{[^{}]*\})*)\}""", re.DOTALL)


class Placeholder(NamedTuple):
    """A path. `name` is its name in messages. No keys means the whole row."""

    name: str
    keys: tuple[str, ...]


class _Jinja(NamedTuple):
    """A piece of Jinja between the delimiters of its environment."""

    source: str


class Checked(NamedTuple):
    """A rendered template, and the names of the placeholders without a value."""

    content: bytes
    missing: list[str]


class Template:
    """A parsed template. Raises TemplateSyntaxError when made; rendering raises RenderError.

    `missing` decides what a path without a value becomes: the word `undefined` or `null`, an empty text, or, with
    `dead_letter`, a RenderError. JSON's null is a value, and becomes `null`. `names`: the top-level names that are
    read, None for all. `literals`: the texts before, between and after the placeholders; None if statements decide
    which of them appear.
    """

    __slots__ = ("_expressions", "_missing", "_missing_text", "_pieces", "literals", "names", "text")

    def __init__(self, text: str, *, missing: Missing = "undefined") -> None:
        if missing not in MISSING_TEXT:
            raise TemplateSyntaxError(
                f"expected one of {', '.join(MISSING_TEXT)} for missing values, found {missing!r}"
            )
        if len(text) > TEMPLATE_CHARACTERS_MAX:
            raise TemplateSyntaxError(f"a template has at most {TEMPLATE_CHARACTERS_MAX} characters, found {len(text)}")
        _refuse_surrogates(text)
        self.text = text
        self._missing = missing
        self._missing_text = MISSING_TEXT[missing]
        pieces = _pieces(text)
        self._expressions = _expressions(text, pieces)
        self.literals = _literals(pieces)
        self._pieces = [p for p in pieces if not isinstance(p, _Jinja)]
        self.names = self._names()

    def render(self, row: Mapping[str, Any]) -> bytes:
        """The exact bytes."""
        rendered, missing = self._rendered(row)
        self._refuse(missing)
        return octets(rendered)

    def render_text(self, row: Mapping[str, Any]) -> str:
        """The text, for keys and names. Also raises RenderError for bytes that are not valid UTF-8."""
        rendered, missing = self._rendered(row)
        self._refuse(missing)
        if type(rendered) is not str:
            raise RenderError(f"the template {quoted(self.text)} gives bytes that are not UTF-8: {rendered[:80]!r}")
        return rendered

    def render_checked(self, row: Mapping[str, Any]) -> Checked:
        """The bytes with the texts for missing values, and the names of these."""
        rendered, missing = self._rendered(row)
        return Checked(octets(rendered), missing)

    def _refuse(self, missing: list[str]) -> None:
        if missing and self._missing == "dead_letter":
            names = ", ".join([*dict.fromkeys(missing)][:10])[:1000]
            raise RenderError(f"the template {quoted(self.text)} needs {names}, which the row does not have")

    def _rendered(self, row: Mapping[str, Any]) -> tuple[Text, list[str]]:
        missing: list[str] = []
        try:
            if self._expressions is not None:
                return self._expressions.render(row, self._missing_text, missing), missing
            decode = once() if len(self._pieces) > 1 else decoded_text
            texts = [
                piece if type(piece) is str else self._value(piece, row, missing, decode) for piece in self._pieces
            ]
            if len(texts) > MANY_PIECES and (size := sum(map(len, texts))) > TEXT_LENGTH_MAX:
                raise BadValueError(f"it makes text of {size} characters, expected at most {TEXT_LENGTH_MAX}")
        except (BadValueError, RecursionError) as error:
            raise RenderError(f"the template {quoted(self.text)} cannot be rendered: {error}") from error
        if len(texts) == 1:
            return texts[0], missing
        try:
            return "".join(texts), missing  # type: ignore[arg-type]
        except TypeError:
            return text_of(b"".join(map(octets, texts))), missing

    def _value(self, piece: Any, row: Mapping[str, Any], missing: list[str], decode: Decode) -> Text:
        value = lookup(row, piece.keys, decode)
        if type(value) is str:
            return value
        if value is UNDEFINED:
            missing.append(piece.name)
            return self._missing_text
        return to_text(value)

    def _names(self) -> frozenset[str] | None:
        placeholders = [piece for piece in self._pieces if isinstance(piece, Placeholder)]
        if any(not piece.keys for piece in placeholders):
            return None
        names = {piece.keys[0] for piece in placeholders}
        return frozenset(names | self._expressions.names if self._expressions else names)


def quoted(text: str) -> str:
    """A template's text, or its beginning, for an error."""
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")


def once() -> Decode:
    """A `decoded_text` for one row that reads each string once, because `${payload.a} ${payload.b}` read the same string."""
    known: dict[
        int, tuple[Any, Any]
    ] = {}  # by the string's identity: the string, so that it stays alive, and its value

    def decode(text: Any) -> Any:
        found = known.get(id(text))
        if found is None:
            found = known[id(text)] = text, decoded_text(text)
        return found[1]

    return decode


def decoded_text(text: Any) -> Any:
    """The JSON value in a string, or `undefined` if it is not JSON."""
    try:
        return from_json(text)
    except NotJsonError:
        return UNDEFINED


def lookup(row: Mapping[str, Any], keys: tuple[str, ...], decode: Decode = decoded_text) -> Any:
    """The value at a path of keys, or `undefined`. One string on the way is read as JSON, by `decode`."""
    if not keys:
        return row if type(row) is dict else dict(row)
    value = row.get(keys[0], UNDEFINED)
    decoded = False
    for key in keys[1:]:
        if not decoded and (type(value) is str or type(value) is bytes):
            decoded = True
            value = decode(value)
        value = value.get(key, UNDEFINED) if type(value) is dict else UNDEFINED
    return value


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TemplateSyntaxError(
            f"a template is Unicode text; character {error.start + 1} is half a surrogate pair: {text[error.start]!a}"
        ) from error


def _pieces(text: str) -> list[str | Placeholder | _Jinja]:
    """Literal text, placeholders and Jinja in order. Neighbouring literals are joined."""
    pieces: list[str | Placeholder | _Jinja] = []
    literal, position = "", 0
    while (start := text.find("${", position)) >= 0:
        literal += text[position:start]
        piece, position = _piece(text, start)
        if type(piece) is str:
            literal += piece
            continue
        if literal:
            pieces.append(literal)
        literal = ""
        pieces.append(piece)
    literal += text[position:]
    return [*pieces, literal] if literal or not pieces else pieces


def _piece(text: str, start: int) -> tuple[str | Placeholder | _Jinja, int]:
    """The piece that begins with the `${` at `start`, and its end."""
    match = _PATH.match(text, start)
    if match:
        return (("$" if match[1] == "$" else _placeholder(match[1])), match.end())
    match = _JINJA.match(text, start)
    if match:
        statement = match["statement"]
        return (_Jinja(f"{START}%{statement}%{END}" if statement is not None else f"{START}##{END}"), match.end())
    match = _EXPRESSION.match(text, start)
    if match and "|" in match[1]:
        # Spaces, because Jinja takes a sign beside its delimiters for an instruction about white space.
        return _Jinja(f"{START}{{ {match[1]} }}{END}"), match.end()
    return "${", start + 2


def _literals(pieces: list[str | Placeholder | _Jinja]) -> tuple[str, ...] | None:
    found = [""]
    for piece in pieces:
        if isinstance(piece, _Jinja) and not piece.source.startswith(f"{START}{{"):
            return None
        if isinstance(piece, str):
            found[-1] += piece
        else:
            found.append("")
    return tuple(found)


def _placeholder(path: str) -> Placeholder:
    name = path.removeprefix(".")
    return Placeholder(name or ".", tuple(name.split(".")) if name else ())


def _expressions(text: str, pieces: list[str | Placeholder | _Jinja]) -> Expressions | None:
    """The template as Jinja, if any piece needs it. Paths become calls of `lookup`, and literals stay unchanged."""
    if not any(isinstance(piece, _Jinja) for piece in pieces):
        return None
    if START in text or END in text:
        raise TemplateSyntaxError(
            f"the characters U+{ord(START):X} and U+{ord(END):X} cannot stand beside an expression"
        )
    source = ""
    paths: list[Placeholder] = []
    for piece in pieces:
        if isinstance(piece, Placeholder):
            source += f"{START}{{__path({len(paths)})}}{END}"
            paths.append(piece)
        else:
            source += piece.source if isinstance(piece, _Jinja) else piece
    from pipeline.template.jinja import Expressions  # imported here, because most templates have only paths

    return Expressions(text, source, tuple(paths), lookup)
