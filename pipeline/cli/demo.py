"""`tidegate demo`: the whole pipeline on this machine, with simulated devices. pipeline/demo does the work."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from pipeline.cli.options import single

app = single()


@app.command()
def demo(
    devices: Annotated[int, typer.Option(min=1, max=1000, help="Simulated devices.")] = 40,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Messages per second of each device.")] = 2.5,
    duration: Annotated[float, typer.Option(min=1, max=3600, help="How many seconds the devices send.")] = 20.0,
    output: Annotated[Literal["text", "json"], typer.Option(help="json: one JSON object as the last line.")] = "text",
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    listener: Annotated[
        bool, typer.Option("--listener", help="Use no broker: devices connect to the ingress itself.")
    ] = False,
) -> None:
    """Run the whole pipeline on embedded servers and prove it.

    Kafka, the MQTT broker, the S3 server and the devices run on this machine, and leave nothing behind.
    """
    from pipeline.demo.main import Options, run

    sys.exit(run(Options(devices, rate, duration, output, keep, listener)))
