"""Decides which rules are not tried for a while, and for which clients: rules that ran out of time again and again.

A jq program that is late takes a second or more for each record. After TIMEOUTS_MAX late records of one client within
WINDOW_MS, this client's records are not tried under this rule. After RULE_TIMEOUTS_MAX late records, no client's
records are. They become dead letters at once. After WINDOW_MS the next record is tried again. If it is late too, the
next records are not tried.

The time is that of the records, not of a clock. So a second reader of the same records gets the same result, if the
same records are late. This file knows records, but not rules.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from pipeline.record import Record

WINDOW_MS: Final = 60_000
TIMEOUTS_MAX: Final = 3
RULE_TIMEOUTS_MAX: Final = 8
CLIENTS_REMEMBERED_MAX: Final = 10_000
CLIENT_BYTES_MAX: Final = 256

Whose = tuple[str, bytes | None]  # a rule, and one client or all clients


class Opened(NamedTuple):
    """Records with these times are not tried."""

    since_ms: int
    until_ms: int


class Circuits:
    """The circuits of the rules of one partition. False while no rule has been late."""

    def __init__(self) -> None:
        self._late: dict[Whose, list[int]] = {}  # times of the records
        self._opened: dict[Whose, Opened] = {}

    def __bool__(self) -> bool:
        return bool(self._late)

    def refusal(self, rule: str, record: Record) -> str:
        """The reason why a record is not tried under a rule, or an empty text."""
        for whose, of in (((rule, _client(record)), "of this client "), ((rule, None), "")):
            opened = self._opened.get(whose)
            if opened and opened.since_ms - WINDOW_MS <= record.timestamp < opened.until_ms:
                return (
                    f"not tried: the rule took too long on records {of}again and again; "
                    f"it is tried again with a record that arrives {WINDOW_MS // 1000} s after the last of these"
                )
        return ""

    def late(self, rule: str, record: Record) -> bool:
        """Note that a rule ran out of time on a record. Returns whether the next records are not tried because of this."""
        if len(self._late) >= CLIENTS_REMEMBERED_MAX:
            self._late.clear()
            self._opened.clear()
        limits = {(rule, _client(record)): TIMEOUTS_MAX, (rule, None): RULE_TIMEOUTS_MAX}
        opened = [self._note(whose, record.timestamp, most) for whose, most in limits.items()]
        return any(opened)

    def _note(self, whose: Whose, now_ms: int, most: int) -> bool:
        recent = [each for each in self._late.get(whose, ()) if now_ms - WINDOW_MS < each <= now_ms]
        self._late[whose] = [*recent, now_ms][-most:]
        if len(self._late[whose]) < most and whose not in self._opened:
            return False
        self._opened[whose] = Opened(now_ms, now_ms + WINDOW_MS)
        return True


def _client(record: Record) -> bytes:
    """The client of a record, in bounded length: a device chooses its clientid."""
    key = record.key or b""
    return key if len(key) <= CLIENT_BYTES_MAX else hashlib.sha256(key).digest() + key[:CLIENT_BYTES_MAX]
