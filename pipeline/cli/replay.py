"""`tidegate replay`: shows what a replay would read and write, asks, and runs it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from pipeline.cli.options import ConfigFile, Output, parse_time, show_time, single
from pipeline.errors import NotFoundError

if TYPE_CHECKING:
    from agents.operate.replay import LeftOut, Plan, Replay
    from agents.operate.replay_in_place import EnteredCut
    from pipeline.config import Config
    from pipeline.connectors.kafka.reader import Bound, Span

app = single()

PROGRESS_SECONDS: Final = 2.0


def parse_bound(text: str) -> Bound:
    """An offset if the text is a whole number, else a time."""
    from pipeline.connectors.kafka.reader import Bound

    return Bound(offset=int(text)) if text.isdecimal() else Bound(time_ms=parse_time(text))


@app.command()
def replay(
    config: ConfigFile,
    action: Annotated[str, typer.Argument(help="The action whose records are handled again.", show_default=False)],
    since: Annotated[
        Any,
        typer.Option(
            "--from", parser=parse_bound, metavar="TIME|OFFSET", help="Begin of the range.", show_default=False
        ),
    ],
    until: Annotated[
        Any,
        typer.Option(
            "--to", parser=parse_bound, metavar="TIME|OFFSET", help="End of the range, not included. Default: now."
        ),
    ] = None,
    into: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="Write below this prefix. Default: into the same keys.")
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option(help="Only this partition; may be repeated. Default: all.", show_default=False)
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show the plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    output: Output = "text",
) -> None:
    """Handle a range of records again with today's rules.

    The rows go into the same keys, or below another prefix. TIME is, for example, 2026-01-31T08:00 (UTC). OFFSET is a whole
    number and means the same offset in each partition. After a kill, the same command continues the replay.
    """
    from pipeline import log
    from pipeline.config.load import require_secrets
    from pipeline.control.whole import load_whole

    log.configure(level="warning", stream=sys.stderr)
    settings, name = load_whole(config), action.removeprefix("s3:")
    if name not in settings.actions.s3:
        raise NotFoundError.among("action", name, settings.actions.s3)
    require_secrets(settings, ("connectors", "s3", settings.actions.s3[name].connector), ("actions", "s3", name))
    wanted = _Wanted(since, until, tuple(partition or ()))
    sys.exit(asyncio.run(_replay(settings, name, wanted, into, _Talk(output == "jsonl", plan, yes))))


class _Wanted(NamedTuple):
    """The records of a replay. Without partitions, all partitions."""

    since: Bound
    until: Bound | None
    partitions: tuple[int, ...]


async def _replay(config: Config, name: str, wanted: _Wanted, into: str | None, talk: _Talk) -> int:
    """The whole command: find the range, plan, ask, write. Returns the exit status."""
    from agents.operate import replay
    from pipeline.connectors.kafka.reader import ranges
    from pipeline.connectors.s3.store import S3Store

    settings = config.actions.s3[name]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(S3Store(config.connectors.s3[settings.connector]))
        job = replay.Replay(config, name, replay.prefix(into) if into is not None else "", store)
        spans = await asyncio.to_thread(ranges, config.kafka, job.compiled.topics, *wanted)
        for span in spans:
            if wanted.since.offset is not None and span.first > wanted.since.offset:
                talk.note(f"{span.topic}/{span.partition}: Kafka no longer has records before offset {span.first}")
        if into is None and job.writer is not None:
            return await _make_cuts_again(config, job, spans, talk, stack)
        return await _write_again(job, await job.ranges(spans), talk)


async def _make_cuts_again(config: Config, job: Replay, spans: list[Span], talk: _Talk, stack: AsyncExitStack) -> int:
    """Make the ledger's cuts of an aggregated action again, into the same keys."""
    from agents.operate.replay_in_place import Rewrite
    from pipeline.connectors.kafka.producer import Producer

    assert job.writer is not None
    producer = Producer(config.kafka, process="replay")
    await producer.connect()
    stack.push_async_callback(producer.close, 10.0)
    again = Rewrite(config, job.writer, producer)
    cuts = await again.cuts(spans)
    talk.begin("reading", sum(cut.entry.records for cut in cuts))
    planned = await again.plan(cuts, talk.progress)
    talk.gone(again.gone)
    if not talk.agreed(planned, f"{job.compiled.parameters.bucket}, the same keys"):
        return max(talk.declined, bool(again.gone))
    talk.begin("writing", planned.records)
    await again.run(cuts, talk.progress)
    talk.end(f"{again.written} objects written, {again.removed} removed", again.left_out)
    return 1 if again.gone else 0


