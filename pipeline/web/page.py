"""The worker's page for other programs: /metrics for Prometheus, /healthz for whoever restarts it, /status for people.

/healthz says that the process works, not that S3 does: restarting a worker mends no bucket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pipeline.errors import ConfigError


@asynccontextmanager
async def serving(port: int, bind: str, status: Callable[[], dict[str, Any]]) -> AsyncIterator[None]:
    """Serve while the context is open; port 0: not at all. Raises ConfigError if the port cannot be had."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def show(request: web.Request) -> web.Response:
        body = orjson.dumps(status(), option=orjson.OPT_INDENT_2)
        return web.Response(body=body, content_type="application/json")

    if not port:
        yield
        return
    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/status", show)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, bind, port).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"cannot listen on {bind}:{port}: {error.strerror}", where="metrics.worker_port") from None
    try:
        yield
    finally:
        await runner.cleanup()
