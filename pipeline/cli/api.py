"""`tidegate api`: starts the process that serves the REST API. pipeline/web/server.py does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ConfigFile, single
from pipeline.cli.process import LogFormat, run

app = single()


@app.command()
def api(
    config: ConfigFile,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on. 0: any free one.", min=0, max=65535)] = 18083,
    certfile: Annotated[
        Path | None, typer.Option(help="PEM file of the certificate, for TLS.", show_default=False)
    ] = None,
    keyfile: Annotated[Path | None, typer.Option(help="PEM file of its private key.", show_default=False)] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Plain HTTP beyond this machine: a proxy in front speaks TLS.")
    ] = False,
    log: LogFormat = "auto",
) -> None:
    """Serve the REST API: see, change, try and watch everything.

    While there is no user, the process prints a link with which you create the first one. The process runs until it is
    stopped.
    """
    from agents.operate.operations import Operations
    from pipeline.config import load_file
    from pipeline.extras import needed

    with needed("api", "tidegate api"):
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    from pipeline.web.server import WebDoor, serve

    door = WebDoor(bind, port, certfile, keyfile, plain)
    run(lambda: serve(load_file(config), door, Operations(), say=lambda line: typer.echo(line, err=True)), log)
