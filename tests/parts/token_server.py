"""An OIDC server of the tests: it gives JWTs for client credentials, and publishes the key that proves them."""

from __future__ import annotations

import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pipeline.demo.process import HOST

ISSUER, AUDIENCE = "https://tokens.tests", "kafka"


class TokenServer:
    """`client_secret` may be changed while it runs. `asked` has the forms that were sent to it."""

    def __init__(self) -> None:
        self.client_secret = "secret of the token client"
        self.life_seconds = 300
        self.asked: list[dict[str, list[str]]] = []
        self.answers: list[tuple[int, Any]] = []  # given instead of tokens, first to last
        self._key = rsa.generate_private_key(65537, 2048)
        self.endpoint_uri = ""

    def jwt(self, subject: str = "tidegate", *, life_seconds: int | None = None) -> str:
        """A signed token."""
        now = int(time.time())
        life = self.life_seconds if life_seconds is None else life_seconds
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now - 1, "exp": now + life, "scope": "kafka"}
        signed = f"{_part({'alg': 'RS256', 'kid': 'k1', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{_text(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def keys(self) -> str:
        """Its public key, as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        public = {"kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256"}
        return json.dumps({"keys": [public | {"n": _number(numbers.n), "e": _number(numbers.e)}]})

    def answer(self, login: str, form: dict[str, list[str]]) -> tuple[int, Any]:
        """Status and object for a request with this Authorization header."""
        self.asked.append(form)
        if self.answers:
            return self.answers.pop(0)
        name, _, secret = b64decode(login.removeprefix("Basic ")).decode().partition(":")
        if (unquote(name), unquote(secret)) != ("tidegate", self.client_secret):
            return 401, {"error": "invalid_client", "error_description": "no such client"}
        return 200, {"access_token": self.jwt(), "expires_in": self.life_seconds, "token_type": "Bearer"}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Listen, at `endpoint_uri`."""
        tokens = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, found = tokens.answer(self.headers.get("Authorization", ""), form)
                body = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer((HOST, 0), Door)
        self.endpoint_uri = f"http://{HOST}:{server.server_port}/token"
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _part(value: Any) -> str:
    return _text(json.dumps(value).encode())


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
