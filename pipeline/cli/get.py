"""`tidegate get`: shows objects of the configuration in Kafka."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.changing import chosen, on_topic
from pipeline.cli.options import ConfigFile, show_time, single

if TYPE_CHECKING:
    from pipeline.control.objects import Snapshot

app = single()


@app.command()
def get(
    config: ConfigFile,
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            help="Keys such as rule/hot, or what they begin with, such as rule. Default: all.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Literal["table", "yaml", "json"],
        typer.Option(help="table: a line for each object. yaml: as `apply` takes it. json: with revision and author."),
    ] = "table",
) -> None:
    """Show objects of the configuration in Kafka."""
    snapshot = on_topic(config, _snapshot)
    found = chosen(dict(snapshot.objects), keys or ())
    if output == "yaml":
        from pipeline.config.dump import yaml_text
        from pipeline.control.objects import sections_of

        typer.echo(yaml_text(sections_of({key: each.value for key, each in found.items()})), nl=False)
    elif output == "json":
        facts = {
            key: {"value": each.value, "revision": each.revision, "by": each.by, "at": each.at, "from": each.source}
            for key, each in found.items()
        }
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
    elif not found:
        typer.echo(
            "no object: the configuration in Kafka is empty, until `tidegate apply` or the dashboard fills it", err=True
        )
    else:
        width = max(map(len, found))
        for key, each in found.items():
            typer.echo(f"{key:{width}}  revision {each.revision}  {show_time(each.at)}  {each.source} by {each.by}")


async def _snapshot(log: object) -> Snapshot:
    from pipeline.control.config_log import ConfigLog

    assert isinstance(log, ConfigLog)
    return log.snapshot
