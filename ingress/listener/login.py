"""Decides which devices may connect, and with which name: by a file of passwords, by their certificate, or all devices.

A check of a password takes 30 ms of CPU, so threads do it, and the clients take fair turns (limits/checks.py). A
correct password is remembered as a keyed digest, so that thousands of clients that reconnect at once do not wait for
minutes. A wrong password is remembered too, so that a device which always sends it costs only one check. A sender of a
wrong password waits for the answer, which is the same for every reason. The file is read again when it changes.

This file answers with MQTT 5's reason codes. It does not know the state of a conversation.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingress.listener.identity import is_notice, may_publish, permitted
from ingress.listener.limits.checks import Checks
from ingress.listener.limits.guesses import Guesses, Recent
from ingress.listener.words import Connect
from pipeline.config.listener import ListenerSource
from pipeline.errors import ConfigError
from pipeline.log import get_logger, printable
from pipeline.mqtt.properties import AUTHENTICATION_METHOD
from pipeline.mqtt.reasons import (
    BAD_AUTHENTICATION_METHOD,
    BAD_CREDENTIALS,
    CLIENTID_NOT_VALID,
    NOT_AUTHORIZED,
    SERVER_BUSY,
    SUCCESS,
)
from pipeline.passwords import parse_passwords, verified

log: Final = get_logger("tidegate.ingress")


PROBLEMS: Final = {
    BAD_CREDENTIALS: "expected a user of password_file and its password",
    NOT_AUTHORIZED: "expected a common name in the certificate of the client",
    SERVER_BUSY: "too many passwords wait for their check",
}


class Admitted(NamedTuple):
    """The result of a login. With `code` 0, the device has this name and these topic filters.

    Otherwise `problem` gives the reason, without a secret.
    """

    code: int
    clientid: str = ""
    username: str | None = None
    topics: list[str] = []  # noqa: RUF012 - never changed
    problem: str = ""
    will_is_dropped: bool = False


class Login:
    """Logins to one listener. Raises ConfigError if the password file cannot be used at the start."""

    def __init__(self, name: str, source: ListenerSource) -> None:
        self._name = name
        self._source = source
        self._key = secrets.token_bytes(32)
        self._good: dict[str, bytes] = {}  # user → keyed digest of the hash and the correct password
        self._wrong: Recent[bytes, None] = Recent()  # keyed digests of hashes and passwords that were wrong
        self._guesses = Guesses()
        self._checks = Checks(self._guesses)
        self._read_at: tuple[int, int] | None = None
        self._hashes: dict[str, str] = {}
        self._told = ""
        problem = self._read()
        if problem:
            raise ConfigError(problem, where=f"sources.listener.{name}.password_file")

    async def admit(self, connect: Connect, common_name: str | None, address: str = "") -> Admitted:
        """Check the login of a device at this address: first its name, then its clientid, then the topic of its will."""
        if any(identifier == AUTHENTICATION_METHOD for identifier, _ in connect.properties):
            return Admitted(BAD_AUTHENTICATION_METHOD, problem="expected no enhanced authentication")
        username = common_name if self._source.authentication == "certificate" else connect.username
        code = await self._authenticate(username, connect.password, address)
        if code != SUCCESS:
            return Admitted(code, problem=PROBLEMS[code])
        clientid = self._clientid(connect.clientid, username)
        if self._source.clientid_is_username and clientid != username:
            return Admitted(CLIENTID_NOT_VALID, problem="expected the user name as clientid (clientid_is_username)")
        topics = permitted(self._source.topics, clientid, username)
        if connect.will is not None and not may_publish(topics, connect.will.topic):
            if is_notice(connect.will.topic):
                return Admitted(SUCCESS, clientid, username, topics, will_is_dropped=True)
            topic = printable(connect.will.topic.decode())
            return Admitted(NOT_AUTHORIZED, problem=f"may not publish a will to {topic}")
        return Admitted(SUCCESS, clientid, username, topics)

    async def _authenticate(self, username: str | None, password: bytes | None, address: str) -> int:
        """The reason code for a device's name. TLS has already checked the name of a certificate."""
        match self._source.authentication:
            case "certificate":
                return SUCCESS if username else NOT_AUTHORIZED
            case "password":
                code = await self._check(username, password, address)
                if code == BAD_CREDENTIALS:
                    now = asyncio.get_running_loop().time()
                    seconds = self._guesses.wrong(address, username or "", now)
                    await asyncio.sleep(min(seconds, self._source.connect_timeout / 2))
                return code
        return SUCCESS

    def _clientid(self, wanted: str, username: str | None) -> str:
        """The clientid of a device. We choose one if the device has none."""
        if wanted:
            return wanted
        if self._source.clientid_is_username and username:
            return username
        return f"auto-{secrets.token_hex(12)}"

    async def refresh(self) -> None:
        """Read the password file again if it has changed. A file that cannot be used leaves the passwords as they are."""
        problem = await asyncio.to_thread(self._read)
        if problem and problem != self._told:
            log.error("listener.passwords_refused", source=self._name, error=problem)
        self._told = problem

    def close(self) -> None:
        """Cancel checks that have not begun."""
        self._checks.close()

    async def _check(self, username: str | None, password: bytes | None, address: str) -> int:
        """The reason code for a user name and a password."""
        if username is None or password is None:
            return BAD_CREDENTIALS
        hash_text = self._hashes.get(username)
        digest = blake2b((hash_text or "").encode() + b"\0" + password, key=self._key).digest()
        if hash_text is not None and hmac.compare_digest(self._good.get(username, b""), digest):
            return SUCCESS
        if digest in self._wrong:
            return BAD_CREDENTIALS
        good = await self._checks.made(address, username, lambda: self._verified(hash_text, password))
        if good is None:
            return SERVER_BUSY
        if not good:
            self._wrong.note(digest, None)
            return BAD_CREDENTIALS
        self._good[username] = digest
        return SUCCESS

    def _verified(self, hash_text: str | None, password: bytes) -> bool:
        """Check a password. An unknown user takes as long as the first user of the file."""
        known = hash_text or next(iter(self._hashes.values()), None)
        return verified(known, password) and hash_text is not None

    def _read(self) -> str:
        """The problem with the password file, or an empty text."""
        if self._source.password_file is None:
            return ""
        path = Path(self._source.password_file)
        try:
            stat = path.stat()
            if (stat.st_mtime_ns, stat.st_size) == self._read_at:
                return self._told
            hashes = parse_passwords(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return f"cannot use {path}: {error.strerror if isinstance(error, OSError) else error}"
        self._hashes, self._read_at = hashes, (stat.st_mtime_ns, stat.st_size)
        return ""


def common_name(peercert: Any) -> str | None:
    """The common name of a verified certificate in the form of `ssl`."""
    for part in (peercert or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return None
