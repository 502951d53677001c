"""The command line: all commands, in the order in which a person needs them.

Each command is a file of this folder with the name of the command. The file holds a `typer.Typer` called `app`. It is imported
only when its command runs, is completed or shows its help. `tidegate --help` shows COMMANDS and imports none of them, so it
costs no more than Python and typer. The top of a command's file imports only what its options need. The function that runs
imports the rest.

A wrong configuration gives one message and exit status 2, never a traceback.
"""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from pipeline.errors import TidegateError
from pipeline.hidden import without_secrets
from pipeline.process import collector

COMMANDS: Final = {
    "demo": "Run the whole pipeline on embedded servers and prove it.",
    "servers": "Run a Kafka, an MQTT broker and an S3 server for a first try.",
    "check": "Check a configuration: every setting, rule and template.",
    "doctor": "Check the brokers, Kafka and the buckets before you start.",
    "ingress": "Read messages and events from MQTT, write them to Kafka.",
    "worker": "Apply the rules to records in Kafka, write the rows to S3.",
    "apply": "Make the configuration in Kafka what files say.",
    "import": "Take over the configuration of an EMQX.",
    "get": "Show objects of the configuration in Kafka.",
    "delete": "Delete objects of the configuration in Kafka.",
    "export": "Print the configuration in Kafka as a file for `apply`.",
    "history": "Show who changed the configuration in Kafka, or roll it back.",
    "secrets": "Make keys that seal clear secrets for the workers.",
    "api": "Serve the REST API: see, change, try and watch everything.",
    "verify": "Prove from S3 alone that nothing is lost or there twice.",
    "replay": "Handle a range of records again with today's rules.",
    "dead-letter": "Show records that could not be handled, send them again.",
    "rule": "Try a rule on an event before it runs.",
    "template": "Try a template on a row before it is used.",
    "config": "Print the JSON Schema of the configuration for editors.",
    "password": "Print a line of a listener's password file.",
}

# What a write says when no more can be written, to standard output or to a file.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


# What pydantic, with which typer reads options, calls them.
_EXPECTED: Final = {
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
}


class _Listed(TyperCommand):
    """A command that is not loaded: only its name and its line of help are known."""

    def loaded(self) -> Any:
        """The loaded command with its options."""
        assert self.name is not None
        file = self.name.replace("-", "_")
        module = import_module(f"pipeline.cli.{file}_" if iskeyword(file) else f"pipeline.cli.{file}")
        return typer.main.get_command(module.app)


class _Commands(TyperGroup):
    """The group of all commands. Help and completion use the list; a command that runs is loaded."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: _Listed(name, help=line, callback=None) for name, line in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The loaded command with which `args` begins."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed.loaded() if isinstance(listed, _Listed) else listed, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command. A value that an option refuses is told in our words, and not in those of pydantic."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _refused(error.__cause__) or error.message
            raise


def _refused(cause: Any) -> str:
    """The expected and the found value in a sentence, or nothing if the text of typer says it."""
    if not hasattr(cause, "errors"):
        return ""
    first: Any = cause.errors()[0]
    expected = _EXPECTED.get(first["type"])
    if expected is None:
        return str(first["ctx"]["error"]) if first["type"] == "value_error" else ""
    return f"expected {expected.format(**first.get('ctx', {}))}, found {first['input']!r}"


app = typer.Typer(
    name="tidegate",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text, because rich would double the time of --help
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
    """Entry point of the command. An error that a person can correct gives one message and exit status 2."""
    collector.loading()
    try:
        app()
    except TidegateError as error:
        typer.echo(without_secrets(f"error: {error}"), err=True)
        sys.exit(2)
    except Exception as error:
        import traceback

        if isinstance(error, OSError) and error.errno in _FULL:
            typer.echo(without_secrets(f"error: cannot write{_to(error)}: {error.strerror}"), err=True)
            sys.exit(2)
        typer.echo(without_secrets(traceback.format_exc()), err=True)
        sys.exit(1)


def _to(error: OSError) -> str:
    """The file of an error; nothing for standard output."""
    return f" {error.filename}" if error.filename else ""


if __name__ == "__main__":
    main()
