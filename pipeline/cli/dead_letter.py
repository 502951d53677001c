"""`tidegate dead-letter list|show|redrive`: shows records that could not be handled, and sends them again."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from pipeline import dead_letter
from pipeline.cli.options import ConfigFile, Output, group, parse_time, show_time
from pipeline.dead_letter import Letter
from pipeline.errors import CommandError, NotFoundError

if TYPE_CHECKING:
    from pipeline.config import Config

app = group("Show records that could not be handled, send them again.")

SENT_AT_ONCE: Final = 500


# --- Which letters a command is about


@dataclass(frozen=True, slots=True)
class Wanted:
    """The dead letters that a command selects."""

    places: frozenset[str] = frozenset()
    action: str | None = None
    rule: str | None = None
    cause: str | None = None
    since_ms: int = 0
    again: bool = False

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is selected. `places` and `again` are not checked here."""
        return (
            self.action in (None, letter.action)
            and self.rule in (None, letter.rule)
            and self.cause in (None, letter.cause)
            and letter.record.timestamp >= self.since_ms
        )


Places = Annotated[
    list[str] | None,
    typer.Argument(help="Places of dead letters, as partition:offset. Default: all.", show_default=False),
]
OfAction = Annotated[str | None, typer.Option("--action", help="Only dead letters of this action.", show_default=False)]
OfRule = Annotated[str | None, typer.Option("--rule", help="Only dead letters of this rule.", show_default=False)]
OfCause = Annotated[str | None, typer.Option("--cause", help="Only dead letters with this cause.", show_default=False)]
Since = Annotated[
    int | None,
    typer.Option("--since", parser=parse_time, metavar="TIME", help="Only messages that arrived since this time."),
]
Again = Annotated[bool, typer.Option("--again", help="Also dead letters that were sent again already.")]


def _wanted(
    places: list[str] | None,
    action: str | None = None,
    rule: str | None = None,
    cause: str | None = None,
    since: int | None = None,
    again: bool = False,
) -> Wanted:
    """What the options of a command select. Raises CommandError for a place that is not one."""
    for place in places or ():
        partition, _, offset = place.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise CommandError(f"expected partition:offset such as 3:42, found {place!r}")
    return Wanted(frozenset(places or ()), action and action.removeprefix("s3:"), rule, cause, since or 0, again)


# --- The commands


@app.command("list")
def list_letters(
    config: ConfigFile,
    places: Places = None,
    action: OfAction = None,
    rule: OfRule = None,
    cause: OfCause = None,
    since: Since = None,
    again: Again = False,
    limit: Annotated[int, typer.Option(min=1, help="The most dead letters to show.")] = 1000,
    summary: Annotated[bool, typer.Option("--summary", help="Only show counts by action, rule and cause.")] = False,
    output: Output = "text",
) -> None:
    """List dead letters that were not sent again, in the order of each partition.

    A worker that was killed may leave copies of a letter. One line shows them all, with their number.
    """
    from pipeline.control.whole import load_whole

    wanted = _wanted(places, action, rule, cause, since, again)
    found = _letters(load_whole(config), wanted, runs=False)
    if summary:
        _print_summary(Counter((each.action or each.source, each.rule, each.cause) for each, _ in found), output)
        return
    for letter, copies in islice(found, limit):
        facts = {**_facts(letter), "copies": copies}
        typer.echo(json.dumps(facts, ensure_ascii=False) if output == "jsonl" else _line(letter, copies))


@app.command("show")
def show_letter(
    config: ConfigFile, place: Annotated[str, typer.Argument(help="Place of the dead letter, as partition:offset.")]
) -> None:
    """Show one whole dead letter as JSON: the original record, and what happened to it."""
    from pipeline.control.whole import load_whole
    from pipeline.sql.runtime.values import text_of

    for letter, _ in _letters(load_whole(config), _wanted([place], again=True), runs=False):
        whole = {
            **_facts(letter),
            "headers": {name: text_of(value) for name, value in dead_letter.original_headers(letter.record)},
            "value": text_of(letter.record.value or b""),
        }
        typer.echo(json.dumps(whole, indent=2, ensure_ascii=False, default=_shown))
        return
    raise NotFoundError(f"no dead letter at {place!r}; `tidegate dead-letter list` shows the existing ones")


