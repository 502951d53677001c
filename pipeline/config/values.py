"""The value types of the configuration: durations, sizes, secrets and names.

The spellings are those that users of EMQX know: "500ms", "1h30m", "5mb". Numbers without a unit are milliseconds for
durations and bytes for sizes. This file knows no setting by name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

from pipeline.errors import ConfigError

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_NAME = re.compile(r"[0-9a-zA-Z][-0-9a-zA-Z_]*")
_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def parse_duration(value: Any) -> float:
    """Seconds from "500ms", "15s", "1h30m" or a number of milliseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(f"a duration cannot be negative, found {value}")
        return value / 1000
    text = str(value).strip()
    parts = _DURATION_PART.findall(text)
    if not parts or _DURATION_PART.sub("", text).strip():
        raise ValueError(f'expected a duration such as "500ms", "15s" or "1h30m", found {value!r}')
    return sum(float(number) * _DURATION_UNITS[unit.lower()] for number, unit in parts)


def parse_size(value: Any) -> int:
    """Bytes from "5mb", "256KB" or a number; multiples are binary."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(str(value).strip())
    if not found or found[2].lower() not in _SIZE_UNITS:
        raise ValueError(f'expected a size such as "64kb", "5mb" or "1gb", found {value!r}')
    return int(float(found[1]) * _SIZE_UNITS[found[2].lower()])


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > 255:
        raise ValueError(
            f"expected a name of letters, digits, - and _ that begins with a letter or digit, found {value!r}"
        )
    return value


def resolve_secret(text: str) -> str:
    """The secret behind a reference: `file:///path` is read, `${NAME}` is taken from the environment.

    Raises ValueError that names the file or the variable, never the value.
    """
    text = _ENVIRONMENT.sub(_from_environment, text)
    if not text.startswith("file://"):
        return text
    path = Path(text.removeprefix("file://"))
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the secret file {path}: {type(error).__name__}") from None


def _from_environment(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if value is None:
        raise ValueError(f"the environment variable {found[1]} is not set")
    return value


class FileSecret(SecretStr):
    """A secret that lies in a file, read each time it is needed, so that it can be replaced under a running process."""

    def __init__(self, path: str) -> None:
        super().__init__(path)

    def get_secret_value(self) -> str:
        """Raises ConfigError that names the file if it cannot be read."""
        try:
            return resolve_secret(super().get_secret_value())
        except ValueError as error:
            raise ConfigError(str(error)) from None


def _secret(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str | int) or isinstance(value, bool):
        # The value is left out of the message on purpose: it may be the secret in a wrong shape.
        raise ValueError(f"expected a text, file:// or ${{ENVIRONMENT}} reference, found a {type(value).__name__}")
    secret = resolve_secret(str(value))  # also of a file: that it cannot be read is known at the start
    reference = _ENVIRONMENT.sub(_from_environment, str(value))
    return FileSecret(reference) if reference.startswith("file://") else SecretStr(secret)


def host_and_port(value: str) -> str:
    """`value`, if it is host:port."""
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"expected host:port, found {value!r}")
    return value


Seconds = Annotated[float, BeforeValidator(parse_duration)]
Bytes = Annotated[int, BeforeValidator(parse_size)]
Name = Annotated[str, AfterValidator(_check_name)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