async def _write_again(job: Replay, spans: list[Span], talk: _Talk) -> int:
    """Write below another prefix, or into the same keys of a direct action."""
    talk.begin("reading", sum(span.end - span.first for span in spans))
    planned = await asyncio.to_thread(job.plan, spans, talk.progress)
    if job.forgets_order:
        talk.note("write: overwrite keeps no order between runs: rows of this range replace those of later records")
    where = f"below {job.into}" if job.into else "the same keys"
    if not talk.agreed(planned, f"{job.compiled.parameters.bucket}, {where}"):
        return talk.declined
    talk.begin("writing", planned.records)
    await job.run(spans, talk.progress)
    talk.end("everything is durable", job.left_out)
    return 0


class _Talk:
    """The output of the command: lines for people, or one JSON object a line. Progress goes to the error stream."""

    def __init__(self, as_json: bool, only_plan: bool, yes: bool) -> None:
        self._as_json = as_json
        self._only_plan = only_plan
        self._yes = yes
        self._what, self._done, self._total, self._next = "", 0, 0, 0.0
        self.declined = 0 if only_plan else 1

    def begin(self, what: str, total: int) -> None:
        """Begin a part of the work, with about `total` records."""
        self._what, self._done, self._total = what, 0, total
        self._next = time.monotonic() + PROGRESS_SECONDS

    def progress(self, records: int) -> None:
        """Count further records."""
        self._done += records
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_SECONDS
            typer.echo(f"{self._what}: {self._done:,} of {self._total:,} records", err=True)

    def note(self, text: str) -> None:
        """Print a note."""
        self._print({"note": text}, text)

    def gone(self, cuts: list[EnteredCut]) -> None:
        """Print the cuts that cannot be made again."""
        for cut in cuts:
            topic, partition, first, end = cut.span
            text = f"Kafka no longer has all of {topic}/{partition} offsets {first} to {end - 1}"
            self.note(f"{text}: its {len(cut.entry.objects)} objects stay unchanged")

    def agreed(self, plan: Plan, where: str) -> bool:
        """Print the plan, and return whether to go on."""
        for span in plan.spans:
            self._print(
                {"range": span._asdict()}, f"{span.topic}/{span.partition}: offsets {span.first} to {span.end - 1}"
            )
        counts = {name: getattr(plan, name) for name in ("records", "rows", "objects", "puts")}
        self._print(
            {"plan": counts, "into": where},
            f"{plan.records:,} records give {plan.rows:,} rows in at most {plan.objects:,} objects, "
            f"{plan.puts:,} PUT requests, into {where}",
        )
        self._refused(plan.left_out, "would be left out")
        if self._only_plan or not plan.records:
            if not plan.records:
                self.declined = 0
                self.note("nothing to do")
            return False
        return self._yes or typer.confirm("Go on?", err=True)

    def end(self, text: str, left_out: LeftOut) -> None:
        """Print the last lines."""
        self._refused(left_out, "left out")
        self._print({"done": text}, f"done: {text}")

    def _refused(self, left_out: LeftOut, what: str) -> None:
        for (rule, cause), count in sorted(left_out.counts.items()):
            first = left_out.first[rule, cause]
            record = first.record
            facts = {
                "rule": rule,
                "cause": cause,
                "count": count,
                "first": f"{record.topic}/{record.partition}/{record.offset}",
                "arrived": show_time(record.timestamp),
                "error": first.error,
            }
            text = f"{what}: {count:,} times {rule or 'rows'} {cause}, first at {facts['first']}: {first.error}"
            self._print({"refused": facts}, text)

    def _print(self, fields: dict[str, Any], line: str) -> None:
        typer.echo(json.dumps(fields) if self._as_json else line)
