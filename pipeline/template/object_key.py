"""Object keys of aggregated uploads: which rows belong together, and the key of their object.

A key template has three kinds of placeholders: fields of the row (`${type}`), facts of the row's window and action
(`${datetime.YYYY}`, `${action}`), and facts of the chunk that are known when it closes (`${partition}`, `${offset}`, which is
the first offset, and `${epoch}`). Rendering the first two kinds gives the *group*: rows of one partition with the same group
fill one object after the other. A key with partition, first offset and epoch names the same rows for every writer. If a
template lacks one of these three, it is added before the extension.

Pure: the row's arrival time is an argument, and no clock is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pipeline.errors import ConfigError, Part, RenderError
from pipeline.memo import Memo
from pipeline.template import Missing, Template
from pipeline.template.object_names import KEY_BYTES_MAX, bucket_problem, key_problem

GroupName = tuple[str, ...]  # the parts of the key that are rendered for each row, which all rows of a group share

_CHUNK: Final = ("partition", "offset", "epoch")
_CHUNK_PLACEHOLDER: Final = re.compile(r"\$\{\.?(partition|offset|sequence|epoch)\}")
_RESERVED: Final = frozenset({"action", "node", "datetime", "datetime_until"})
FACTS: Final = _RESERVED | {*_CHUNK, "sequence"}  # the names in a key that no row decides
_PARTS: Final = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S", "DOY": "%j"}
_LONG: Final = ("rfc3339utc", "rfc3339", "unix")
_TIME_PLACEHOLDER: Final = re.compile(r"\$\{\.?(datetime(?:_until)?)(?:\.([A-Za-z0-9_.]*))?\}")
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}")
_FACT_BYTES: Final = {"partition": 6, "offset": 19, "epoch": 6}  # the largest size of each in bytes
_GROUPS_CACHED_MAX: Final = 10_000
_GROUPS_BYTES_MAX: Final = 16 << 20
_WINDOWS_CACHED_MAX: Final = 1_000


class Location(NamedTuple):
    """The place of an object. `bucket` is empty if the action has only one."""

    bucket: str
    key: str


class KeyTemplate:
    """A key template of one action. Raises ConfigError for a time format that does not exist.

    The template is split at the chunk's facts, and a group is the texts between them. So no value of a row can look
    like an offset, whatever a device puts into it.
    """

    def __init__(
        self, text: str, *, action: str, node: str, interval_seconds: float, missing: Missing, bucket: str = ""
    ) -> None:
        """`bucket` is a template too, and each group then belongs to one bucket.

        It is empty if the action has only one bucket.
        """
        _check_times(text)
        self.text = _complete(text)
        check_key(Template(self.text))
        parts = _CHUNK_PLACEHOLDER.split(self.text)
        self._templates = [Template(part, missing=missing) for part in parts[::2]]
        self._chunk_facts = ["offset" if fact == "sequence" else fact for fact in parts[1::2]]
        self._bucket = Template(bucket, missing="dead_letter") if bucket else None
        if self._bucket:
            check_bucket(self._bucket)
        of_key, of_bucket = _row_names(self._templates), _row_names([self._bucket] if self._bucket else [])
        self._row_names = None if of_key is None or of_bucket is None else tuple(sorted({*of_key, *of_bucket}))
        decided: list[tuple[Part, bool]] = [("key", of_key != ()), ("bucket", of_bucket != ())]
        self.of_rows: frozenset[Part] = frozenset(
            part for part, by_rows in decided if by_rows
        )  # the parts of both that rows decide
        self._fixed = {"action": action, "node": node}
        self._interval_ms = int(interval_seconds * 1000)
        self._windows: dict[int, dict[str, Any]] = {}
        self._groups: Memo[tuple[int, tuple[Any, ...]], GroupName] = Memo(_GROUPS_CACHED_MAX, _GROUPS_BYTES_MAX)
        self._newest: tuple[int, GroupName] | None = None  # the group of the last window, if each window has only one

    def group(self, row: Mapping[str, Any], timestamp_ms: int) -> GroupName:
        """The group of a row that arrived at `timestamp_ms`. Raises RenderError."""
        window = timestamp_ms // self._interval_ms
        if self._row_names is None:
            return self._render(row, window)
        if not self._row_names:
            newest = self._newest
            if newest is None or newest[0] != window:
                newest = self._newest = window, self._render(row, window)
            return newest[1]
        values = tuple([row.get(name) for name in self._row_names])
        for value in values:
            if type(value) is not str:  # 1, 1.0 and True are one dictionary key, but three texts
                return self._render(row, window)
        key = (window, values)
        group = self._groups.get(key)
        if group is None:
            group = self._render(row, window)
            self._groups.remember(key, group, 4 * sum([len(text) for text in (*values, *group) if text]))
        return group

    @property
    def window_ms(self) -> int | None:
        """If a group is decided by the time alone, the length of its windows."""
        return None if self._row_names != () else self._interval_ms

    def location(self, group: GroupName, *, partition: str, offset: int, epoch: int) -> Location:
        """Bucket (empty without a template) and key of the chunk of `group` whose first row has the offset `offset`."""
        if self._bucket:
            return Location(group[0], self._key(group[1:], partition, offset, epoch))
        return Location("", self._key(group, partition, offset, epoch))

    def _key(self, group: GroupName, partition: str, offset: int, epoch: int) -> str:
        facts = {"partition": partition, "offset": str(offset), "epoch": str(epoch)}
        pieces = [group[0]]
        for fact, text in zip(self._chunk_facts, group[1:], strict=True):
            pieces += facts[fact], text
        return "".join(pieces)

    def _render(self, row: Mapping[str, Any], window: int) -> GroupName:
        times = self._windows.get(window)
        if times is None:
            if len(self._windows) >= _WINDOWS_CACHED_MAX:
                self._windows.clear()
            times = self._windows[window] = self._times(window)
        values = {**row, **self._fixed, **times}
        texts = [template.render_text(values) for template in self._templates]
        if problem := key_problem(
            "0".join(texts)
        ):  # a fact of the chunk is never empty, and has neither dots nor slashes
            raise RenderError(problem)
        size = sum(len(text.encode()) for text in texts) + sum(_FACT_BYTES[fact] for fact in self._chunk_facts)
        if size > KEY_BYTES_MAX:
            raise RenderError(
                f"expected a key of at most {KEY_BYTES_MAX} bytes, found one of {size}: {texts[0][:100]!r}…"
            )
        if self._bucket:
            bucket = self._bucket.render_text(values)
            if problem := bucket_problem(bucket):
                raise RenderError(problem)
            texts.insert(0, bucket)
        return tuple(texts)

    def _times(self, window: int) -> dict[str, Any]:
        start = window * self._interval_ms // 1000
        return {
            "datetime": _formats(start),
            "datetime_until": _formats(start + -(-self._interval_ms // 1000)),
        }


def _row_names(templates: list[Template]) -> tuple[str, ...] | None:
    """The names that are read from the row, or None if any name may be read."""
    names: set[str] = set()
    for template in templates:
        if template.names is None:
            return None
        names |= template.names
    return tuple(sorted(names - _RESERVED))


def _formats(unix_seconds: int) -> dict[str, Any]:
    """All time formats of one instant. A colon becomes an underscore, because many tools cannot handle it in a key."""
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


def check_key(template: Template) -> None:
    """Raise ConfigError for a template whose every key is wrong."""
    if template.literals is not None and (problem := key_problem("x".join(template.literals))):
        raise ConfigError(f"every key of this template is wrong: {problem}")


def check_bucket(template: Template) -> None:
    """Raise ConfigError for a template whose every bucket name is wrong."""
    literals = template.literals
    if literals is not None and all(problems := [bucket_problem(by.join(literals)) for by in ("", "0", "000")]):
        raise ConfigError(f"every bucket of this template is wrong: {problems[0]}")


def literal_prefix(text: str) -> str:
    """The common beginning of all keys of a template."""
    return text.partition("${")[0]


def fixed_folder(text: str) -> str:
    """The folder in which all keys of a template are, with its slash. In the bucket's root: what they begin with."""
    prefix = literal_prefix(text)
    return prefix[: prefix.rfind("/") + 1] or prefix


def key_pattern(text: str) -> re.Pattern[str]:
    """A pattern for the keys of a template: any text for a placeholder, or any text after the prefix if statements
    decide the key.
    """
    literals = Template(text).literals
    shape = ".*".join(map(re.escape, literals)) if literals is not None else f"{re.escape(literal_prefix(text))}.*"
    return re.compile(shape, re.DOTALL)


def aggregated_key(text: str) -> str:
    """The complete key template of an aggregated action, with all facts of the chunk."""
    return _complete(text)


def _complete(text: str) -> str:
    """Add partition, first offset and epoch before the extension if the template lacks them."""
    there = {"offset" if fact == "sequence" else fact for fact in _CHUNK_PLACEHOLDER.findall(text)}
    lacking = [f"${{{fact}}}" for fact in _CHUNK if fact not in there]
    if not lacking:
        return text
    masked = _PLACEHOLDER.sub(lambda found: "x" * len(found[0]), text)
    name_start = masked.rfind("/") + 1
    dot = masked.find(".", name_start)
    at = len(text) if dot < 0 else dot
    glue = "" if at == name_start else "-"
    return text[:at] + glue + "-".join(lacking) + text[at:]
