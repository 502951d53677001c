"""A secret of the configuration: a reference, a sealed text or a clear one. The code that opens a connection reads its value.

Loading reads neither environment nor files, so a process without the worker's environment can load, show and store a
configuration. `reveal` reads a file each time, so the file can be replaced while a process runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pipeline.config.base import sealed
from pipeline.config.base.environment import Spelled, Unset, is_reference, references, resolve, shown
from pipeline.errors import ConfigError
from pipeline.hidden import hide

_FILE: Final = "file://"
MASK: Final = "******"
# Before the secret in a header: `Bearer ${NAME}`.
_SCHEME: Final = re.compile(r"(?i)^(?:bearer|basic|token|apikey) (?=\$\{)")


class Secret:
    """`written` is the text as it stands in the file: `${NAME}`, `${NAME:-default}`, `file:///path`, `sealed:…`, or the secret
    itself.

    str and repr never show a clear secret, a sealed one, or the default of a reference.
    """

    __slots__ = ("written",)

    def __init__(self, written: str) -> None:
        self.written = written
        if not is_reference(written) and not written.startswith((_FILE, sealed.PREFIX)):
            hide(written)

    @property
    def is_sealed(self) -> bool:
        """Whether only the workers' key opens it."""
        return self.written.startswith(sealed.PREFIX)

    @property
    def is_clear(self) -> bool:
        """Whether whoever reads the text has the secret, or the default of its reference."""
        if self.is_sealed or self.written.startswith(_FILE):
            return False
        text = _SCHEME.sub("", self.written)
        return not is_reference(text) or references(text)[0][1] is not None

    @property
    def has_reference(self) -> bool:
        """Whether a part of it is a reference."""
        return bool(references(self.written))

    def reveal(self, environment: Mapping[str, str] | None = None) -> str:
        """The secret as clear text. Raises ConfigError, which names the variable, the file or the key, never the secret."""
        if self.is_sealed:
            text = sealed.unseal(self.written)
            hide(text)
            return text
        text = self._resolved(environment)
        path = _path(text)
        if path is None:
            hide(text)
            return text
        try:
            secret = path.read_text(encoding="utf-8").rstrip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the secret file {path}: {type(error).__name__}") from None
        hide(secret)
        return secret

    def file(self) -> Path | None:
        """The file that holds the secret, and may be replaced while a process runs; None if none does. Raises ConfigError."""
        return _path(self._resolved(None))

    def _resolved(self, environment: Mapping[str, str] | None) -> str:
        text = resolve(self.written, os.environ if environment is None else environment, strict=False)
        if isinstance(text, Unset):
            raise ConfigError(text.reason)
        return str(text)

    def __str__(self) -> str:
        if is_reference(self.written):
            return shown(self.written)
        return self.written if self.written.startswith(_FILE) and "${" not in self.written else MASK

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.written == self.written

    def __hash__(self) -> int:
        return hash(self.written)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "password", "examples": ["${S3_SECRET}", "file:///run/secrets/s3"]}


class SecretText(str):
    """The written text of a secret where others have a plain text: in headers. Only the request itself has its value."""

    __slots__ = ()

    def reveal(self) -> str:
        """As Secret.reveal."""
        return Secret(self).reveal()

    @property
    def shown(self) -> str:
        """For people: without what is secret."""
        return str(Secret(self))


def texts_of(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """The written texts of secrets by name."""
    return {name: SecretText(each.written) for name, each in secrets.items()}


def _path(text: str) -> Path | None:
    return Path(text.removeprefix(_FILE)) if text.startswith(_FILE) else None


def _read(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Secret(value.written if isinstance(value, Spelled) else str(value))
    if not isinstance(value, str):
        raise ValueError("expected a text, ${NAME} or file:///path; a secret of another form needs quotes")
    return Secret(value)
