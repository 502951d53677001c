"""`tidegate ingress`: starts the process that reads MQTT and writes to Kafka. ingress/service.py does the work."""

from __future__ import annotations

from pipeline.cli.options import ConfigFile, single
from pipeline.cli.process import LogFormat, run

app = single()


@app.command()
def ingress(config: ConfigFile, log: LogFormat = "auto") -> None:
    """Read messages and events from MQTT, write them to Kafka.

    A message is acknowledged only after Kafka has it. The process runs until it is stopped.
    """
    from ingress import service
    from pipeline.config import load_file

    run(lambda: service.run(load_file(config)), log)
