"""`tidegate dead-letter list|show|redrive`: shows records that could not be handled, and sends them again."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import dead_letter
from pipeline.cli.options import ConfigFile, Output, group, parse_time, show_time, tell
from pipeline.cli.waiting import waiting
from pipeline.dead_letter import Letter
from pipeline.errors import CommandError, NotFoundError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.connectors.kafka.letters import FoundLetter, Wanted

app = group("Show records that could not be handled, send them again.")


# --- Which letters a command is about


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
    from pipeline.connectors.kafka.letters import Wanted

    for place in places or ():
        partition, _, offset = place.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise CommandError(f"expected partition:offset such as 3:42, found {place!r}")
    return Wanted(
        frozenset(places or ()), action and action.removeprefix("s3:"), rule, cause, since_ms=since or 0, again=again
    )


def _check_names(config: Config, wanted: Wanted) -> None:
    """Raise NotFoundError for an action or a rule that the configuration does not have: a mistyped one has no letters."""
    if wanted.action is not None and wanted.action not in config.actions.s3:
        raise NotFoundError.among("dead letters, and no action", wanted.action, config.actions.s3)
    if wanted.rule is not None and wanted.rule not in config.rules:
        raise NotFoundError.among("dead letters, and no rule", wanted.rule, config.rules)


def _heard(found: Iterator[FoundLetter], config: Config) -> Iterator[FoundLetter]:
    """The same letters, of which the first is there: the topic is read for it. Says so if this takes long."""
    with waiting(config.kafka.bootstrap_servers):
        first = list(islice(found, 1))
    return chain(first, found)


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
    """List dead letters that were not sent again.

    The letters of a partition are in order. A worker that was killed may leave copies of a letter. One line shows them all,
    with their number.
    """
    from pipeline.connectors.kafka.letters import letters
    from pipeline.control.whole import load_whole

    wanted, settings = _wanted(places, action, rule, cause, since, again), load_whole(config, waiting)
    found = _heard(letters(settings, wanted, runs=False), settings)
    if summary:
        counts = Counter((each.action or each.source, each.rule, each.cause) for each, _, _ in found)
        _print_summary(counts, output)
        any_letter = bool(counts)
    else:
        any_letter = False
        for letter, copies, _ in islice(found, limit):
            any_letter = True
            facts = {**_facts(letter), "copies": copies}
            tell(json.dumps(facts, ensure_ascii=False) if output == "jsonl" else _line(letter, copies))
    if not any_letter:
        _check_names(settings, wanted)
        typer.echo("no dead letters", err=True)


@app.command("show")
def show_letter(
    config: ConfigFile, place: Annotated[str, typer.Argument(help="Place of the dead letter, as partition:offset.")]
) -> None:
    """Show one dead letter as JSON: the original record and the cause."""
    from pipeline.connectors.kafka.letters import letters
    from pipeline.control.whole import load_whole
    from pipeline.sql.runtime.values import text_of

    settings = load_whole(config, waiting)
    for letter, _, _ in _heard(letters(settings, _wanted([place], again=True), runs=False), settings):
        whole = {
            **_facts(letter),
            "headers": {name: text_of(value) for name, value in dead_letter.original_headers(letter.record)},
            "value": text_of(letter.record.value or b""),
        }
        tell(json.dumps(whole, indent=2, ensure_ascii=False, default=_shown))
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
    """Send dead letters to their topic again.

    Only the action and the rule that failed handle them. The letters of a client stay in order. Each failure is sent
    once. The command skips copies, and letters whose records were written since. You can repeat it.
    """
    from pipeline import log
    from pipeline.connectors.kafka.letters import letters
    from pipeline.control.whole import load_whole

    log.configure(level="error", stream=sys.stderr)
    wanted = _wanted(places, action, rule, cause, since, again)
    settings = load_whole(config, waiting)
    found = _heard(letters(settings, wanted, runs=True), settings)
    if not asyncio.run(_redrive(settings, found, dry_run, unproven)):
        _check_names(settings, wanted)


async def _redrive(config: Config, found: Iterator[FoundLetter], dry_run: bool, unproven: bool) -> bool:
    """Send letters again. Returns whether there was any."""
    from agents.operate.redrive import send_all

    letters = (each.letter for each in found)
    done = await send_all(config, letters, partial(tell, err=True), unproven=unproven, dry_run=dry_run)
    typer.echo(
        f"{'would send' if dry_run else 'sent'} {done.sent:,} dead letters again"
        + (f", left out {done.over:,} whose rows are not missing" if done.over else "")
        + (f", kept {done.kept:,}" if done.kept else "")
    )
    return bool(done.sent or done.over or done.kept)


# --- Showing


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
