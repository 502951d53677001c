"""`tidegate check`: whether a configuration file can be used. Exit status 2 if it cannot."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.cli.options import ConfigFile, single

app = single()


@app.command()
def check(
    config: ConfigFile,
    connect: Annotated[bool, typer.Option("--connect", help="Also ask for the bucket of each action.")] = False,
) -> None:
    """Check a configuration: every setting, rule and template.

    Opens no connection, unless --connect is given. Exit status 2 if the file cannot be used. A secret whose variable or file
    is not here is a warning, and with --connect an error.
    """
    from pipeline.action import problems
    from pipeline.config import load_file
    from pipeline.config.references import unresolved_secrets

    loaded = load_file(config)
    found = problems(loaded)
    for problem in found:
        typer.echo(f"error: {problem}", err=True)
    if found:
        sys.exit(2)
    secrets = unresolved_secrets(loaded)
    for secret in secrets:
        typer.echo(f"{'error' if connect else 'warning'}: {loaded.places.of(secret.path)}: {secret}", err=True)
    if connect and secrets:
        sys.exit(1)
    typer.echo(f"{config}: good")
    if connect:
        import asyncio

        from agents import worker

        states = asyncio.run(worker.connect(loaded))
        for name, state in states.items():
            typer.echo(f"s3:{name}: {state}")
        if any(state.startswith("disconnected") for state in states.values()):
            sys.exit(1)
