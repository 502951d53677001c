"""Bearer tokens for a login at Kafka: from a file, from an OIDC server for client credentials, or signed for Amazon MSK.

A source is asked for a token by each client before it connects, and again before the token expires. It blocks. It keeps a token
for four fifths of its life, so that many clients ask the server once.

Sources: RFC 6749 section 4.4 (client credentials), RFC 7519 (`exp` and `sub` of a JWT), and AWS's "IAM access control" for MSK,
whose token is a presigned URL of the action kafka-cluster:Connect.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from pipeline.config import KafkaConfig
from pipeline.config.kafka import KafkaLogin
from pipeline.connectors.tls import naming
from pipeline.errors import OperatorError, RetryableError, located
from pipeline.hidden import hide

WHERE: Final = "kafka.authentication"
ANSWER_SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 1 << 20
PART_OF_LIFE: Final = 0.8
LIFE_SECONDS: Final = 300.0  # of a token that does not say when it expires
LIFE_SECONDS_MAX: Final = 86_400.0  # after which one that says so is asked for again
MSK_SECONDS: Final = 900
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class Bearer(NamedTuple):
    """A token, its end (seconds since 1970) and the name that it has. Never printed."""

    text: str
    expires_at: float
    principal: str


class Tokens:
    """Tokens of one source. `now` may be called from any thread."""

    def __init__(self, fetch: Callable[[], Bearer], *, kept: bool) -> None:
        self._fetch, self._kept = fetch, kept
        self._last: Bearer | None = None
        self._until = 0.0
        self._one_asks = Lock()

    def now(self) -> Bearer:
        """A token that has not expired. Raises OperatorError, RetryableError or ConfigError, which name the setting."""
        with self._one_asks:
            if self._last is None or not self._kept or time.time() >= self._until:
                self._last = self._fetch()
                hide(self._last.text)
                self._until = time.time() + (self._last.expires_at - time.time()) * PART_OF_LIFE
            return self._last


def tokens_of(kafka: KafkaConfig) -> Tokens | None:
    """Where the tokens of a configuration come from; None if its login needs none."""
    login = kafka.authentication
    if login is None or login.mechanism not in {"oauth", "msk_iam"}:
        return None
    if login.mechanism == "msk_iam":
        return Tokens(_Msk(kafka.region).token, kept=True)
    if login.token is not None:
        return Tokens(lambda: _from_file(login), kept=False)
    return Tokens(lambda: _from_endpoint(login), kept=True)


# --- From a file


def _from_file(login: KafkaLogin) -> Bearer:
    assert login.token is not None
    with located(f"{WHERE}.token"):
        text = login.token.reveal()
    token = _token(text, login, time.time() + LIFE_SECONDS)
    if token.expires_at <= time.time():
        raise OperatorError(f"{WHERE}.token: this token expired {_ago(token.expires_at)}", reason="token_expired")
    return token


def _ago(at: float) -> str:
    return time.strftime("at %Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _token(text: str, login: KafkaLogin, expires_at: float) -> Bearer:
    """The token, with what it says of itself if it is a JWT. Kafka checks it; we do not."""
    claims: dict[str, Any] = {}
    parts = text.split(".")
    if len(parts) == 3:
        try:
            found = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            claims = found if isinstance(found, dict) else {}
        except ValueError:
            pass  # no JWT, and Kafka may know what it is
    told = claims.get("exp")
    return Bearer(
        text,
        float(told) if isinstance(told, int | float) else expires_at,
        str(claims.get("sub") or login.client_id or "tidegate"),
    )


# --- From an OIDC server


def _from_endpoint(login: KafkaLogin) -> Bearer:
    assert login.endpoint_uri is not None
    assert login.client_id is not None
    assert login.client_secret is not None
    with located(f"{WHERE}.client_secret"):
        secret = login.client_secret.reveal()
    # The two are form-encoded before they are joined: RFC 6749 section 2.3.1.
    pair = f"{quote(login.client_id, safe='')}:{quote(secret, safe='')}".encode()
    form = {"grant_type": "client_credentials"} | ({"scope": login.scope} if login.scope else {})
    answer = _post(login, login.endpoint_uri, b64encode(pair).decode(), urlencode(form).encode())
    text = answer.get("access_token")
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        if answer.get("error"):
            raise _refused(login, login.endpoint_uri, 200, json.dumps(answer).encode())
        raise OperatorError(
            f"{WHERE}.endpoint_uri: expected an access_token from {login.endpoint_uri}, found {sorted(answer)}",
            reason="no_token",
        )
    now = time.time()
    token = _token(text, login, now + _life_seconds(answer.get("expires_in")))
    if token.expires_at <= now:
        raise RetryableError(
            f"{WHERE}.endpoint_uri: the token from {login.endpoint_uri} expired {_ago(token.expires_at)}, before it came; compare"
            " the clocks of both machines",
            reason="token_expired",
        )
    return token._replace(expires_at=min(token.expires_at, now + LIFE_SECONDS_MAX))


def _life_seconds(told: Any) -> float:
    """What `expires_in` says. Some servers write it as text."""
    if isinstance(told, str) and told.isascii() and told.isdecimal():
        told = int(told[:10])
    is_number = isinstance(told, int | float) and not isinstance(told, bool)
    return min(float(told), LIFE_SECONDS_MAX) if is_number and told > 0 else LIFE_SECONDS


def _post(login: KafkaLogin, address: str, pair: str, form: bytes) -> dict[str, Any]:
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    headers = {"Authorization": f"Basic {pair}", "Accept": "application/json"}
    try:
        with urlopen(
            Request(address, form, headers), timeout=ANSWER_SECONDS, context=_context(login)
        ) as response:  # an http or https address, as the setting's pattern says
            return _object(_read(response))
    except HTTPError as error:
        with error:
            raise _refused(login, address, error.code, _read(error)) from None
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise OperatorError(
                f"{WHERE}.cacertfile: the certificate of {address} is not accepted: {reason.verify_message}",
                reason="certificate",
            ) from None
        raise RetryableError(
            f"{WHERE}.endpoint_uri: no token from {address}: {getattr(reason, 'strerror', None) or reason}",
            reason="no_token",
        ) from None


def _read(response: Any) -> bytes:
    """The body of an answer, or its beginning. A server that sends it slowly has no more time than one that is silent."""
    give_up, body = time.monotonic() + ANSWER_SECONDS, b""
    while len(body) < ANSWER_BYTES_MAX and (piece := response.read1(1 << 16)):
        body += piece
        if time.monotonic() > give_up:
            raise ValueError("timed out")
    return body


def _context(login: KafkaLogin) -> ssl.SSLContext | None:
    if not (login.endpoint_uri or "").startswith("https"):
        return None
    with naming(f"{WHERE}.cacertfile", login.cacertfile or ""):
        return ssl.create_default_context(cafile=login.cacertfile)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        is_page = body.lstrip().startswith(b"<")  # nothing else is shown: it may be a token
        shown = f"{body[:40].decode('utf-8', 'replace')!r}" if is_page else f"{len(body)} bytes that are none"
        raise ValueError(f"expected a JSON object with an access_token, found {shown}")
    return found


def _refused(login: KafkaLogin, address: str, status: int, body: bytes) -> OperatorError | RetryableError:
    """The error for an answer without a token: RFC 6749 section 5.2 has its words."""
    try:
        told = _object(body)
    except ValueError:
        told = {}
    words = ": ".join(str(told[name])[:200] for name in ("error", "error_description") if told.get(name))
    message = f"no token from {address}: HTTP {status}" + (f" ({words})" if words else "")
    if status >= 500 or status == 429:
        return RetryableError(f"{WHERE}.endpoint_uri: {message}", reason="no_token")
    setting = (
        "endpoint_uri" if status in {302, 303, 307, 308, 404, 405} else "scope" if "scope" in words else "client_secret"
    )
    return OperatorError(f"{WHERE}.{setting}: {message}", reason="no_token")


# --- For Amazon MSK


class _Msk:
    """Tokens for one region, signed with credentials from the places that every AWS tool knows."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._credentials: Any = None

    def token(self) -> Bearer:
        """A presigned URL, in base64."""
        import botocore.exceptions
        import botocore.session
        from botocore.auth import SigV4QueryAuth
        from botocore.awsrequest import AWSRequest

        try:
            if self._credentials is None:
                self._credentials = botocore.session.get_session().get_credentials()
            if self._credentials is None:
                raise OperatorError(
                    f"{WHERE}.mechanism: msk_iam needs AWS credentials, which are neither in the environment nor from the"
                    " machine's role",
                    reason="no_credentials",
                )
            frozen = self._credentials.get_frozen_credentials()
        except botocore.exceptions.BotoCoreError as error:
            raise OperatorError(
                f"{WHERE}.mechanism: msk_iam: no credentials: {error}", reason="no_credentials"
            ) from None
        url = f"https://kafka.{self._region}.amazonaws.com/?Action=kafka-cluster%3AConnect"
        request = AWSRequest("GET", url)
        SigV4QueryAuth(frozen, "kafka-cluster", self._region, expires=MSK_SECONDS).add_auth(request)
        signed = f"{request.url}&User-Agent=tidegate".encode()
        return Bearer(urlsafe_b64encode(signed).decode().rstrip("="), time.time() + MSK_SECONDS, frozen.access_key)
