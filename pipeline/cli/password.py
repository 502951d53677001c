"""`tidegate password`: makes one line for the password file of a listener."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.cli.options import single

app = single()


@app.command()
def password(user: Annotated[str, typer.Argument(help="User name of the client.", show_default=False)]) -> None:
    """Print a line of a listener's password file.

    The line is `user:hash`. The command asks for the password, or reads it from standard input.
    """
    from pipeline.passwords import hashed

    if not user or ":" in user or user != user.strip() or not user.isprintable() or user.startswith("#"):
        raise typer.BadParameter(
            "expected a user name without ':', without spaces at its ends and without '#' at its start"
        )
    if sys.stdin.isatty():
        secret = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise typer.BadParameter("expected a password, found none")
    typer.echo(f"{user}:{hashed(secret)}")
