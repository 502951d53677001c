"""`tidegate worker`: starts the process that reads Kafka and writes to S3, or several. agents/worker.py does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipeline.cli.options import ConfigFile, single
from pipeline.cli.process import LogFormat, run
from pipeline.errors import CommandError

if TYPE_CHECKING:
    from pipeline.config import Config

PROCESSES_MAX: Final = 64
PORT_MAX: Final = 65535

app = single()


@app.command()
def worker(
    config: ConfigFile,
    actions: Annotated[
        list[str] | None, typer.Argument(help="Actions to run. Default: all.", show_default=False)
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=PROCESSES_MAX, help="Workers to start, each a process that uses one core.")
    ] = 1,
    log: LogFormat = "auto",
) -> None:
    """Apply the rules to records in Kafka, write the rows to S3.

    Start more workers to go faster: they share the partitions. With --processes, one command starts several, and starts one
    that ends again. The page of the first has the port of the configuration, that of each further one the next port. The
    command runs until it is stopped.
    """
    from pipeline.config import load_file
    from pipeline.process import several

    number = several.own_number()
    if processes == 1 or number:
        from agents.worker import serve

        run(lambda: serve(with_port(load_file(config), number), actions=actions or ()), log)
        return
    with_port(load_file(config), processes)  # one message for what each of them would find
    raise typer.Exit(run(lambda: several.Several(several.this_command(), processes).run(), log))


def with_port(config: Config, number: int) -> Config:
    """The configuration with the port of the page of process `number`. Raises CommandError if there is no such port."""
    port = config.metrics.worker_port
    if not port or number <= 1:
        return config
    if (own := port + number - 1) > PORT_MAX:
        raise CommandError(
            f"metrics.worker_port: the page of process {number} has no port: expected at most {PORT_MAX}, found {own}"
        )
    return config.model_copy(update={"metrics": config.metrics.model_copy(update={"worker_port": own})})
