"""`tidegate dead-letter list|show|redrive`: shows records that could not be handled, and sends them again."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipeline import dead_letter
from pipeline.cli.options import ConfigFile, Output, group, parse_time, show_time
from pipeline.dead_letter import Letter
from pipeline.errors import CommandError, NotFoundError, RecordError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.record import Outgoing

app = group("Show records that could not be handled, send them again.")

SENT_AT_ONCE: Final = 500

Places = Annotated[
    list[str] | None,
    typer.Argument(help="Places of dead letters, as partition:offset. Default: all.", show_default=False),
]
ByAction = Annotated[str | None, typer.Option("--action", help="Only dead letters of this action.", show_default=False)]
ByRule = Annotated[str | None, typer.Option("--rule", help="Only dead letters of this rule.", show_default=False)]
ByCause = Annotated[str | None, typer.Option("--cause", help="Only dead letters with this cause.", show_default=False)]
Since = Annotated[
    int | None,
    typer.Option("--since", parser=parse_time, metavar="TIME", help="Only messages that arrived since this time."),
]
Again = Annotated[bool, typer.Option("--again", help="Also dead letters that were sent again already.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The dead letters that a command selects."""

    places: frozenset[str]
    action: str | None
    rule: str | None
    cause: str | None
    since_ms: int | None
    again: bool

    def takes(self, letter: Letter) -> bool:
        """Whether the letter is selected. `again` is not checked here."""
        return (
            (not self.places or letter.place in self.places)
            and self.action in (None, letter.action)
            and self.rule in (None, letter.rule)
            and self.cause in (None, letter.cause)
        )


@app.command("list")
def list_letters(
    config: ConfigFile,
    places: Places = None,
    action: ByAction = None,
    rule: ByRule = None,
    cause: ByCause = None,
    since: Since = None,
    again: Again = False,
    limit: Annotated[int, typer.Option(min=1, help="The most dead letters to show.")] = 1000,
    summary: Annotated[bool, typer.Option("--summary", help="Only show counts by action, rule and cause.")] = False,
    output: Output = "text",
) -> None:
    """List dead letters that were not sent again, in the order of each partition."""
    from pipeline.config import load_file

    settings = load_file(config)
    found = _letters(settings, _wanted(places, action, rule, cause, since, again))
    if summary:
        _print_summary(Counter((each.action or each.source, each.rule, each.cause) for each in found), output)
        return
    for letter in islice(found, limit):
        typer.echo(json.dumps(_facts(letter), ensure_ascii=False) if output == "jsonl" else _line(letter))


@app.command("show")
def show_letter(
    config: ConfigFile, place: Annotated[str, typer.Argument(help="Place of the dead letter, as partition:offset.")]
) -> None:
    """Show one whole dead letter as JSON: the original record, and what happened to it."""
    from pipeline.config import load_file
    from pipeline.sql.runtime.values import text_of

    wanted = _wanted([place], None, None, None, None, again=True)
    for letter in _letters(load_file(config), wanted):
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
    action: ByAction = None,
    rule: ByRule = None,
    cause: ByCause = None,
    since: Since = None,
    again: Again = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")] = False,
) -> None:
    """Send dead letters to their topic again, for the action and rule that failed. The letters of a client stay in
    order.

    Each letter is marked, so that it is sent only once. If this command is killed, up to 500 letters may be sent a second time.
    """
    from pipeline.config import load_file

    settings = load_file(config)
    wanted = _wanted(places, action, rule, cause, since, again)
    asyncio.run(_redrive(settings, _letters(settings, wanted), dry_run))


