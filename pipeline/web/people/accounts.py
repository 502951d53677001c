"""Users, API keys and sessions as they stand in the topic of the configuration.

    user/<name>        {"role", "description", "password_hash"}                         Argon2id
    api_key/<name>     {"api_key", "secret_digest", "role", "enable", "expired_at", "desc", "created_at"}
    session/<digest>   {"user", "expires_at"}                                           the key is the token's SHA-256

The secret of an API key and the token of a session are 32 random bytes, which nobody guesses: their digest needs no slow hash,
and no process but the client has the secret itself. Pure: time and random bytes are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pipeline.control.objects import Stored
from pipeline.web.people.caller import ROLES, Role

USER: Final = "user/"
API_KEY: Final = "api_key/"
SESSION: Final = "session/"
FIRST: Final = "first_user/mark"
OWN_RECORDS: Final = (SESSION, FIRST)  # what the API keeps for itself in the configuration; no history shows it
SESSION_MS: Final = 3_600_000  # without a request for this time, a session is over
SESSIONS_MAX: Final = 100  # of one user; the one that is over first makes room
API_KEYS_MAX: Final = 100
PASSWORD_MIN: Final = 8
PASSWORD_MAX: Final = 64
NEVER: Final = "infinity"
NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.@]{0,99}")

Objects = Mapping[str, Stored]


class User(NamedTuple):
    """A person who may log in."""

    name: str
    role: Role
    password_hash: str
    description: str = ""


def digest(secret: str) -> str:
    """SHA-256 of a secret of 32 random bytes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def user_of(objects: Objects, name: str) -> User | None:
    """The user with this name."""
    found = objects.get(f"{USER}{name}")
    if found is None:
        return None
    return User(name, _role(found.value), str(found.value["password_hash"]), found.value.get("description", ""))


def has_users(objects: Objects) -> bool:
    """Whether anybody may log in."""
    return any(key.startswith(USER) for key in objects)


def administrators(objects: Objects) -> list[str]:
    """The names of all administrators."""
    return [
        key.removeprefix(USER)
        for key, each in objects.items()
        if key.startswith(USER) and _role(each.value) == "administrator"
    ]


def sessions_of(objects: Objects, user: str) -> list[str]:
    """The keys of the sessions of a user, the one that is over first in front."""
    found = [(each.value["expires_at"], key) for key, each in objects.items() if _is_of(key, each, user)]
    return [key for _, key in sorted(found)]


def expired_sessions(objects: Objects, now_ms: int) -> list[str]:
    """The keys of all sessions that are over."""
    return [key for key, each in objects.items() if key.startswith(SESSION) and each.value["expires_at"] <= now_ms]


def _is_of(key: str, stored: Stored, user: str) -> bool:
    return key.startswith(SESSION) and stored.value["user"] == user


def _role(value: Mapping[str, Any]) -> Role:
    return "administrator" if value.get("role") == "administrator" else "viewer"


# --- API keys


class ApiKey(NamedTuple):
    """A key with which a program logs in."""

    name: str
    role: Role
    secret_digest: str
    usable: bool


def api_key_of(objects: Objects, api_key: str, now_ms: int) -> ApiKey | None:
    """The key with this id, usable or not."""
    for key, stored in objects.items():
        if key.startswith(API_KEY) and stored.value["api_key"] == api_key:
            value = stored.value
            usable = bool(value["enable"]) and not expired(value["expired_at"], now_ms)
            return ApiKey(key.removeprefix(API_KEY), _role(value), value["secret_digest"], usable)
    return None


def fits(key: ApiKey | None, secret: str) -> bool:
    """Whether the secret is that of the key; takes as long without a key."""
    same = hmac.compare_digest(digest(secret), key.secret_digest if key else digest(""))
    return same and key is not None and key.usable


def expired(expired_at: str, now_ms: int) -> bool:
    """Whether a key is over."""
    return expired_at != NEVER and datetime.fromisoformat(expired_at).timestamp() * 1000 <= now_ms


# --- What a person may choose


def check_name(name: object) -> str:
    """The name of a user or a key. Raises ValueError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError("expected 1 to 100 letters, digits, - _ . @ that begin with a letter or a digit")
    return name


def check_password(password: object) -> str:
    """A password that is long enough. Raises ValueError, never with the password."""
    if not isinstance(password, str) or not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise ValueError(f"expected a text of {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    password.encode()  # a half of a surrogate pair is not a character
    return password


def check_role(role: object) -> Role:
    """A role. Raises ValueError."""
    if role not in ROLES:
        raise ValueError(f"expected one of {', '.join(ROLES)}")
    return "administrator" if role == "administrator" else "viewer"


def check_expiry(text: object) -> str:
    """`infinity`, or a time with its zone. Raises ValueError."""
    if text in (None, NEVER, "undefined"):
        return NEVER
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"expected {NEVER} or a time such as 2027-01-31T08:00:00Z")
    return found.astimezone(UTC).isoformat().replace("+00:00", "Z")
