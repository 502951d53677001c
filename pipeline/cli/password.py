"""`tidegate password`: one line for the password file of a listener."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.passwords import hashed


def password(user: Annotated[str, typer.Argument(help="User name of the client.", show_default=False)]) -> None:
    """Print the line `user:hash` for a listener's password file. Asks for the password, or reads a line of standard input."""
    if not user or ":" in user or user != user.strip() or not user.isprintable() or user.startswith("#"):
        raise typer.BadParameter("expected a user name without ':', spaces around it or '#' before it")
    if sys.stdin.isatty():
        secret = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise typer.BadParameter("expected a password, found none")
    typer.echo(f"{user}:{hashed(secret)}")
