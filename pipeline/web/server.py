"""The process `tidegate api`, in the order of its life: follow the configuration, open the port, serve, stop.

Beyond this machine it serves nobody without a login, and no password without TLS: there it needs a user, and certificates or the
word of its operator that a proxy in front speaks TLS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from pipeline.config import Config
from pipeline.control.config_log import ConfigLog
from pipeline.control.history import STEP_SECONDS
from pipeline.control.status_topic import following, node_name, reporting
from pipeline.errors import CommandError, ConfigError
from pipeline.log import get_logger
from pipeline.operation import Operator
from pipeline.process.beside import beside
from pipeline.process.signals import stopping
from pipeline.web.app import make
from pipeline.web.desk import Services
from pipeline.web.objects.writing import Log
from pipeline.web.people.accounts import has_users
from pipeline.web.people.first_user import FirstUser
from pipeline.web.people.gate import PREFIX
from pipeline.web.people.sessions import Sessions
from pipeline.web.standing import own_report
from pipeline.web.tracing.tail import tracing

PORT: Final = 18083
LOOK_SECONDS: Final = 1.0  # between two looks at what the reader of the configuration tells
ANSWER_SECONDS: Final = 3  # for requests that are under way
STOP_SECONDS: Final = 5  # until their connections are cut
CONNECTIONS_MAX: Final = 1_000

log: Final = get_logger("tidegate.api")


@dataclass(frozen=True)
class WebDoor:
    """Where the process listens. `plain`: a proxy in front speaks TLS."""

    bind: str = "127.0.0.1"
    port: int = PORT
    certfile: Path | None = None
    keyfile: Path | None = None
    plain: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine reach it."""
        try:
            return self.bind == "localhost" or ipaddress.ip_address(self.bind).is_loopback
        except ValueError:
            return False

    def check(self, users: bool) -> None:
        """Raises CommandError if this door must not be opened."""
        if (self.certfile is None) != (self.keyfile is None):
            raise CommandError("expected --certfile and --keyfile together, found only one of them")
        if not _is_host(self.bind):
            raise CommandError(f"--bind: expected an address or a name, and the port as --port, found {self.bind!r}")
        if self.is_local:
            return
        if not users:
            raise CommandError(
                f"--bind {self.bind}: there is no user yet, and others can reach this address; start with"
                " --bind 127.0.0.1, and create the first user"
            )
        if self.certfile is None and not self.plain:
            raise CommandError(
                f"--bind {self.bind}: others can read passwords on their way to this address; give --certfile and"
                " --keyfile, or --plain if a proxy in front speaks TLS"
            )

    def opened(self) -> socket.socket:
        """The listening socket. Raises CommandError."""
        family = socket.AF_INET6 if ":" in self.bind else socket.AF_INET
        try:
            return socket.create_server((self.bind, self.port), family=family)
        except OSError as error:
            raise CommandError(f"cannot listen on {self.bind}:{self.port}: {error.strerror or error}") from None


def _is_host(text: str) -> bool:
    """Whether this may be a name or an address. Only an address of IPv6 has colons."""
    try:
        return ":" not in text or ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


async def serve(
    config: Config,
    door: WebDoor,
    operator: Operator,
    *,
    say: Callable[[str], None],
    stop: asyncio.Event | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until a signal or `stop`. `say` shows a line to whoever started the process; `ready` gets the address.

    Raises ConfigError, CommandError or ConnectorError before the port is open.
    """
    if config.control is None:
        raise ConfigError(
            "the API needs the configuration in Kafka; add `control: {topic: tidegate.config}`", where="control"
        )
    stop = stop or asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(stopping(stop))
        config_log = await stack.enter_async_context(ConfigLog(config))
        services = services_of(config_log, operator)
        door.check(has_users(config_log.snapshot.objects))
        services.secure_cookies = door.certfile is not None or door.plain
        with door.opened() as listening:
            address = _address(door, listening)
            log.info("api.listening", address=address)
            if not has_users(config_log.snapshot.objects):
                link = f"{address}{PREFIX}/first_user?token={services.first_user.token}"
                say(f"no user yet; create the first one within an hour: {link}")
            services.node = node_name("api")
            await stack.enter_async_context(following(config, services.board))
            await stack.enter_async_context(reporting(config, services.node, lambda: own_report(services)))
            await stack.enter_async_context(beside(_sample(services), "history"))
            await stack.enter_async_context(
                beside(_tell(config.kafka.bootstrap_servers, lambda: config_log.trouble), "kafka")
            )
            await stack.enter_async_context(tracing(lambda: config_log.snapshot.config, services.traces, _now_ms))
            if ready:
                ready(address)
            await run(services, door, listening, stop)
    log.info("api.stopped")


def services_of(config_log: Log, operator: Operator) -> Services:
    """What the routes have, on the clock of this machine."""
    sessions = Sessions(config_log, _now_ms)
    return Services(config_log, sessions, FirstUser(config_log, _now_ms), _now_ms, operator)


async def _sample(services: Services) -> None:
    """Give the history a sample in each step."""
    while True:
        now = services.now_ms()
        services.history.sample(now, services.board.reports(now))
        await asyncio.sleep(STEP_SECONDS)


async def _tell(servers: str, trouble: Callable[[], str]) -> None:
    """Write a line to the log when the configuration in Kafka cannot be read, and one when it can be again.

    The readers of this process are silent, and it has no producer that would tell.
    """
    before = ""
    while True:
        now = trouble()
        if now and not before:
            log.warning("kafka.disconnected", servers=servers, error=now)
        elif before and not now:
            log.info("kafka.connected", servers=servers)
        before = now
        await asyncio.sleep(LOOK_SECONDS)


async def run(services: Services, door: WebDoor, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer requests on a listening socket until `stop`."""
    settings = uvicorn.Config(
        make(services),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=door.certfile,
        ssl_keyfile=door.keyfile,
    )
    server = _Server(settings)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    services.closing.set()
    services.under_way.end_within(ANSWER_SECONDS)
    await services.jobs.close()
    server.should_exit = True
    stopped.cancel()
    await serving


class _Server(uvicorn.Server):
    """A server whose signals are handled by us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _address(door: WebDoor, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if door.certfile else 'http'}://{shown}:{port}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
