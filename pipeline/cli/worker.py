"""`tidegate worker`: starts the process that reads Kafka and writes to S3. agents/worker.py does the work."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.options import ConfigFile, single
from pipeline.cli.process import LogFormat, run

app = single()


@app.command()
def worker(
    config: ConfigFile,
    actions: Annotated[
        list[str] | None, typer.Argument(help="Actions to run. Default: all.", show_default=False)
    ] = None,
    log: LogFormat = "auto",
) -> None:
    """Apply the rules to records in Kafka, write the rows to S3.

    Start more workers to go faster: they share the partitions. The process runs until it is stopped.
    """
    from agents.worker import serve
    from pipeline.config import load_file

    run(lambda: serve(load_file(config), actions=actions or ()), log)
