"""`tidegate servers`: the embedded servers of the demo, for a first configuration. pipeline/demo/servers.py does the work."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.cli.options import single

app = single()


@app.command()
def servers(
    bucket: Annotated[str, typer.Option(help="Bucket to create.")] = "iot-data",
    kafka_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Kafka.")] = 9092,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the broker for MQTT 5.")] = 1883,
    mqtt_311_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the broker for MQTT 3.1.1.")] = 1884,
    s3_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the S3 server.")] = 7070,
) -> None:
    """Run a Kafka, an MQTT broker and an S3 server for a first try.

    They run on this machine alone, until Ctrl-C, and keep everything in memory. Use them to learn, and not in production.
    This Kafka cannot find a time: `replay --from TIME` begins at the first record. An offset is right.
    """
    from pipeline.demo.servers import Ports, run

    sys.exit(run(Ports(kafka_port, mqtt_port, mqtt_311_port, s3_port), bucket, say=typer.echo))
