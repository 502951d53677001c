"""Parts that the commands share which read and change the configuration in Kafka."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipeline.cli.waiting import waiting
from pipeline.errors import CommandError

if TYPE_CHECKING:
    from pipeline.control.config_log import ConfigLog
    from pipeline.control.objects import Stored
    from pipeline.control.plan import PlannedStep

Result = TypeVar("Result")
By = Annotated[str, typer.Option(help="Who makes the change, for the history. Default: the user of this system.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would change. Exit status 1 if anything would.")
]


def author(by: str) -> str:
    """The author of a change."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def on_topic(config: Path, work: Callable[[ConfigLog], Awaitable[Result]]) -> Result:
    """Do something with the configuration in Kafka that a file names."""
    from pipeline import log
    from pipeline.control.config_log import ConfigLog
    from pipeline.control.whole import load_own

    log.configure(level="error")

    base = load_own(config)

    async def run() -> Result:
        async with AsyncExitStack() as stack:
            with waiting(base.kafka.bootstrap_servers):
                opened = await stack.enter_async_context(ConfigLog(base))
            return await work(opened)

    return asyncio.run(run())


def say_steps(log: ConfigLog, steps: Sequence[PlannedStep]) -> None:
    """Print what changes."""
    from pipeline.control.plan import difference
    from pipeline.hidden import without_secrets

    for line in difference(log.base, steps):
        typer.echo(without_secrets(line))


def say_done(steps: Sequence[PlannedStep], revision: int, *, dry_run: bool = False) -> None:
    """Print the last line: how many objects, and the revision."""
    counts = [(sum(each.sign == sign for each in steps), word) for sign, word in _WORDS]
    told = ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing to change"
    typer.echo(f"{told}{'; nothing is written' if dry_run and steps else ''}; revision {revision}")


_WORDS = (("+", "new"), ("~", "changed"), ("-", "deleted"))


def chosen(objects: dict[str, Stored], wanted: Sequence[str]) -> dict[str, Stored]:
    """The objects of the configuration with these keys, or whose keys begin so: `rule`, `action/s3`, `rule/hot`.

    Raises CommandError for one that chooses nothing.
    """
    from pipeline.control.objects import place_of

    there = {key: each for key, each in sorted(objects.items()) if place_of(key)}
    for each in wanted:
        if not any(_is_chosen(key, each) for key in there):
            raise CommandError(f"no object {each!r}; there are: {', '.join(there) or 'none'}")
    return {key: each for key, each in there.items() if not wanted or any(_is_chosen(key, one) for one in wanted)}


def _is_chosen(key: str, wanted: str) -> bool:
    return key == wanted or key.startswith(wanted.rstrip("/") + "/")
