"""What the routes of the API have: the configuration in Kafka, the sessions, the status of the cluster, the clock.

A route takes it as an argument of the type `Desk`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from pipeline.control.board import Board
from pipeline.control.history import History
from pipeline.operation import Operator
from pipeline.web.evidence.jobs import Jobs
from pipeline.web.live import Live
from pipeline.web.objects.writing import Log
from pipeline.web.people.first_user import FirstUser
from pipeline.web.people.gate import UnderWay
from pipeline.web.people.sessions import Sessions
from pipeline.web.probes import ConnectorChecks
from pipeline.web.tracing.traces import Traces


class Backup(NamedTuple):
    """An archive of the configuration, and when this process got it."""

    content: bytes
    at: int


@dataclass
class Services:
    """One API process."""

    log: Log
    sessions: Sessions
    first_user: FirstUser
    now_ms: Callable[[], int]
    operator: Operator
    jobs: Jobs = field(default_factory=Jobs)
    board: Board = field(default_factory=Board)
    history: History = field(default_factory=History)
    checks: ConnectorChecks = field(default_factory=ConnectorChecks)
    under_way: UnderWay = field(default_factory=UnderWay)
    live: Live = field(default_factory=Live)
    traces: Traces = field(default_factory=Traces)
    backups: dict[str, Backup] = field(default_factory=dict)
    secure_cookies: bool = False
    node: str = "api"
    live_trials: int = 0  # streams of rules that are tried on live messages

    closing: asyncio.Event = field(default_factory=asyncio.Event)  # the process stops: answers without an end end now

    def __post_init__(self) -> None:
        self.began_ms = self.now_ms()


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Desk = Annotated[Services, Depends(_services)]
Answer = dict[str, Any]
