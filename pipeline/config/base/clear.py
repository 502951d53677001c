"""Clear texts in a configuration that are secrets, or may be: which, whether they may be stored, and what replaces them. Pure.

Besides the settings that are secrets, a header and a setting of no effect can hold one. Headers whose names say that they
describe an object are harmless, and may be clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipeline.config.base.sealed import key_of
from pipeline.config.base.secrets import MASK, Secret
from pipeline.config.base.section import Section, keys_of, statement_of
from pipeline.errors import ConfigError

Path = tuple[str | int, ...]
# Headers that say what an object is, and that everybody who reads the object reads too.
_HARMLESS: Final = re.compile(
    r"(?i)cache-control|content-[a-z-]+|expires|x-amz-(acl|storage-class|tagging|website-redirect-location)"
    r"|x-amz-meta-[a-z0-9_-]+|x-amz-server-side-encryption|x-amz-(checksum|object-lock|sdk)-[a-z0-9-]+"
)
# Names inside a setting of free form that are those of secrets.
_SECRET_NAME: Final = re.compile(r"(?i)secret|passw|token|authorization|api[-_]?key|credential|private|cookie")
_WAYS_OUT: Final = (
    "expected a secret as ${NAME} or file:///path, found a clear one, which the topic never holds; give a reference, or make a"
    " key with `tidegate secrets init`, and clear secrets are sealed for the workers"
)


class ClearText(NamedTuple):
    """A text in a configuration that is a secret, or may be one. `problem`: why it can be neither stored nor sealed."""

    path: Path
    text: str
    is_harmless: bool = False
    problem: str = ""

    def __repr__(self) -> str:
        return f"ClearText({self.path!r})"


def clear_in(value: Any, path: Path) -> Iterator[ClearText]:
    """Every clear text that is a secret or may be one, and every sealed one that is not whole."""
    if isinstance(value, Secret):
        yield from _clear(value, path)
    elif isinstance(value, Section):
        for name, field in type(value).model_fields.items():
            inner, at = getattr(value, name), (*path, keys_of(name, field)[0])
            said = statement_of(field)
            yield from _named(inner, at) if said and said.syntax == "emqx" else clear_in(inner, at)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from clear_in(each, (*path, name))


def _clear(secret: Secret, path: Path) -> Iterator[ClearText]:
    if secret.is_sealed:
        try:
            key_of(secret.written)
        except ConfigError as error:
            yield ClearText(path, secret.written, problem=str(error))
    elif secret.is_clear:
        yield ClearText(path, secret.written, is_harmless(path), _unsealable(secret))


def is_harmless(path: Path) -> bool:
    """Whether this is a header whose value is not a secret."""
    return len(path) > 1 and path[-2] == "headers" and _HARMLESS.fullmatch(str(path[-1])) is not None


def _unsealable(secret: Secret) -> str:
    if secret.written == MASK:
        return f"expected the secret itself: {MASK} stands for a stored one"
    return (
        "expected ${NAME} without a default and without text around it, found a clear one"
        if secret.has_reference
        else ""
    )


def _named(value: Any, path: Path, secret: bool = False) -> Iterator[ClearText]:
    """The texts in plain data whose name, or that of what they are in, is that of a secret."""
    if isinstance(value, str):
        written = Secret(value)
        if secret and value and (written.is_clear or written.is_sealed):
            yield from _clear(written, path)
    elif isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            inner = secret or (isinstance(name, str) and _SECRET_NAME.search(name) is not None)
            yield from _named(each, (*path, name), inner)


def refusal_of(clear: ClearText, *, seals: bool) -> str:
    """Why it cannot be stored; empty if it can. `seals`: there is a key that clear secrets are sealed with."""
    if clear.is_harmless:
        return ""
    return clear.problem or ("" if seals else _WAYS_OUT)


def replaced(value: Any, path: Path, text: str) -> Any:
    """Plain data with another text at a path."""
    if not path:
        return text
    head, *rest = path
    if isinstance(value, list):
        return [replaced(each, tuple(rest), text) if number == head else each for number, each in enumerate(value)]
    return {**value, head: replaced(value[head], tuple(rest), text)}
