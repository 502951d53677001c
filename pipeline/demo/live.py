"""The live view: reads the counters of ingress and worker from their Prometheus endpoints, and shows them.

On a terminal it redraws a table; elsewhere it prints a line every two seconds. The proof does not use these numbers.
"""

from __future__ import annotations

import time
import urllib.request
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.demo.fleet import Account
from pipeline.demo.process import HOST

_LINE_EVERY_SECONDS: Final = 2.0
_REDRAW_EVERY_SECONDS: Final = 0.5

_RECEIVED = "tidegate_ingress_messages_received_total"
_OF_ACTION: Final = {
    "tidegate_worker_records_total": "records",
    "tidegate_worker_rows_total": "rows",
    "tidegate_worker_filtered_total": "filtered",
    "tidegate_worker_dead_letters_total": "dead letters",
    "tidegate_worker_objects_total": "objects",
    "tidegate_worker_lag": "lag",
}
_RATED: Final = ("records", "objects")


class Snapshot(NamedTuple):
    """All numbers of one moment. `actions` maps an action to its figures, with the names of _OF_ACTION."""

    at: float
    sent: int
    acked: int
    received: float
    actions: dict[str, dict[str, float]]

    def total(self, figure: str) -> float:
        return sum(each.get(figure, 0) for each in self.actions.values())


@dataclass
class Show:
    """The live view. `tick` reads and shows the counters, but not more often than the output needs."""

    console: Console
    account: Account
    ingress_port: int
    worker_port: int
    _live: Live | None = field(default=None, init=False)
    _last: Snapshot | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with suppress(OSError):  # the terminal may be gone, because closing it is one way to stop the demo
                self._live.stop()

    def tick(self, what: str) -> None:
        """Show the numbers below `what`, the present phase."""
        every = _REDRAW_EVERY_SECONDS if self._live else _LINE_EVERY_SECONDS
        if self._last is not None and time.monotonic() - self._last.at < every:
            return
        now = self._read()
        before, self._last = self._last or now, now
        if self._live is not None:
            self._live.update(_table(what, now, before), refresh=True)
        else:
            self.console.print(_line(what, now, before), highlight=False, soft_wrap=True)

    def _read(self) -> Snapshot:
        received = sum(value for name, _, value in _samples(self.ingress_port) if name == _RECEIVED)
        actions: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for name, labels, value in _samples(self.worker_port):
            if name in _OF_ACTION and "action" in labels:
                actions[labels["action"]][_OF_ACTION[name]] += value
        return Snapshot(time.monotonic(), len(self.account.messages), self.account.acked, received, actions)


def _samples(port: int) -> list[tuple[str, dict[str, str], float]]:
    """The present samples of a Prometheus endpoint, or none if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except OSError:
        return []
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def _line(what: str, now: Snapshot, before: Snapshot) -> str:
    per_second = _rate(now.received, before.received, now, before)
    figures = [f"sent {now.sent:,}", f"acked {now.acked:,}", f"received {now.received:,.0f} ({per_second})"]
    figures += [f"{name} {now.total(name):,.0f}" for name in _OF_ACTION.values()]
    return f"{what}: " + " · ".join(figures)


def _table(what: str, now: Snapshot, before: Snapshot) -> Group:
    rate = _rate(now.received, before.received, now, before)
    head = Text.assemble(
        (f"{what}  ", "bold"),
        f"devices sent {now.sent:,}, acknowledged {now.acked:,}   ",
        f"ingress received {now.received:,.0f} ({rate})",
    )
    table = Table("action", *_OF_ACTION.values(), *(f"{name}/s" for name in _RATED))
    for column in table.columns[1:]:
        column.justify = "right"
    for action, figures in sorted(now.actions.items()):
        old = before.actions.get(action, {})
        rates = (_rate(figures[name], old.get(name, 0), now, before) for name in _RATED)
        table.add_row(action, *(f"{figures[name]:,.0f}" for name in _OF_ACTION.values()), *rates)
    return Group(head, table)


def _rate(value: float, old: float, now: Snapshot, before: Snapshot) -> str:
    seconds = now.at - before.at
    return f"{(value - old) / seconds:,.0f}/s" if seconds > 0 else "–"