async def _redrive(config: Config, found: Iterator[Letter], dry_run: bool) -> None:
    from pipeline import log
    from pipeline.connectors.kafka.producer import Producer

    log.configure(level="error", stream=sys.stderr)

    async def next_letters() -> list[Letter]:
        return await asyncio.to_thread(lambda: list(islice(found, SENT_AT_ONCE)))

    some = await next_letters()  # first read, then connect the producer: so an absent Kafka is reported only once
    producer = Producer(config.kafka, client_id="tidegate-redrive", delivery_timeout_seconds=60)
    await producer.connect()
    sent = kept = 0
    try:
        while some:
            going: list[tuple[Letter, str, Outgoing]] = []
            for letter in some:
                try:
                    going.append((letter, *_again(config, letter)))
                except RecordError as error:
                    kept += 1
                    typer.echo(f"kept: {error}", err=True)
            if not dry_run:
                await _send(producer, config.kafka.dead_letter_topic, going)
            sent += len(going)
            some = await next_letters()
    finally:
        await producer.close(10.0)
    typer.echo(
        f"{'would send' if dry_run else 'sent'} {sent:,} dead letters again" + (f", kept {kept:,}" if kept else "")
    )


def _again(config: Config, letter: Letter) -> tuple[str, Outgoing]:
    kafka = config.kafka
    return dead_letter.redriven(letter, messages_topic=kafka.messages_topic, events_topic=kafka.events_topic)


async def _send(producer: Any, letter_topic: str, going: list[tuple[Letter, str, Outgoing]]) -> None:
    """Send the records in order, and the marks after Kafka has all records."""
    for topic in dict.fromkeys(topic for _, topic, _ in going):
        await producer.send(topic, [record for _, its_topic, record in going if its_topic == topic])
    now_ms = time.time_ns() // 1_000_000
    await producer.send(letter_topic, [dead_letter.mark(letter, now_ms) for letter, _, _ in going])


def _wanted(
    places: list[str] | None, action: str | None, rule: str | None, cause: str | None, since: int | None, again: bool
) -> Wanted:
    for place in places or ():
        partition, _, offset = place.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise CommandError(f"expected partition:offset such as 3:42, found {place!r}")
    return Wanted(frozenset(places or ()), action and action.removeprefix("s3:"), rule, cause, since, again)


def _letters(config: Config, wanted: Wanted) -> Iterator[Letter]:
    """The selected letters. The topic is read twice, because the mark of a letter comes after the letter."""
    from pipeline.connectors.kafka.reader import everything

    topic = config.kafka.dead_letter_topic
    marked: set[str] = set()
    if not wanted.again:
        found = (dead_letter.read(record) for record in everything(config.kafka, topic))
        marked = {each for each in found if isinstance(each, str)}
    for record in everything(config.kafka, topic, since_ms=wanted.since_ms):
        letter = dead_letter.read(record)
        if isinstance(letter, Letter) and letter.place not in marked and wanted.takes(letter):
            yield letter


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
        "origin": letter.origin and dict(zip(("topic", "partition", "offset"), letter.origin, strict=True)),
        "value_bytes": len(letter.record.value or b""),
    }
    return {name: _shown(value) if isinstance(value, bytes) else value for name, value in facts.items() if value != ""}


def _shown(value: bytes) -> dict[str, str]:
    """A value for JSON, also if its bytes are not UTF-8."""
    import base64

    return {"$b64": base64.b64encode(value).decode()}


def _line(letter: Letter) -> str:
    whose = f"{letter.action}{'/' + letter.rule if letter.rule else ''}" if letter.action else letter.source
    return (
        f"{letter.place:>12}  {show_time(letter.record.timestamp)}  {whose:<20}  {letter.cause:<12}  "
        f"{letter.error.splitlines()[0][:120] if letter.error else ''}"
    )


def _print_summary(counts: Counter[tuple[str, str, str]], output: str) -> None:
    for (whose, rule, cause), count in counts.most_common():
        if output == "jsonl":
            typer.echo(json.dumps({"action": whose, "rule": rule, "cause": cause, "count": count}))
        else:
            typer.echo(f"{count:>10,}  {whose}{'/' + rule if rule else ''}  {cause}")
    if output == "text":
        typer.echo(f"{counts.total():>10,}  dead letters")
