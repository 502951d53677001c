"""Prints docs/cli.md from the commands themselves: `python -m pipeline.cli.manual > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from pipeline.cli.main import COMMANDS, app

_HEAD = """\
# Commands

Made by `python -m pipeline.cli.manual > docs/cli.md`. The option `--help` of each command shows the same.
[operations.md](operations.md#exit-statuses) says what exit statuses mean.

"""


def manual() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    listed = "".join(f"| [`{name}`](#tidegate-{name}) | {line} |\n" for name, line in COMMANDS.items())
    parts = [_HEAD, "| command | what it does |\n|---|---|\n", listed]
    for name in COMMANDS:
        context = root.make_context("tidegate", [name], resilient_parsing=True)
        _, command, _ = root.resolve_command(context, [name])
        parts.extend(_of(f"tidegate {name}", command, "##"))
    return "".join(parts)


def _of(path: str, command: Any, mark: str) -> Iterator[str]:
    """The part of a command, and those of the commands below it."""
    yield f"\n{mark} {path}\n\n{_prose(command.help or '')}\n"
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    below = getattr(command, "commands", {})
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    if not below:
        yield f"\n`{' '.join([path, *map(_argument, arguments), *(['[OPTIONS]'] if options else [])])}`\n"
    if arguments or options:
        yield "\n| option | default | meaning |\n|---|---|---|\n"
        yield from (f"| {each.name.upper()} |  | {_cell(each.help)} |\n" for each in arguments)
        yield from (f"| {_names(each)} | {_default(each)} | {_cell(each.help or '')} |\n" for each in options)
    for name, inner in below.items():
        yield from _of(f"{path} {name}", inner, mark + "#")


def _prose(text: str) -> str:
    """The help without the line breaks of the source."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _argument(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _default(option: Any) -> str:
    if option.required:
        return "required"
    shown = option.default not in (None, False, "", (), []) and not callable(option.default)
    return f"`{option.default}`" if shown else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    print(manual(), end="")
