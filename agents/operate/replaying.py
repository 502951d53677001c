"""`tidegate replay` as a whole: finds the range, plans, asks, and runs. replay.py and replay_in_place.py do the work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from agents.operate.replay import LeftOut, Plan, Replay, prefix
from agents.operate.replay_in_place import EnteredCut, Rewrite
from pipeline.config import Config
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.reader import Span, ranges
from pipeline.connectors.s3.store import S3Store
from pipeline.operation import LeftOutRecords, Planned, Range, Talk


async def run(config: Config, name: str, wanted: Range, into: str | None, talk: Talk) -> bool:
    """The whole replay of one action. Returns whether Kafka still has all records of it. Raises a TidegateError."""
    settings = config.actions.s3[name]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(S3Store(config.connectors.s3[settings.connector]))
        job = Replay(config, name, prefix(into) if into is not None else "", store)
        spans = await asyncio.to_thread(ranges, config.kafka, job.compiled.topics, *wanted)
        talk.begin("planning", 0)  # Kafka has answered
        for span in spans:
            if wanted.since.offset is not None and span.first > wanted.since.offset:
                talk.note(f"{span.topic}/{span.partition}: Kafka no longer has records before offset {span.first}")
        if into is None and job.writer is not None:
            return await _make_cuts_again(config, job, spans, talk, stack)
        return await _write_again(job, await job.ranges(spans), talk)


async def _make_cuts_again(config: Config, job: Replay, spans: list[Span], talk: Talk, stack: AsyncExitStack) -> bool:
    """Make the ledger's cuts of an aggregated action again, into the same keys."""
    assert job.writer is not None
    producer = Producer(config.kafka, process="replay")
    again = Rewrite(config, job.writer, producer)
    cuts = await again.cuts(spans)
    talk.begin("reading", sum(cut.entry.records for cut in cuts))
    planned = await again.plan(cuts, talk.progress)
    for cut in again.gone:
        talk.note(_gone(cut))
    if await talk.agreed(_shown(planned, f"{job.compiled.parameters.bucket}, the same keys")):
        talk.begin("writing", planned.records)
        await producer.connect()  # not before: a plan sends nothing, and needs no right to
        stack.push_async_callback(producer.close, 10.0)
        await again.run(cuts, talk.progress)
        talk.end(f"{again.written} objects written, {again.removed} removed", _counted(again.left_out))
    return not again.gone


async def _write_again(job: Replay, spans: list[Span], talk: Talk) -> bool:
    """Write below another prefix, or into the same keys of a direct action."""
    talk.begin("reading", sum(span.end - span.first for span in spans))
    planned = await asyncio.to_thread(job.plan, spans, talk.progress)
    if job.forgets_order:
        talk.note("write: overwrite keeps no order between runs: rows of this range replace those of later records")
    where = f"below {job.into}" if job.into else "the same keys"
    if await talk.agreed(_shown(planned, f"{job.compiled.parameters.bucket}, {where}")):
        talk.begin("writing", planned.records)
        await job.run(spans, talk.progress)
        talk.end("everything is durable", _counted(job.left_out))
    return True


def _gone(cut: EnteredCut) -> str:
    topic, partition, first, end = cut.span
    text = f"Kafka no longer has all of {topic}/{partition} offsets {first} to {end - 1}"
    return f"{text}: its {len(cut.entry.objects)} objects stay unchanged"


def _shown(plan: Plan, where: str) -> Planned:
    counts = plan.records, plan.bytes, plan.rows, plan.objects, plan.puts
    return Planned(plan.spans, *counts, where, _counted(plan.left_out))


def _counted(left_out: LeftOut) -> Sequence[LeftOutRecords]:
    found = []
    for (rule, cause), count in sorted(left_out.counts.items()):
        first = left_out.first[rule, cause]
        record = first.record
        place = f"{record.topic}/{record.partition}/{record.offset}"
        found.append(LeftOutRecords(rule, cause, count, place, record.timestamp, first.error))
    return found
