"""`${NAME}` and `${NAME:-default}`: a setting whose value is in the environment of the process.

A variable that is not set, or is empty, has the default, as in a shell. Which settings may be references is said where they
are declared (section.py). The environment comes as an argument; this file asks the machine for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

PATTERN: Final = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Resolved(str):
    """A text in which references were replaced. `written` is the text with them."""

    written: str

    def __new__(cls, text: str, written: str) -> Resolved:
        """Both texts."""
        self = super().__new__(cls, text)
        self.written = written
        return self


class Spelled(int):
    """A number of a file. `written` is its text, for settings that take a text and for secrets: 1_000 is not 1000 there."""

    written: str

    def __new__(cls, written: str) -> Spelled:
        """The number; `written` is decimal, or hexadecimal with 0x."""
        self = super().__new__(cls, written, 16 if "0x" in written else 10)
        self.written = written
        return self


class Unset(NamedTuple):
    """Stands in the place of a value that is not known. No setting takes it, so validation names the setting."""

    reason: str


def resolve(text: str, environment: Mapping[str, str], *, strict: bool = True) -> str | Unset:
    """`text` itself if it has no reference; else a Resolved, or Unset if a variable has neither value nor default.

    `strict`: a `${` that begins no reference is Unset too; otherwise it stays as it is, since it may be part of a password.
    """
    if "${" not in text:
        return text
    unset = [name for name, default in references(text) if default is None and name not in environment]
    if unset:
        return Unset(f"the environment variable {unset[0]} is not set")
    if strict and "${" in _REFERENCE.sub("", text):
        return Unset("expected ${NAME} or ${NAME:-default}, found a ${ that is neither")
    return Resolved(_REFERENCE.sub(lambda found: _value(found, environment), text), text)


def references(text: str) -> list[tuple[str, str | None]]:
    """Name and default of each reference in `text`; without a default None."""
    return [(found[1], found[2]) for found in _REFERENCE.finditer(text)]


def shown(text: str) -> str:
    """`text` with its references but without their defaults, which may be secrets."""
    return _REFERENCE.sub(lambda found: f"${{{found[1]}}}" if found[2] is None else f"${{{found[1]}:-…}}", text)


def is_reference(text: str) -> bool:
    """Whether `text` is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    value = environment.get(found[1], "")
    return value if value or found[2] is None else found[2]
