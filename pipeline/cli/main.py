"""The command line: which commands there are, in the order in which a person meets them.

Each command is a file of this folder, named as the command, that holds a `typer.Typer` called `app`. The file is imported when
its command is run, completed or asked for its help, and not before: `tidegate --help` shows COMMANDS and imports none of them,
so that it costs no more than Python and typer. A command in turn imports at its top only what its options need, and what does
its work inside the function that runs.

A wrong configuration is one message and exit status 2, never a traceback.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from pipeline import collector
from pipeline.errors import TidegateError

COMMANDS: Final = {
    "demo": "Run the whole pipeline on embedded servers and prove it.",
    "check": "Check a configuration: every setting, rule and template.",
    "doctor": "Look at the brokers, Kafka and the buckets before starting.",
    "ingress": "Read messages and events from MQTT, write them to Kafka.",
    "worker": "Apply the rules to what is in Kafka, write the rows to S3.",
    "verify": "Prove from S3 alone that nothing is lost or there twice.",
    "replay": "Run a range of records through the present rules again.",
    "dead-letter": "Look at records that could not be handled, send them again.",
    "rule": "Try a rule on an event before it runs.",
    "template": "Try a template on a row before it is used.",
    "config": "Print what an editor needs to help with a configuration.",
    "password": "Print a line of a listener's password file.",
}


class _Listed(TyperCommand):
    """A command that is known by its name and one line, until it is needed."""

    def loaded(self) -> Any:
        """The command itself, with its options."""
        assert self.name is not None
        module = import_module(f"pipeline.cli.{self.name.replace('-', '_')}")
        return typer.main.get_command(module.app)


class _Commands(TyperGroup):
    """The group of all commands. Help and completion are shown what is listed; what is run is loaded."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: _Listed(name, help=line, callback=None) for name, line in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that `args` begins with, loaded."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed.loaded() if isinstance(listed, _Listed) else listed, rest


app = typer.Typer(
    name="tidegate",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich would cost as much again as everything else here
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tidegate {version('tidegate')}")
        raise typer.Exit


@app.callback()
def tidegate(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """MQTT data into S3 through Kafka: rules in SQL, templated objects, nothing lost."""


def main() -> None:
    """Entry point of the command: an error that a person can mend is one message and exit status 2."""
    collector.slow_down()
    try:
        app()
    except TidegateError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
