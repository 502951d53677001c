"""`tidegate secrets`: keys that seal clear secrets for the workers, so that no topic and no API process can read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.changing import By, author, on_topic
from pipeline.cli.options import ConfigFile, group
from pipeline.errors import CommandError

if TYPE_CHECKING:
    from pipeline.config.base.sealed import PrivateKey
    from pipeline.control.config_log import ConfigLog

app = group("Make keys that seal clear secrets for the workers.")


@app.command()
def init(
    config: ConfigFile,
    new: Annotated[
        bool,
        typer.Option("--new", help="Although the announced key is lost: secrets sealed for it must be entered again."),
    ] = False,
    by: By = "",
) -> None:
    """Make the file of keys, and announce the public key.

    control.secrets_key names the file. The public key goes into the topic. Copy the file to each worker and
    ingress. The API process does not need it. If the file is there, its newest key is announced.
    """

    async def run(log: ConfigLog) -> None:
        path, keys = _keys(log)
        if not new:
            _check_announced(log, path, keys)
        key = keys[-1] if keys else _added(path, keys)
        await _announce(log, key, author(by))
        typer.echo(f"{path}: key {key.id}; copy the file to each worker and ingress, and to nobody else")

    on_topic(config, run)


@app.command()
def rotate(
    config: ConfigFile,
    finish: Annotated[
        bool, typer.Option("--finish", help="Seal all secrets of the topic for the newest key of the file.")
    ] = False,
    by: By = "",
) -> None:
    """Add a new key to the file, or seal all secrets for it.

    With --finish, seal all secrets of the topic for the newest key. Between the two, copy the file to
    each worker and ingress. Older keys stay in the file: they open the secrets of the history.
    """

    async def run(log: ConfigLog) -> None:
        path, keys = _keys(log)
        if not keys:
            raise CommandError(f"there is no key in {path} yet; `tidegate secrets init` makes one")
        if not finish:
            key = _added(path, keys)
            typer.echo(
                f"{path}: new key {key.id}; copy the file to each worker and ingress, then run this with --finish"
            )
            return
        count = await _seal_again(log, keys[-1], author(by))
        typer.echo(f"{count} objects are sealed for the key {keys[-1].id}")

    on_topic(config, run)


@app.command()
def seal(config: ConfigFile) -> None:
    """Print a secret in sealed form, for a file that `apply` takes.

    The command asks for the secret, or reads it from standard input.
    """

    async def run(log: ConfigLog) -> str:
        from pipeline.control.sealing import sealer_of

        sealer = sealer_of(log.snapshot.objects)
        if sealer is None:
            raise CommandError("the topic announces no key; `tidegate secrets init` makes one")
        return sealer(secret)

    if sys.stdin.isatty():
        secret = typer.prompt("Secret", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not secret:
        raise typer.BadParameter("expected a secret, found none")
    typer.echo(on_topic(config, run))


def _keys(log: ConfigLog) -> tuple[Path, list[PrivateKey]]:
    """The file of keys, and what is in it."""
    from pipeline.config.base.sealed import read_keys

    control = log.base.control
    assert control is not None
    if control.secrets_key is None:
        raise CommandError("expected control.secrets_key in the configuration: the path of the file of keys")
    path = Path(control.secrets_key)
    return path, read_keys(path) if path.exists() else []


def _added(path: Path, keys: list[PrivateKey]) -> PrivateKey:
    from pipeline.config.base.sealed import new_key, write_keys

    key = new_key()
    write_keys(path, [*keys, key])
    return key


def _check_announced(log: ConfigLog, path: Path, keys: list[PrivateKey]) -> None:
    """A second key of another machine would leave workers with one that opens half of the secrets."""
    from pipeline.control.objects import SECRETS_KEY

    there = log.snapshot.objects.get(SECRETS_KEY)
    if there is not None and there.value.get("id") not in {each.id for each in keys}:
        raise CommandError(
            f"the topic announces the key {there.value.get('id')}, which is not in {path}: copy the file that has it here, or"
            " give --new if it is lost"
        )


async def _announce(log: ConfigLog, key: PrivateKey, by: str) -> None:
    from pipeline.control.objects import SECRETS_KEY, Change
    from pipeline.control.sealing import announced

    there, value = log.snapshot.objects.get(SECRETS_KEY), announced(key)
    if there is None or there.value != value[SECRETS_KEY]:
        expected = {SECRETS_KEY: there.revision if there else None}
        await log.write(Change(value, expected=expected, by=by, source="secrets"))


async def _seal_again(log: ConfigLog, key: PrivateKey, by: str) -> int:
    """Announce a key, and write every object with a secret again, sealed for it: in one change."""
    from pipeline.control.objects import SECRETS_KEY, Change, place_of
    from pipeline.control.sealing import announced, sealed_again

    objects = log.snapshot.objects
    found = {name: sealed_again(each.value, key) for name, each in objects.items() if place_of(name)}
    puts = {name: value for name, value in found.items() if value != objects[name].value}
    expected = {name: objects[name].revision for name in puts}
    there = objects.get(SECRETS_KEY)
    expected[SECRETS_KEY] = there.revision if there else None  # type: ignore[assignment]
    sources = {name: objects[name].source for name in puts}
    await log.write(Change(announced(key) | puts, expected=expected, by=by, source="secrets", sources=sources))
    return len(puts)
