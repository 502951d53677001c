"""`tidegate replay`: shows what a replay would read and write, asks, and runs it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipeline.cli.options import ConfigFile, Output, parse_time, show_time, single, tell
from pipeline.cli.waiting import waiting
from pipeline.errors import CommandError, NotFoundError

if TYPE_CHECKING:
    from pipeline.connectors.kafka.reader import Bound
    from pipeline.operation import LeftOutRecords, Planned

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
    from agents.operate.replaying import run
    from pipeline import log
    from pipeline.config.load import require_secrets
    from pipeline.control.whole import load_whole
    from pipeline.operation import Range

    log.configure(level="warning", stream=sys.stderr)
    settings, name = load_whole(config, waiting), action.removeprefix("s3:")
    if name not in settings.actions.s3:
        raise NotFoundError.among("action", name, settings.actions.s3)
    require_secrets(settings, ("connectors", "s3", settings.actions.s3[name].connector), ("actions", "s3", name))
    if _ends_before(since, until):
        raise CommandError("expected --to after --from, found an end that is not: the range has no record")
    wanted = Range(since, until, tuple(partition or ()))
    talk = _Talk(output == "jsonl", plan, yes)
    with talk.silent:
        talk.silent.enter_context(waiting(settings.kafka.bootstrap_servers))
        whole = asyncio.run(run(settings, name, wanted, into, talk))
    sys.exit(talk.status if whole else 1)


def _ends_before(since: Bound, until: Bound | None) -> bool:
    """Whether a range is empty whatever Kafka has. An offset and a time cannot be compared."""
    if until is None or (since.offset is None) != (until.offset is None):
        return False
    return until <= since


def _confirmed() -> bool:
    """The answer of a person. Raises CommandError if standard input ends without one."""
    try:
        return typer.confirm("Go on?", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise CommandError("nobody answers on standard input; give --yes to go on without a question") from None


class _Talk:
    """The output of the command: lines for people, or one JSON object a line. Progress goes to the error stream."""

    def __init__(self, as_json: bool, only_plan: bool, yes: bool) -> None:
        self._as_json = as_json
        self._only_plan = only_plan
        self._yes = yes
        self._what, self._done, self._total, self._next = "", 0, 0, 0.0
        self.status = 0 if only_plan else 1  # until it is agreed to
        self.silent = ExitStack()  # until there is something to say

    def begin(self, what: str, total: int) -> None:
        """Begin a part of the work, with about `total` records."""
        self.silent.close()
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

    async def agreed(self, plan: Planned) -> bool:
        """Print the plan, and return whether to go on."""
        for span in plan.spans:
            self._print(
                {"range": span._asdict()}, f"{span.topic}/{span.partition}: offsets {span.first} to {span.end - 1}"
            )
        counts = {name: getattr(plan, name) for name in ("records", "bytes", "rows", "objects", "puts")}
        self._print(
            {"plan": counts, "into": plan.where},
            f"{plan.records:,} records give {plan.rows:,} rows in at most {plan.objects:,} objects, "
            f"{plan.puts:,} PUT requests, into {plan.where}; {plan.bytes:,} bytes to read",
        )
        self._refused(plan.left_out, "would be left out")
        if not plan.records:
            self.status = 0
            self.note("nothing to do")
        if self._only_plan or not plan.records or not (self._yes or _confirmed()):
            return False
        self.status = 0
        return True

    def end(self, text: str, left_out: Sequence[LeftOutRecords]) -> None:
        """Print the last lines."""
        self._refused(left_out, "left out")
        self._print({"done": text}, f"done: {text}")

    def _refused(self, left_out: Sequence[LeftOutRecords], what: str) -> None:
        for each in left_out:
            facts = {
                "rule": each.rule,
                "cause": each.cause,
                "count": each.records,
                "first": each.first,
                "arrived": show_time(each.arrived_ms),
                "error": each.error,
            }
            text = f"{what}: {each.records:,} times {each.rule or 'rows'} {each.cause}, first at {each.first}: {each.error}"
            self._print({"refused": facts}, text)

    def _print(self, fields: dict[str, Any], line: str) -> None:
        tell(json.dumps(fields) if self._as_json else line)
