"""The table of functions. Each function is declared once, with everything that the compiler, the manual and the tests
need.

    @function("substr(text: string, start: integer[, length: integer]) -> string",
              example=("substr('hello world!', 6, 5)", "'world'"))
    def substr(text, start, length=None):
        '''Characters from the 0-based `start` on. Raises for a negative start.'''

The signature gives the name, the number of arguments and the types. Several signatures are overloads with different
numbers of arguments. A declared type is checked before the function is called, and for a literal when the rule is
compiled. The docstring is the text of the manual, and the tests run the example. `reads="event"` or `"context"` adds
that object as the first argument. `message=True` marks the functions that read the current message; they give
`undefined` in WHERE and INCASE. `grows=True` bounds text that may be much longer than the arguments, or that grows with
each call of a chain. `unpacks=True` counts what a function makes that has a bound of its own: a few bytes may hold megabytes,
and the rows of a batch take the memory of what was made. In FOREACH, `cost` says how many times longer a call takes than
one that only reads its arguments, and `seconds_max` bounds the time of all calls for one record, for functions whose time
no size tells.
`judges` are checks of parameters beyond their type, such as whether a text is a regular expression: a literal that fails one is
refused when the rule is compiled, because the call would fail for each record.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from msgspec import Struct

from pipeline.sql.runtime.jsontext import NotJsonError, from_json
from pipeline.sql.runtime.looping import memory_of
from pipeline.sql.runtime.values import Text, bounded_text, refuse

Implementation = Callable[..., Any]
Judge = Callable[[Any], object]  # raises BadValueError


class _Grown(threading.local):
    """What the functions that grow have made in this thread. Whoever makes rows of records reads it before and after."""

    bytes = 0


grown: Final = _Grown()
F = TypeVar("F", bound=Implementation)


class Parameter(Struct, frozen=True):
    name: str
    type: str


class Signature(Struct, frozen=True):
    """One overload. The first `required` parameters must be given."""

    text: str
    parameters: tuple[Parameter, ...]
    required: int
    result: str

    def takes(self, count: int) -> bool:
        return self.required <= count <= len(self.parameters) or (self.variadic and count >= self.required)

    @property
    def variadic(self) -> bool:
        return bool(self.parameters) and self.parameters[-1].name == "…"


class Declaration(Struct, frozen=True):
    """One function of the language."""

    name: str
    theme: str
    signatures: tuple[Signature, ...]
    call: Implementation
    doc: str
    examples: tuple[tuple[str, str], ...]
    reads: str
    message: bool
    grows: bool
    cost: int
    seconds_max: float
    judges: Mapping[str, Judge]

    def overload(self, count: int) -> Signature | None:
        """The signature that takes `count` arguments."""
        return next((s for s in self.signatures if s.takes(count)), None)

    def wrong_count(self, count: int) -> str:
        """The message for a number of arguments that no signature takes."""
        signatures = " or ".join(signature.text for signature in self.signatures)
        return f"wrong number of arguments for {self.name}(): found {count}, expected {signatures}"


# The module that a call may name in the original dialect.
MODULE: Final = "emqx_rule_funcs"

FUNCTIONS: Final[dict[str, Declaration]] = {}

_SIGNATURE: Final = re.compile(r"(\w+)\((.*)\) -> (\w+)")
_PARAMETER: Final = re.compile(r"(\w+|…): (\w+)")


def function(
    *signatures: str,
    example: tuple[str, str] | None = None,
    examples: tuple[tuple[str, str], ...] = (),
    reads: str = "",
    message: bool = False,
    grows: bool = False,
    unpacks: bool = False,
    cost: int = 1,
    seconds_max: float = 0.0,
    judges: Mapping[str, Judge] = MappingProxyType({}),
) -> Callable[[F], F]:
    """Declare the decorated function under the name in its signature."""

    def declare(call: F) -> F:
        parsed = tuple(_parse(text) for text in signatures)
        name = signatures[0].partition("(")[0]
        theme = call.__module__.rpartition(".")[2]
        doc = " ".join((call.__doc__ or "").split())
        shown = (example, *examples) if example else examples
        noted = _bounded(call) if grows else _unpacking(call) if unpacks else call
        FUNCTIONS[name] = Declaration(
            name, theme, parsed, noted, doc, shown, reads, message, grows or unpacks, cost, seconds_max, judges
        )
        return call

    return declare


def _bounded(call: Implementation) -> Implementation:
    def bounded(*arguments: Any) -> Any:
        text = bounded_text(call(*arguments))
        grown.bytes += len(text)
        return text

    return bounded


def _unpacking(call: Implementation) -> Implementation:
    def unpacking(*arguments: Any) -> Any:
        made = call(*arguments)
        grown.bytes += memory_of(made)
        return made

    return unpacking


def _parse(text: str) -> Signature:
    match = _SIGNATURE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a signature: {text}")
    parameters = tuple(Parameter(*found) for found in _PARAMETER.findall(match[2]))
    required = len(_PARAMETER.findall(match[2].partition("[")[0]))
    required -= bool(parameters) and parameters[-1].name == "…" and required == len(parameters)
    return Signature(text, parameters, required, match[3])


def find(name: str) -> Declaration | None:
    """The function called `name`. The name may begin with the module name of the original dialect."""
    module, _, bare = name.rpartition(".")
    if module not in ("", MODULE):
        return None
    return FUNCTIONS.get(bare)


def near(name: str) -> str | None:
    """The function with the most similar name, or None."""
    found = difflib.get_close_matches(name.lower().rpartition(".")[2], FUNCTIONS, n=1, cutoff=0.7)
    return found[0] if found else None


# --- The declared types: each checks, and converts where the dialect does


def as_string(value: Any) -> Text:
    """The value of a string parameter: a string, or the word of true or false. Raises BadValueError otherwise."""
    if type(value) is str or type(value) is bytes:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return refuse("a string", value)


def as_integer(value: Any) -> int:
    return value if type(value) is int else refuse("an integer", value)


def as_number(value: Any) -> int | float:
    return value if type(value) is int or type(value) is float else refuse("a number", value)


def as_float(value: Any) -> float:
    return value if type(value) is float else refuse("a float", value)


def as_list(value: Any) -> list[Any]:
    return value if type(value) is list else refuse("a list", value)


def as_map(value: Any) -> dict[str, Any]:
    """The value of a map parameter: a map, or the map in a string that holds a JSON object. Raises BadValueError otherwise.

    An empty list is an empty map, as in EMQX.
    """
    if type(value) is dict:
        return value
    if type(value) is list and not value:
        return {}
    if type(value) is str or type(value) is bytes:
        try:
            found = from_json(value)
        except NotJsonError:
            found = None
        if type(found) is dict:
            return found
    return refuse("a map, or a string that holds a JSON object", value)


def as_binary(value: Any) -> Text:
    """The value of a binary parameter: a string, and never the word of a boolean. Raises BadValueError otherwise."""
    return value if type(value) is str or type(value) is bytes else refuse("a string", value)


CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "string": as_string,
    "binary": as_binary,
    "integer": as_integer,
    "number": as_number,
    "float": as_float,
    "list": as_list,
    "map": as_map,
}

# For each declared type, the static types of an expression that need no check.
FITS: Final[dict[str, frozenset[str]]] = {
    "string": frozenset({"string"}),
    "binary": frozenset({"string"}),
    "integer": frozenset({"integer"}),
    "number": frozenset({"integer", "float", "number"}),
    "float": frozenset({"float"}),
    "list": frozenset({"list"}),
    "map": frozenset({"map"}),
}
