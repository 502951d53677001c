"""The traces of one API process: what each one wants to see, from when to when, and its log. Pure: times are arguments.

A log is JSON Lines. It is kept in memory and ends at LOG_BYTES_MAX, and with it its trace.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from pipeline.config import Config
from pipeline.config.base.secrets import MASK
from pipeline.errors import ConfigError, NotFoundError
from pipeline.rule_trial import Sample, from_vector
from pipeline.sql.runtime.values import octets
from pipeline.topics import matches, validate_filter
from pipeline.web.answers import RequestError
from pipeline.web.tracing.lines import lines_of_rule

TRACES_MAX: Final = 30
LOG_BYTES_MAX: Final = 4 << 20
HOUR_MS: Final = 3_600_000
NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,254}")
KINDS: Final = ("ruleid", "clientid", "topic", "ip_address")
Status = Literal["waiting", "running", "stopped"]


@dataclass
class Trace:
    """One trace. `wanted` is a rule's id, a clientid, a topic filter or an address."""

    name: str
    kind: str
    wanted: str
    start_at: int
    end_at: int
    payload_encode: str = "text"
    formatter: str = "json"
    log: bytearray = field(default_factory=bytearray)
    written_at: int = 0
    stopped: bool = False

    def status(self, now_ms: int) -> Status:
        """EMQX's word for what it does now."""
        if self.stopped or now_ms >= self.end_at or len(self.log) >= LOG_BYTES_MAX:
            return "stopped"
        return "waiting" if now_ms < self.start_at else "running"

    def rules_for(self, config: Config, sample: Sample) -> list[str]:
        """The rules that it shows for an event. Its own rule is shown also while it is switched off."""
        if self.kind == "ruleid":
            return [self.wanted] if self.wanted in config.rules else []
        return [id for id, rule in config.rules.items() if rule.enable] if self._sees(sample) else []

    def _sees(self, sample: Sample) -> bool:
        fields = sample.fields
        if self.kind == "topic":
            return isinstance(fields.get("topic"), str) and matches(self.wanted, fields["topic"])
        found = fields.get("clientid" if self.kind == "clientid" else "peerhost")
        return bool(found == self.wanted)

    def add(self, now_ms: int, level: str, message: str, facts: Mapping[str, Any]) -> None:
        """Add a line, unless the log is full."""
        if len(self.log) >= LOG_BYTES_MAX:
            return
        time = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        meta = _encoded(facts, self.payload_encode)
        if self.formatter == "json":
            line = {"time": time, "level": level, "msg": message, "meta": meta}
            self.log += orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS) + b"\n"
        else:
            about = " ".join(f"{name}: {orjson.dumps(each).decode()}" for name, each in meta.items())
            self.log += f"{time} [{level}] msg: {message} {about}".encode() + b"\n"
        self.written_at = now_ms


def _encoded(facts: Mapping[str, Any], encode: str) -> dict[str, Any]:
    """The facts with the payload as the trace wants it."""
    if encode == "text" or not isinstance(facts.get("input"), dict):
        hidden = encode == "hidden" and ("result" in facts)
        return {**facts, "result": MASK} if hidden else dict(facts)
    given = dict(facts["input"])
    if "payload" in given:
        given["payload"] = MASK if encode == "hidden" else octets(from_vector(given["payload"])).hex()
    return {**facts, "input": given}


class Traces:
    """All traces. The routes change them on the event loop, and the reader of records asks in a thread."""

    def __init__(self) -> None:
        self._all: dict[str, Trace] = {}
        self._lock = threading.Lock()

    def create(self, body: Mapping[str, Any], now_ms: int) -> Trace:
        """A new trace. Raises ConfigError with the path in the body, and RequestError."""
        trace = _trace(body, now_ms)
        with self._lock:
            if trace.name in self._all:
                raise RequestError("ALREADY_EXISTS", f"there is already a trace {trace.name}")
            if len(self._all) >= TRACES_MAX:
                raise RequestError("BAD_REQUEST", f"expected at most {TRACES_MAX} traces; delete one first")
            self._all[trace.name] = trace
        return trace

    def get(self, name: str) -> Trace:
        """A trace by its name. Raises NotFoundError."""
        with self._lock:
            if name not in self._all:
                raise NotFoundError(f"no trace {name[:255]!r}")
            return self._all[name]

    def all(self) -> list[Trace]:
        """Every trace, the newest first."""
        with self._lock:
            return list(self._all.values())[::-1]

    def delete(self, name: str | None = None) -> None:
        """Delete one, or all. Raises NotFoundError."""
        if name is not None:
            self.get(name)
        with self._lock:
            for each in [name] if name else list(self._all):
                del self._all[each]

    def running(self, now_ms: int) -> list[Trace]:
        """Those that want records now."""
        return [each for each in self.all() if each.status(now_ms) == "running"]

    def take(self, config: Config, sample: Sample, now_ms: int) -> None:
        """Show an event to each trace that runs."""
        for trace in self.running(now_ms):
            for id in trace.rules_for(config, sample):
                for level, message, facts in lines_of_rule(config, id, sample):
                    trace.add(now_ms, level, message, facts)


# --- The body of a new trace


def _trace(body: Mapping[str, Any], now_ms: int) -> Trace:
    name, kind = body.get("name"), body.get("type")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError("expected a name of letters, digits, '-', '_' and '.'", where="root.name")
    if kind not in KINDS:
        raise ConfigError(f"expected one of {', '.join(KINDS)}", where="root.type")
    wanted = body.get(kind)
    if not isinstance(wanted, str) or not wanted:
        raise ConfigError("expected a text that is not empty", where=f"root.{kind}")
    if kind == "topic":
        try:
            validate_filter(wanted)
        except ValueError as error:
            raise ConfigError(str(error), where="root.topic") from None
    start = _time(body, "start_at", now_ms)
    end = _time(body, "end_at", start + HOUR_MS)
    if end <= max(start, now_ms):
        raise ConfigError("expected a time after start_at that is still to come", where="root.end_at")
    encode = _choice(body, "payload_encode", ("text", "hex", "hidden"))
    return Trace(name, kind, wanted, start, end, encode, _choice(body, "formatter", ("json", "text")))


def _choice(body: Mapping[str, Any], field: str, choices: tuple[str, ...]) -> str:
    value = body.get(field, choices[0])
    if value not in choices:
        raise ConfigError(f"expected one of {', '.join(choices)}", where=f"root.{field}")
    return str(value)


def _time(body: Mapping[str, Any], field: str, default: int) -> int:
    """Milliseconds since 1970, from seconds since then or from a text in the form of RFC 3339."""
    value = body.get(field)
    if value is None or value == "now":
        return default
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40:
        return value * 1000
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is not None and found.tzinfo is not None:
            return int(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise ConfigError("expected a time such as 2026-01-31T08:00:00Z, or seconds since 1970", where=f"root.{field}")
