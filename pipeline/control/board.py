"""The newest report of each process, as the topic `tidegate.status` has them.

This file reads no topic: whoever follows it calls `take`. Pure: times are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.control.status import SILENT_MS, ProcessReport, decode

NODES_MAX: Final = 1_000


class Board:
    """All processes that have reported lately."""

    def __init__(self) -> None:
        self._reports: dict[str, ProcessReport] = {}

    def take(self, node: str, at: int, value: Mapping[str, Any] | None) -> None:
        """Take a record of the topic; None: the process has ended. Raises ValueError if it is not a report."""
        if value is None:
            self._reports.pop(node, None)
            return
        self._reports[node] = decode(node, at, value)
        if len(self._reports) > NODES_MAX:
            del self._reports[min(self._reports.values(), key=lambda each: each.at).node]

    def reports(self, now_ms: int, kind: str | None = None) -> list[ProcessReport]:
        """The processes that are not silent, by name; of one kind, if `kind` is given."""
        return [
            each
            for _, each in sorted(self._reports.items())
            if each.at > now_ms - SILENT_MS and kind in (None, each.kind)
        ]
