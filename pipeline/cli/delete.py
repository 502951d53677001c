"""`tidegate delete`: deletes objects of the configuration in Kafka."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.changing import By, DryRun, author, chosen, on_topic, say_done
from pipeline.cli.options import ConfigFile, single

if TYPE_CHECKING:
    from pipeline.control.config_log import ConfigLog

app = single()


@app.command()
def delete(
    config: ConfigFile,
    keys: Annotated[list[str], typer.Argument(help="Keys of objects, such as rule/hot.", show_default=False)],
    dry_run: DryRun = False,
    by: By = "",
) -> None:
    """Delete objects of the configuration in Kafka.

    All are deleted at once, or none: an object that others refer to stays, and the command says which.
    """
    sys.exit(on_topic(config, lambda log: _delete(log, keys, dry_run=dry_run, by=author(by))))


async def _delete(log: ConfigLog, keys: list[str], *, dry_run: bool, by: str) -> int:
    from pipeline.control.objects import after, checked, place_of
    from pipeline.control.plan import PlannedStep, change_of
    from pipeline.errors import CommandError

    for key in keys:
        if place_of(key) is None:
            raise CommandError(f"expected the key of one object, such as rule/hot or action/s3/hot, found {key!r}")
    steps = [PlannedStep(key, each, None) for key, each in chosen(dict(log.snapshot.objects), keys).items()]
    change = change_of(steps, by=by, source="apply")
    for step in steps:
        typer.echo(f"{step.sign} {step.key}")
    if dry_run:
        checked(log.base, after(log.snapshot.objects, change))
        say_done(steps, log.snapshot.revision, dry_run=True)
        return 1
    say_done(steps, (await log.write(change)).revision)
    return 0
