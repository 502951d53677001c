"""Work that takes longer than a request: it is started, watched, asked, and ended. The results of the last jobs are kept.

Jobs live in the memory of this process, and end with it. Its report to the others has them without results, notes and verbs.
Nothing is lost with them: a verification can be made again, a replay and a redrive go on where they stopped when they are started
again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, Protocol

import orjson

from pipeline.errors import NotFoundError, TidegateError
from pipeline.hidden import without_secrets
from pipeline.log import get_logger
from pipeline.web.answers import RequestError

RUNNING_MAX: Final = 4
KEPT_MAX: Final = 20
NOTES_MAX: Final = 200
AGREEMENT_SECONDS: Final = 900.0  # a plan waits so long for its answer
STOP_SECONDS: Final = 5.0
NEWS_SECONDS: Final = 1.0  # between two looks of a stream

State = Literal["running", "planned", "done", "failed", "cancelled"]

log: Final = get_logger("tidegate.api")


class Result(Protocol):
    """What a job has found so far."""

    def shown(self, columns: int) -> Mapping[str, Any]:
        """It, as the API shows it. `columns`: how wide a picture of it may be."""

    def found_after(self, count: int) -> Sequence[Mapping[str, Any]]:
        """What it has found after the first `count` findings."""


class Job:
    """One piece of work."""

    def __init__(self, kind: str, wish: Mapping[str, Any], by: str, now_ms: Callable[[], int], result: Result) -> None:
        self.id = secrets.token_hex(8)
        self.kind = kind
        self.wish = wish  # what was asked for, as the API shows it
        self.by = by
        self.result = result
        self.state: State = "running"
        self.problem = ""
        self.doing, self.done, self.total = "", 0, 0
        self.notes: list[str] = []
        self.began_ms = now_ms()
        self.ended_ms: int | None = None
        self._now_ms = now_ms
        self._agreed = asyncio.Event()
        self.over = asyncio.Event()
        self.task: asyncio.Task[None]

    # --- Said by the work

    def begin(self, doing: str, total: int) -> None:
        """A part of the work begins. `total` 0: nobody knows."""
        self.doing, self.done, self.total = doing, 0, total

    def progress(self, count: int) -> None:
        """More of this part is done."""
        self.done += count

    def note(self, text: str) -> None:
        """Keep a note."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append(without_secrets(text))

    async def agreement(self) -> bool:
        """Wait until somebody agrees to the plan. False: nobody has in time."""
        self.state = "planned"
        with suppress(TimeoutError):
            async with asyncio.timeout(AGREEMENT_SECONDS):
                await self._agreed.wait()
        if not self._agreed.is_set():
            self.note(f"nobody agreed to the plan within {AGREEMENT_SECONDS:g} s")
            return False
        self.state = "running"
        return True

    # --- Said by people

    def agree(self) -> None:
        """Go on with the plan. Raises RequestError if it is not asked for."""
        if self.state != "planned":
            raise RequestError("CONFLICT", f"this job is {self.state}; only a planned one waits for an answer")
        self._agreed.set()
        self.state = "running"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.ended_ms is not None

    async def run(self, work: Callable[[Job], Awaitable[object]]) -> None:
        """The whole work, and its end."""
        end: State = "done"
        try:
            await work(self)
            if self.state == "planned":  # nobody has agreed
                end = "cancelled"
        except asyncio.CancelledError:
            end = "cancelled"
        except TidegateError as error:
            end, self.problem = "failed", without_secrets(str(error))
        except Exception as error:
            log.error("job.failed", kind=self.kind, job=self.id, error=repr(error), exc_info=error)
            end, self.problem = "failed", "an unexpected error; the log of `tidegate api` has it"
        self.state, self.ended_ms = end, self._now_ms()
        self.over.set()

    def shown(self, columns: int | None = None) -> dict[str, Any]:
        """The job as the API shows it; without `columns`, without its result."""
        known = {
            **{"id": self.id, "kind": self.kind, "wish": dict(self.wish), "by": self.by, "state": self.state},
            **{"problem": self.problem, "doing": self.doing, "done": self.done, "total": self.total},
            **{"began": self.began_ms, "ended": self.ended_ms, "notes": list(self.notes)},
        }
        return known if columns is None else {**known, "result": dict(self.result.shown(columns))}


async def news(job: Job, closing: asyncio.Event) -> AsyncIterator[bytes]:
    """A job as server-sent events until it is over: `finding` for each finding, `job` for each change of the rest."""
    count, before = 0, b""
    while True:
        is_over = job.is_over or closing.is_set()
        for each in job.result.found_after(count):
            count += 1
            yield b"event: finding\ndata: " + orjson.dumps(each) + b"\n\n"
        now = orjson.dumps(job.shown())
        yield b"event: job\ndata: " + now + b"\n\n" if now != before else b": \n\n"
        before = now
        if is_over:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(NEWS_SECONDS):
                await job.over.wait()


class Jobs:
    """The jobs of this process, the newest first."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def start(self, job: Job, work: Callable[[Job], Awaitable[object]]) -> Job:
        """Start a job. Raises RequestError if too many run."""
        if sum(not each.is_over for each in self._jobs.values()) >= RUNNING_MAX:
            raise RequestError(
                "TOO_MANY_REQUESTS",
                f"{RUNNING_MAX} jobs run already; wait for one, or end one",
                headers={"Retry-After": "10"},
            )
        log.info("job.started", kind=job.kind, job=job.id, by=job.by)
        job.task = asyncio.create_task(job.run(work), name=f"job {job.kind}")
        self._jobs[job.id] = job
        over = [each for each in self._jobs.values() if each.is_over]
        for each in over[: max(0, len(over) - KEPT_MAX)]:
            del self._jobs[each.id]
        return job

    def all(self) -> list[Job]:
        """All jobs, the newest first."""
        return list(self._jobs.values())[::-1]

    def found(self, id: str) -> Job:
        """One job. Raises NotFoundError."""
        if id not in self._jobs:
            raise NotFoundError(f"this process has no job {id[:40]!r}; it keeps the last {KEPT_MAX}")
        return self._jobs[id]

    async def end(self, id: str) -> None:
        """Cancel a job that runs, or forget one that is over. Raises NotFoundError."""
        job = self.found(id)
        if job.is_over:
            del self._jobs[id]
            return
        job.task.cancel()
        await asyncio.wait({job.task}, timeout=STOP_SECONDS)

    async def close(self) -> None:
        """Cancel everything."""
        tasks = {each.task for each in self._jobs.values() if not each.is_over}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
