"""Limits the log lines about refused clients: one a minute for each client and reason, and a bounded number of lines.

One address, or one /64 network of IPv6, gets at most half of the lines, so that it cannot hide the others. Lines that are left
out are counted.

Pure: the caller gives the time.
"""

from __future__ import annotations

from typing import Final

MINUTE_SECONDS: Final = 60.0
LINES_MAX: Final = 1000  # lines in a minute
LINES_OF_ADDRESS_MAX: Final = LINES_MAX // 2


class Told:
    """The log lines of one listener."""

    def __init__(self) -> None:
        self._began = -MINUTE_SECONDS
        self._seen: set[tuple[str, str]] = set()
        self._of_address: dict[str, int] = {}
        self._left_out = 0

    def is_new(self, client: str, reason: str, address: str, now: float) -> bool:
        """Whether to log a refusal."""
        if now - self._began >= MINUTE_SECONDS:
            self._began = now
            self._seen.clear()
            self._of_address.clear()
        if (client, reason) in self._seen:
            return False
        lines = self._of_address.get(address, 0)
        if len(self._seen) >= LINES_MAX or lines >= LINES_OF_ADDRESS_MAX:
            self._left_out += 1
            return False
        self._seen.add((client, reason))
        self._of_address[address] = lines + 1
        return True

    def left_out(self, now: float) -> int:
        """The number of refusals without a line in the last minute. Given once for each minute, after its end."""
        if now - self._began < MINUTE_SECONDS:
            return 0
        count, self._left_out = self._left_out, 0
        return count
