"""How long a worker knows that its partitions are its own."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import RebalanceInProgressError, UnknownMemberIdError

from agents.stream import heartbeats
from agents.stream.heartbeats import HeardCoordinator


class Member(HeardCoordinator):
    """A member of a group with a session of 10 seconds, whose coordinator answers with this error code."""

    def __init__(self, error_code: int = 0) -> None:
        self.group_id, self.generation, self.member_id = "g", 1, "m"
        self._session_timeout_ms = 10_000
        self._rejoin_needed_fut = asyncio.get_running_loop().create_future()
        self.error_code = error_code

    async def _send_req(self, request: Any) -> Any:
        return SimpleNamespace(error_code=self.error_code)

    def request_rejoin(self) -> None:
        self._rejoin_needed_fut.set_result(None)

    def reset_generation(self) -> None:
        self.request_rejoin()


async def test_partitions_are_owned_for_half_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from the heartbeat's request, since its answer may have waited in a frozen process."""
    times = iter((100.0, 100.0, 104.9, 105.1, 500.0))  # of a question, of the heartbeat, and of three questions
    monkeypatch.setattr(heartbeats, "time", SimpleNamespace(monotonic=lambda: next(times)))
    member = Member()

    before = member.owns()
    await member._do_heartbeat()

    assert [before, *(member.owns() for _ in range(3))] == [False, True, False, False]


@pytest.mark.parametrize("error", [RebalanceInProgressError, UnknownMemberIdError])
async def test_whoever_must_join_again_owns_nothing(error: type[Any]) -> None:
    """Also while the group still answers, and although an answer came a moment ago."""
    member = Member()
    await member._do_heartbeat()
    assert member.owns()

    member.error_code = error.errno
    await member._do_heartbeat()

    assert not member.owns()
