"""A secret of the configuration: a reference or a clear text. The code that opens a connection reads its value.

Loading reads neither environment nor files, so a process without the worker's environment can load, show and store a
configuration. `reveal` reads a file each time, so the file can be replaced while a process runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pipeline.config.base.environment import Spelled, Unset, is_reference, resolve, shown
from pipeline.errors import ConfigError
from pipeline.hidden import hide

_FILE: Final = "file://"
MASK: Final = "******"


class Secret:
    """`written` is the text as it stands in the file: `${NAME}`, `${NAME:-default}`, `file:///path`, or the secret itself.

    str and repr never show a clear secret or the default of a reference.
    """

    __slots__ = ("written",)

    def __init__(self, written: str) -> None:
        self.written = written
        if not is_reference(written) and not written.startswith(_FILE):
            hide(written)

    def reveal(self, environment: Mapping[str, str] | None = None) -> str:
        """The secret as clear text. Raises ConfigError, which names the variable or the file and never the secret."""
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

    def file(self, environment: Mapping[str, str] | None = None) -> Path | None:
        """The file that holds the secret, and may be replaced while a process runs; None if none does. Raises ConfigError."""
        return _path(self._resolved(environment))

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
