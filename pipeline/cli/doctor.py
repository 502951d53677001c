"""`tidegate doctor`: prints one line for each check of the outside systems. Exit status 1 if anything is bad.

pipeline/doctor does the checks. This file prints them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.options import ConfigFile, single
from pipeline.cli.waiting import waiting
from pipeline.errors import ConnectorError
from pipeline.hidden import without_secrets

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.doctor import Check

app = single()


@app.command()
def doctor(
    config: ConfigFile,
    output: Annotated[Literal["text", "json"], typer.Option(help="json: one JSON object at the end.")] = "text",
    api: Annotated[str, typer.Option(help="Address of `tidegate api` to try, such as http://127.0.0.1:18083.")] = "",
) -> None:
    """Check the brokers, Kafka and the buckets before you start.

    The checks use the same requests and logins as the processes. Exit status 1 if anything is bad.
    """
    from pipeline import log

    log.configure(level="error")  # the checks report what the connectors would warn about
    sys.exit(asyncio.run(_print(_known(config), api, as_json=output == "json")))


def _known(file: Path) -> Config:
    """The whole configuration; without the objects that are in Kafka if it does not answer, which a check reports then."""
    from pipeline.config import load_file
    from pipeline.control.whole import load_whole

    try:
        return load_whole(file, waiting)
    except ConnectorError:
        return load_file(file)


async def _print(config: Config, api: str, *, as_json: bool) -> int:
    found: list[Check] = []
    async for check in _checks(config, api):
        found.append(check)
        if not as_json:
            typer.echo(without_secrets(check.line()))
    counts = {state: sum(check.state == state for check in found) for state in ("ok", "warn", "bad", "skipped")}
    if as_json:
        typer.echo(json.dumps({**counts, "checks": [_shown(check) for check in found]}))
    else:
        typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    return 1 if counts["bad"] else 0


def _shown(check: Check) -> dict[str, str]:
    return {name: without_secrets(text) for name, text in asdict(check).items()}


async def _checks(config: Config, api: str = "") -> AsyncIterator[Check]:
    from agents.operate import standing
    from pipeline.config.references import unresolved_secrets
    from pipeline.doctor import Check, control, installation, kafka, mqtt, rights, s3

    for secret in unresolved_secrets(config):
        title, _, setting = str(secret).partition(": ")
        yield Check(f"secret {title}", "bad", setting, "the secret", "set the variable, or create the file")
    yield installation.check()
    packets: dict[str, int | None] = {}
    for name, source in config.sources.mqtt.items():
        checks, packets[f"mqtt:{name}"] = await asyncio.to_thread(mqtt.check, name, source)
        for check in checks:
            yield check
    for name in config.sources.exhook:
        yield Check(f"exhook:{name}", "skipped", "EMQX connects to the ingress; EMQX's log shows whether it can")
    for name, listener in config.sources.listener.items():
        packets[f"listener:{name}"] = listener.max_packet_size
        yield Check(f"listener:{name}", "skipped", "devices connect to the ingress; no broker has to queue messages")
    with waiting(config.kafka.bootstrap_servers):
        of_kafka = await asyncio.to_thread(lambda: list(kafka.check(config.kafka, packets)))
    for check in of_kafka:
        yield check
    answers = of_kafka[0].state == "ok"
    for check in await asyncio.to_thread(lambda: list(rights.check(config))) if answers else ():
        yield check
    for check in await asyncio.to_thread(lambda: list(control.check(config, api, kafka_answers=answers))):
        yield check
    async for check in s3.check(config):
        yield check
    if answers:
        async for check in standing.checks(config):
            yield check
