"""`${NAME}` and `${NAME:-default}`: the value of a setting comes from the environment of the process.

If a variable is not set or is empty, the default counts, as in a shell. The declaration of a setting says whether it may be a
reference (section.py). The environment comes as an argument, so this file never reads that of the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

PATTERN: Final = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Resolved(str):
    """A text after its references were replaced. `written` is the text before."""

    written: str

    def __new__(cls, text: str, written: str) -> Resolved:
        """Both texts."""
        self = super().__new__(cls, text)
        self.written = written
        return self


class Spelled(int):
    """A number in a file. `written` is its text, which counts for text settings and secrets: there, 1_000 is not 1000."""

    written: str

    def __new__(cls, written: str) -> Spelled:
        """The number; `written` is decimal, or hexadecimal with 0x."""
        self = super().__new__(cls, written, 16 if "0x" in written else 10)
        self.written = written
        return self


class Unset(NamedTuple):
    """Replaces a value that is not known. No setting accepts it, so validation names the setting."""

    reason: str


def resolve(text: str, environment: Mapping[str, str], *, strict: bool = True) -> str | Unset:
    """`text` itself if it has no reference, else a Resolved. Unset if a variable has neither value nor default.

    `strict`: a `${` that does not begin a reference is Unset too. Otherwise it stays unchanged, since it may be part of
    a password.
    """
    if "${" not in text:
        return text
    unset = [name for name, default in references(text) if default is None and name not in environment]
    if unset:
        return Unset(f"the environment variable {unset[0]} is not set")
    if strict and "${" in _REFERENCE.sub("", text):
        return Unset("expected ${NAME} or ${NAME:-default}, found a ${ that is neither")
    if strict and any("${" in (default or "") for _, default in references(text)):
        return Unset("expected ${NAME:-default} with a plain default, found a ${ within it")
    return Resolved(_REFERENCE.sub(lambda found: _value(found, environment), text), text)


def references(text: str) -> list[tuple[str, str | None]]:
    """Name and default of each reference in `text`. The default is None if the reference has none."""
    return [(found[1], found[2]) for found in _REFERENCE.finditer(text)]


def shown(text: str) -> str:
    """`text` without the defaults of its references, since these may be secrets."""
    return _REFERENCE.sub(lambda found: f"${{{found[1]}}}" if found[2] is None else f"${{{found[1]}:-…}}", text)


def is_reference(text: str) -> bool:
    """Whether `text` is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    value = environment.get(found[1], "")
    return value if value or found[2] is None else found[2]
