"""Object keys of aggregated uploads: which rows belong together, and what their object is called.

A key template mixes three kinds of placeholders: fields of the row (`${type}`), facts of the row's window and action
(`${datetime.YYYY}`, `${action}`), and facts of the chunk that are known when it is closed (`${partition}`, `${offset}`, the
first one, `${epoch}`). Rendering all but the last kind gives the *group*: rows of one partition with the same group become one
object after the other. A key that names partition, first offset and epoch names the same rows whoever writes it; what of the
three a template lacks is put before its extension.

Pure: the row's arrival time is an argument, and no clock is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.errors import ConfigError
from pipeline.template import Template

# Stand for the chunk's facts inside a group. Control characters that no placeholder renders: see _clean.
_MARKS: Final = {"partition": "\x01p", "offset": "\x01o", "epoch": "\x01e"}
_RESERVED: Final = {"action", "node", "datetime", "datetime_until", "sequence", *_MARKS}
_PARTS: Final = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S", "DOY": "%j"}
_LONG: Final = ("rfc3339utc", "rfc3339", "unix")
_TIME_PLACEHOLDER: Final = re.compile(r"\$\{\.?(datetime(?:_until)?)(?:\.([A-Za-z0-9_.]*))?\}")
_GROUPS_CACHED_MAX: Final = 10_000


class KeyTemplate:
    """A key template of one action. Raises ConfigError for a time format that does not exist."""

    def __init__(self, text: str, *, action: str, node: str, interval_seconds: float, missing: str) -> None:
        _check_times(text)
        self.text = _complete(text)
        self._template = Template(self.text, missing=missing)
        self._row_names = tuple(sorted(self._template.names - _RESERVED))
        self._fixed = {"action": action, "node": node, **_MARKS, "sequence": _MARKS["offset"]}
        self._interval_ms = int(interval_seconds * 1000)
        self._windows: dict[int, dict[str, Any]] = {}
        self._groups: dict[tuple[int, tuple[Any, ...]], str] = {}

    def group(self, row: Mapping[str, Any], timestamp_ms: int) -> str:
        """The group of a row that arrived at `timestamp_ms`. Raises RenderError."""
        window = timestamp_ms // self._interval_ms
        values = tuple([row.get(name) for name in self._row_names])
        for value in values:
            if type(value) is not str:  # 1, 1.0 and True are one dictionary key and three texts
                return self._render(row, window)
        key = (window, values)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= _GROUPS_CACHED_MAX:
                self._groups.clear()
            group = self._groups[key] = self._render(row, window)
        return group

    def key(self, group: str, *, partition: str, offset: int, epoch: int) -> str:
        """The object key of the chunk of `group` whose first row came from `offset`."""
        return (
            group.replace(_MARKS["partition"], partition)
            .replace(_MARKS["offset"], str(offset))
            .replace(_MARKS["epoch"], str(epoch))
        )

    def _render(self, row: Mapping[str, Any], window: int) -> str:
        times = self._windows.get(window)
        if times is None:
            if len(self._windows) >= 1000:
                self._windows.clear()
            times = self._windows[window] = self._times(window)
        return self._template.render_text({**_clean(row, self._row_names), **self._fixed, **times})

    def _times(self, window: int) -> dict[str, Any]:
        start = window * self._interval_ms // 1000
        return {
            "datetime": _formats(start),
            "datetime_until": _formats(start + -(-self._interval_ms // 1000)),
        }


def _clean(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The row's values that the key uses; a text that holds our marks loses them, or a device could forge an offset."""
    found = {}
    for name in names:
        if name in row:
            value = row[name]
            found[name] = value.replace("\x01", "_") if isinstance(value, str) else value
    return found


def _formats(unix_seconds: int) -> dict[str, Any]:
    """All time formats of one instant. A colon, which many tools cannot take in a key, becomes an underscore."""
    utc = datetime.fromtimestamp(unix_seconds, UTC)
    local = utc.astimezone()
    utc_parts = {name: utc.strftime(code) for name, code in _PARTS.items()}
    return {
        **utc_parts,
        "utc": utc_parts,
        "local": {name: local.strftime(code) for name, code in _PARTS.items()},
        "rfc3339utc": utc.strftime("%Y-%m-%dT%H_%M_%SZ"),
        "rfc3339": local.isoformat(timespec="seconds").replace(":", "_"),
        "unix": unix_seconds,
    }


def _check_times(text: str) -> None:
    known = [*_LONG, *_PARTS, *(f"{zone}.{part}" for zone in ("utc", "local") for part in _PARTS)]
    for found in _TIME_PLACEHOLDER.finditer(text):
        if found[2] not in known:
            raise ConfigError(f"no time format {found[0]!r} in the key {text!r}; there are: {', '.join(known)}")


def _complete(text: str) -> str:
    """Put what the template lacks of partition, first offset and epoch before its extension."""
    lacking = [
        f"${{{name}}}"
        for name in _MARKS
        if f"${{{name}}}" not in text and not (name == "offset" and "${sequence}" in text)
    ]
    if not lacking:
        return text
    masked = re.sub(r"\$\{[^}]*\}", lambda found: "x" * len(found[0]), text)
    name_start = masked.rfind("/") + 1
    dot = masked.find(".", name_start)
    at = len(text) if dot < 0 else dot
    glue = "" if at == name_start else "-"
    return text[:at] + glue + "-".join(lacking) + text[at:]
