"""`tidegate config schema`: prints the JSON Schema of the configuration file. Editors complete and check the file with it."""

from __future__ import annotations

import json

import typer

from pipeline.cli.options import group

app = group("Print the JSON Schema of the configuration for editors.")


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the configuration file.

    With this schema, an editor completes the names of settings, shows their help and marks errors.
    """
    from pipeline.config.schema import schema

    typer.echo(json.dumps(schema(), ensure_ascii=False, indent=2))
