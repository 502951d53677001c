"""The table of functions: each is declared once, with what the compiler, the manual and the tests need.

    @function("substr(text: string, start: integer[, length: integer]) -> string",
              example=("substr('hello world!', 6, 5)", "'world'"))
    def substr(text, start, length=None):
        '''Characters from the 0-based `start` on. Raises for a negative start.'''

The signature gives name, arity and types; several signatures are overloads by number of arguments. A declared type is
checked before the function is called, at creation for a literal. The docstring is the manual's text, the example is run
by the tests. `reads="event"` or `"context"` adds that object as the first argument; `message=True` marks the functions
that read the current message and therefore know nothing in WHERE and INCASE. `grows=True` bounds text that may be much
longer than the arguments, or that grows with each call of a chain.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pipeline.sql.runtime.jsontext import NotJsonError, from_json
from pipeline.sql.runtime.values import Text, bounded_text, refuse

Implementation = Callable[..., Any]
F = TypeVar("F", bound=Implementation)


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Signature:
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


@dataclass(frozen=True, slots=True)
class Declaration:
    """One function of the language."""

    name: str
    theme: str
    signatures: tuple[Signature, ...]
    call: Implementation
    doc: str
    examples: tuple[tuple[str, str], ...]
    reads: str
    message: bool

    def overload(self, count: int) -> Signature | None:
        """The signature that takes `count` arguments."""
        return next((s for s in self.signatures if s.takes(count)), None)


# The module that the original dialect lets a call name.
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
) -> Callable[[F], F]:
    """Declares the decorated function under the name in its signature."""

    def declare(call: F) -> F:
        parsed = tuple(_parse(text) for text in signatures)
        name = signatures[0].partition("(")[0]
        theme = call.__module__.rpartition(".")[2]
        doc = " ".join((call.__doc__ or "").split())
        shown = (example, *examples) if example else examples
        FUNCTIONS[name] = Declaration(
            name, theme, parsed, _bounded(call) if grows else call, doc, shown, reads, message
        )
        return call

    return declare


def _bounded(call: Implementation) -> Implementation:
    return lambda *arguments: bounded_text(call(*arguments))


def _parse(text: str) -> Signature:
    match = _SIGNATURE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a signature: {text}")
    parameters = tuple(Parameter(*found) for found in _PARAMETER.findall(match[2]))
    required = len(_PARAMETER.findall(match[2].partition("[")[0]))
    required -= bool(parameters) and parameters[-1].name == "…" and required == len(parameters)
    return Signature(text, parameters, required, match[3])


def find(name: str) -> Declaration | None:
    """The function called `name`, which may carry the original's module name in front."""
    module, _, bare = name.rpartition(".")
    if module not in ("", MODULE):
        return None
    return FUNCTIONS.get(bare)


def near(name: str) -> str | None:
    """The function that a mistyped name may have meant."""
    found = difflib.get_close_matches(name.lower().rpartition(".")[2], FUNCTIONS, n=1, cutoff=0.7)
    return found[0] if found else None


# --- The declared types: each checks, and converts where the dialect does


def as_string(value: Any) -> Text:
    """Strings, and true and false as their words."""
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
    """A map, or a string that holds a JSON object."""
    if type(value) is dict:
        return value
    if type(value) is str or type(value) is bytes:
        try:
            found = from_json(value)
        except NotJsonError:
            found = None
        if type(found) is dict:
            return found
    return refuse("a map, or a string that holds a JSON object", value)


def as_binary(value: Any) -> Text:
    """Strings only, no words for booleans."""
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

# Which static types of an expression need no check for a declared type.
FITS: Final[dict[str, frozenset[str]]] = {
    "string": frozenset({"string"}),
    "binary": frozenset({"string"}),
    "integer": frozenset({"integer"}),
    "number": frozenset({"integer", "float", "number"}),
    "float": frozenset({"float"}),
    "list": frozenset({"list"}),
    "map": frozenset({"map"}),
}
