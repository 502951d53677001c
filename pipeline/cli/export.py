"""`tidegate export`: prints the configuration in Kafka as one file, which `apply` takes."""

from __future__ import annotations

import typer

from pipeline.cli.changing import chosen, on_topic
from pipeline.cli.options import ConfigFile, single

app = single()


@app.command()
def export(config: ConfigFile) -> None:
    """Print the configuration in Kafka as a file for `apply`.

    Settings, durations, sizes and references are as they were applied. Comments are not kept. Users and sessions are left out.
    """
    from pipeline.config.dump import yaml_text
    from pipeline.control.config_log import ConfigLog
    from pipeline.control.objects import sections_of

    async def values(log: ConfigLog) -> dict[str, object]:
        return sections_of({key: each.value for key, each in chosen(dict(log.snapshot.objects), ()).items()})

    typer.echo(yaml_text(on_topic(config, values)), nl=False)