@app.command("redrive")
def redrive(
    config: ConfigFile,
    places: Places = None,
    action: OfAction = None,
    rule: OfRule = None,
    cause: OfCause = None,
    since: Since = None,
    again: Again = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")] = False,
    unproven: Annotated[bool, typer.Option("--unproven", help="Also dead letters that no ledger knows.")] = False,
) -> None:
    """Send dead letters to their topic again, for the action and rule that failed. The letters of a client stay in order.

    Each failure is sent once. The command skips copies, and letters whose records were written since. You can repeat it.
    """
    from pipeline import log
    from pipeline.control.whole import load_whole

    log.configure(level="error", stream=sys.stderr)
    wanted = _wanted(places, action, rule, cause, since, again)
    settings = load_whole(config)
    asyncio.run(_redrive(settings, _letters(settings, wanted, runs=True), dry_run, unproven))


async def _redrive(config: Config, found: Iterator[_Found], dry_run: bool, unproven: bool) -> None:
    from agents.operate.redrive import Redrive
    from pipeline.connectors.kafka.producer import Producer

    async def next_letters() -> list[Letter]:
        return await asyncio.to_thread(lambda: [each.letter for each in islice(found, SENT_AT_ONCE)])

    some = await next_letters()  # first read, then connect the producer: so an absent Kafka is reported only once
    producer = Producer(config.kafka, process="redrive", delivery_timeout_seconds=60)
    await producer.connect()
    job = Redrive(config, producer, lambda text: typer.echo(text, err=True), unproven=unproven, dry_run=dry_run)
    try:
        async with job:
            while some:
                await job.send(some)
                some = await next_letters()
    finally:
        await producer.close(10.0)
    done = job.tally
    typer.echo(
        f"{'would send' if dry_run else 'sent'} {done.sent:,} dead letters again"
        + (f", left out {done.over:,} whose rows are not missing" if done.over else "")
        + (f", kept {done.kept:,}" if done.kept else "")
    )


# --- Reading


class _Found(NamedTuple):
    """A letter, and how many there are that are one with it."""

    letter: Letter
    copies: int


def _letters(config: Config, wanted: Wanted, *, runs: bool) -> Iterator[_Found]:
    """The letters that are wanted, each once. The topic is read twice: copies and marks come after the letter they are about.

    `runs`: letters that differ in nothing but the run are told apart.
    """
    from pipeline.connectors.kafka.reader import everything

    topic, pipeline = config.kafka.dead_letter_topic, config.pipeline
    folding = dead_letter.Folding(runs=runs)
    places = set(wanted.places)
    named: set[str] = set()
    for record in everything(config.kafka, topic):
        found = dead_letter.read(record)
        folding.learn(found)
        if isinstance(found, Letter) and found.place in places:
            named.add(found.name_of_all_runs)
    for record in everything(config.kafka, topic):
        letter = dead_letter.read(record)
        if not isinstance(letter, Letter) or not (copies := folding.last_of(letter)):
            continue
        ours = letter.failure is None or letter.failure.pipeline in ("", pipeline)
        if (
            ours
            and (wanted.again or not folding.is_settled(letter))
            and (not places or letter.name_of_all_runs in named)
            and wanted.takes(letter)
        ):
            yield _Found(letter, copies)


def _facts(letter: Letter) -> dict[str, Any]:
    from pipeline.sql.runtime.values import text_of

    facts = {
        "place": letter.place,
        "arrived": show_time(letter.record.timestamp),
        "key": text_of(letter.record.key or b""),
        "action": letter.action,
        "rule": letter.rule,
        "source": letter.source,
        "cause": letter.cause,
        "error": letter.error,
        "row": "" if letter.failure is None or letter.failure.row is None else letter.failure.row,
        "origin": letter.origin and dict(zip(("topic", "partition", "offset"), letter.origin, strict=False)),
        "value_bytes": len(letter.record.value or b""),
    }
    return {name: _shown(value) if isinstance(value, bytes) else value for name, value in facts.items() if value != ""}


def _shown(value: bytes) -> dict[str, str]:
    """Bytes that are not UTF-8, in JSON."""
    import base64

    return {"$b64": base64.b64encode(value).decode()}


def _line(letter: Letter, copies: int) -> str:
    whose = f"{letter.action}{'/' + letter.rule if letter.rule else ''}" if letter.action else letter.source
    return (
        f"{letter.place:>12}  {show_time(letter.record.timestamp)}  {whose:<20}  {letter.cause:<12}  "
        f"{letter.error.splitlines()[0][:120] if letter.error else ''}{f'  ({copies} copies)' if copies > 1 else ''}"
    )


def _print_summary(counts: Counter[tuple[str, str, str]], output: str) -> None:
    for (whose, rule, cause), count in counts.most_common():
        if output == "jsonl":
            typer.echo(json.dumps({"action": whose, "rule": rule, "cause": cause, "count": count}))
        else:
            typer.echo(f"{count:>10,}  {whose}{'/' + rule if rule else ''}  {cause}")
    if output == "text":
        typer.echo(f"{counts.total():>10,}  dead letters")
