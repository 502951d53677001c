"""The command line: `tidegate ingress`, `worker`, `check`, `demo`; and those of the cli_*.py files.

Parses arguments, loads the configuration, and calls the process that does the work. A wrong configuration is one message and
exit status 2, never a traceback.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

import typer

from pipeline.cli.dead_letter import letter_app
from pipeline.cli.doctor import doctor
from pipeline.cli.options import ConfigFile
from pipeline.cli.password import password
from pipeline.cli.replay import replay
from pipeline.cli.rule import rule_app, template_app
from pipeline.cli.verify import verify
from pipeline.config import load_file
from pipeline.errors import TidegateError

app = typer.Typer(
    name="tidegate",
    help="MQTT data into S3 through Kafka: rules in SQL, templated objects, nothing lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command()(verify)
app.command()(replay)
app.command()(doctor)
app.command()(password)
app.add_typer(letter_app, name="dead-letter")
app.add_typer(rule_app, name="rule")
app.add_typer(template_app, name="template")

LogFormat = Annotated[
    Literal["auto", "text", "json"], typer.Option("--log", help="Form of the log lines; auto: text on a terminal.")
]


@app.command()
def ingress(config: ConfigFile, log: LogFormat = "auto") -> None:
    """Read MQTT messages and client events, write them to Kafka, acknowledge them after Kafka has them."""
    from ingress.service import run

    _run(lambda: run(load_file(config)), log)


@app.command()
def worker(
    config: ConfigFile,
    actions: Annotated[
        list[str] | None, typer.Argument(help="Actions to run; all by default.", show_default=False)
    ] = None,
    log: LogFormat = "auto",
) -> None:
    """Apply the rules to what is in Kafka and write the rows to S3. Start more of them to go faster."""
    from agents.worker import serve

    _run(lambda: serve(load_file(config), actions=actions or ()), log)


@app.command()
def demo(
    devices: Annotated[int, typer.Option(min=1, max=1000, help="Simulated devices.")] = 40,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Messages per second of each device.")] = 2.5,
    duration: Annotated[float, typer.Option(min=1, max=3600, help="Seconds for which the devices send.")] = 20.0,
    output: Annotated[Literal["text", "json"], typer.Option(help="json: one object as the last line.")] = "text",
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards, until Ctrl-C.")] = False,
    listener: Annotated[
        bool, typer.Option("--listener", help="Without a broker: devices connect to the ingress itself.")
    ] = False,
) -> None:
    """Run the main job on an embedded stack, with a live view, and prove what arrived."""
    from pipeline.demo.main import Options, run

    sys.exit(run(Options(devices, rate, duration, output, keep, listener)))


@app.command()
def check(
    config: ConfigFile,
    connect: Annotated[bool, typer.Option("--connect", help="Also ask for the bucket of each action.")] = False,
) -> None:
    """Check a configuration file: every setting, rule and template. Opens no connection unless told to."""
    from agents import worker

    loaded = load_file(config)
    worker.check(loaded)
    typer.echo(f"{config}: good")
    states = asyncio.run(worker.connect(loaded)) if connect else {}
    for name, state in states.items():
        typer.echo(f"s3:{name}: {state}")
    if any(state.startswith("disconnected") for state in states.values()):
        sys.exit(1)


def _run(start: Callable[[], Coroutine[Any, Any, None]], log_format: str) -> None:
    """Run a process under uvloop where it exists."""
    from pipeline import log

    log.configure(json=None if log_format == "auto" else log_format == "json")

    try:
        import uvloop
    except ImportError:
        asyncio.run(start())
    else:
        uvloop.run(start())


def main() -> None:
    """Entry point of the command: an error that a person can mend is one message and exit status 2."""
    try:
        app()
    except TidegateError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
