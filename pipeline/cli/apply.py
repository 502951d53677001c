"""`tidegate apply`: makes the configuration in Kafka what files say, all at once or not at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipeline.cli.changing import By, DryRun, author, on_topic, say_done, say_steps
from pipeline.cli.options import ConfigFile, single
from pipeline.errors import CommandError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.control.config_log import ConfigLog

app = single()

FILES: Final = {".yaml", ".yml", ".json"}


@app.command()
def apply(
    config: ConfigFile,
    file: Annotated[
        list[Path],
        typer.Option(
            "--file", "-f", help="File of objects, or folder of such files. Give it several times.", show_default=False
        ),
    ],
    dry_run: DryRun = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete objects that `apply` wrote last and that no file has.")
    ] = False,
    by: By = "",
) -> None:
    """Make the configuration in Kafka what files say.

    The files have sources, connectors, actions, rules and schemas, as a configuration file has them. All changes are
    made at once, after the whole configuration is checked, or none. Exit status 2 if it is refused.
    """
    sys.exit(on_topic(config, lambda log: _apply(log, file, dry_run=dry_run, prune=prune, by=author(by))))


async def _apply(log: ConfigLog, files: list[Path], *, dry_run: bool, prune: bool, by: str) -> int:
    from pipeline.control.objects import after, checked
    from pipeline.control.parts import objects_of_all, placed_in
    from pipeline.control.plan import APPLY, change_of, to_apply
    from pipeline.control.sealing import kept

    parts = _read(log.base, files)
    wanted = kept(log.snapshot.objects, objects_of_all(parts))
    steps = to_apply(log.snapshot.objects, wanted, prune=prune)
    change = change_of(steps, by=by, source=APPLY)
    with placed_in(parts):
        if dry_run:
            checked(log.base, after(log.snapshot.objects, change))
            say_steps(log, steps)
            say_done(steps, log.snapshot.revision, dry_run=True)
            return 1 if steps else 0
        say_steps(log, steps)
        snapshot = await log.write(change)
    say_done(steps, snapshot.revision)
    return 0


def _read(base: Config, files: list[Path]) -> list[Config]:
    """What each file says."""
    from pipeline.config.load import file_text, parse_objects
    from pipeline.control.objects import own_settings

    own = own_settings(base)
    return [parse_objects(file_text(path), own, name=str(path)) for given in files for path in _paths(given)]


def _paths(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    found = sorted(path for path in given.rglob("*") if path.suffix in FILES and path.is_file())
    if not found:
        raise CommandError(f"expected files that end with {', '.join(sorted(FILES))} in {given}, found none")
    return found
