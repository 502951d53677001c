"""`tidegate history`: who changed the configuration in Kafka, what and when; and the way back."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.changing import By, DryRun, author, on_topic, say_done, say_steps
from pipeline.cli.options import ConfigFile, show_time, single
from pipeline.errors import NotFoundError

if TYPE_CHECKING:
    from pipeline.control.config_log import ConfigLog

app = single()


@app.command()
def history(
    config: ConfigFile,
    keys: Annotated[
        list[str] | None, typer.Argument(help="Only changes of these objects, such as rule/hot.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Also show what each change changed.")] = False,
    roll_back: Annotated[
        int | None,
        typer.Option(
            "--roll-back",
            metavar="REVISION",
            help="Make all objects what they were at this revision.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    by: By = "",
) -> None:
    """Show who changed the configuration in Kafka, or roll it back.

    Each change is a line: its revision, time, author and objects (+ new or changed, - deleted). The history reaches as
    far back as Kafka keeps what later changes replaced: 30 days, unless the topic says something else.
    """
    if roll_back is None:
        on_topic(config, lambda log: _show(log, set(keys or ()), show=show))
    else:
        revision = roll_back
        sys.exit(on_topic(config, lambda log: _roll_back(log, revision, dry_run=dry_run, by=author(by))))


async def _show(log: ConfigLog, keys: set[str], *, show: bool) -> None:
    from pipeline.control.objects import Stored, place_of
    from pipeline.control.plan import PlannedStep

    before: dict[str, Stored] = {}
    past = [each for each in await log.history() if place_of(each.key)]
    there = {each.key for each in past}
    if unknown := keys - there:
        raise NotFoundError.among("change of", min(unknown), sorted(there))
    for _, group in groupby(past, key=lambda each: each.change):
        records = list(group)
        steps = [
            PlannedStep(each.key, before.get(each.key), each.stored.value if each.stored else None) for each in records
        ]
        for each in records:
            if each.stored:
                before[each.key] = each.stored
            else:
                before.pop(each.key, None)
        wanted = [step for step in steps if not keys or step.key in keys]
        if not wanted:
            continue
        last = records[-1]
        changed = " ".join(f"{'-' if step.after is None else '+'}{step.key}" for step in wanted)
        typer.echo(f"{last.revision}  {show_time(last.at)}  {last.source} by {last.by}  {changed}")
        if show:
            say_steps(log, wanted)


async def _roll_back(log: ConfigLog, revision: int, *, dry_run: bool, by: str) -> int:
    from pipeline.control.objects import after, checked
    from pipeline.control.plan import APPLY, change_of, first_after, to_roll_back

    past = await log.history()
    await log.check_history(first_after(past, revision))
    steps, sources = to_roll_back(log.snapshot.objects, past, revision)
    say_steps(log, steps)
    change = change_of(steps, by=by, source=APPLY, sources=sources)
    if dry_run:
        checked(log.base, after(log.snapshot.objects, change))
        say_done(steps, log.snapshot.revision, dry_run=True)
        return 1 if steps else 0
    say_done(steps, (await log.write(change)).revision)
    return 0
