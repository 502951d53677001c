"""`tidegate apply`: makes the configuration in Kafka what files say, all at once or not at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipeline.cli.changing import By, DryRun, author, on_topic, say_done, say_steps
from pipeline.cli.options import ConfigFile, single
from pipeline.errors import CommandError, ConfigError

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
    from pipeline.control.plan import APPLY, change_of, to_apply

    parts = _read(log.base, files)
    wanted = _wanted(parts)
    steps = to_apply(log.snapshot.objects, wanted, prune=prune)
    change = change_of(steps, by=by, source=APPLY)
    try:
        if dry_run:
            checked(log.base, after(log.snapshot.objects, change))
            say_steps(log, steps)
            say_done(steps, log.snapshot.revision, dry_run=True)
            return 1 if steps else 0
        say_steps(log, steps)
        snapshot = await log.write(change)
    except ConfigError as error:
        raise _placed(error, parts) from None
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


def _wanted(parts: list[Config]) -> dict[str, Any]:
    """The objects of all files. Raises ConfigError for one that two files have."""
    from pipeline.control.objects import objects_of, place_of

    found: dict[str, Any] = {}
    places: dict[str, str] = {}
    for part in parts:
        for key, value in objects_of(part).items():
            place = place_of(key)
            assert place is not None
            where = part.places.of(place.path)
            if key in found:
                raise ConfigError(f"{key} is in {places[key]} too", where=where)
            found[key], places[key] = value, where
    return found


def _placed(error: ConfigError, parts: list[Config]) -> ConfigError:
    """The error with the file and line of each setting that a file has."""
    from pipeline.config.text.places import path_of
    from pipeline.control.objects import key_at, objects_of

    found = []
    for each in error.parts or [error]:
        key = key_at(tuple(path_of(each.where)))
        part = next((part for part in parts if key is not None and key in objects_of(part)), None)
        where = f"{part.places.of(path_of(each.where))}: {each.where}" if part else each.where
        found.append(ConfigError(each.message, where=where))
    return ConfigError("\n".join(map(str, found)), parts=found)
