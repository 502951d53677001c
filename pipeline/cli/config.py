"""`tidegate config schema`: the JSON Schema of the configuration file, by which an editor completes and checks it."""

from __future__ import annotations

import json

import typer

from pipeline.cli.options import group

app = group("Print what an editor needs to help with a configuration.")


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the configuration file.

    An editor that has it completes the names of settings, shows their help and marks what is wrong.
    """
    from pipeline.config.schema import schema

    typer.echo(json.dumps(schema(), ensure_ascii=False, indent=2))
