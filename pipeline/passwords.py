"""Passwords of clients: hashes for a file, and checks of a password against a hash.

We make Argon2id with OWASP's parameters for servers (19 MiB, 2 passes). A check takes about 30 ms of CPU, in C and without
Python's lock, so it must not run on an event loop. The other forms come from brokers, so that users keep their passwords:

    $argon2…                   Argon2, as `tidegate password` and mosquitto 2.1 write it
    $7$…, $6$…                 mosquitto_passwd: PBKDF2 with SHA-512, and salted SHA-512
    $2a$…, $2b$…, $2y$…        bcrypt
    emqx:NAME:SALT:HASH        in memory only: a user of EMQX's bootstrap file, which holds hash and salt in columns

This file stores no passwords and opens no files.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import bcrypt
import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 << 10, parallelism=1)
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$n7WYOBTsnKFCgUVtTPSFPQ$s9oF26ZM4oRfoomkL/DD0sskuZqq5kFO3g48Ylog2/c"

BCRYPT_BYTES_MAX: Final = 72  # bcrypt never looked at more of a password
BCRYPT_COST_MAX: Final = 16  # takes some seconds
ROUNDS_MAX: Final = 10_000_000  # of PBKDF2: some seconds
_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_OF_EMQX: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}  # by hex digits
EXPECTED: Final = "expected user:hash, as `tidegate password` or mosquitto_passwd writes it, or a hash of bcrypt"


def hashed(password: str) -> str:
    """The hash of a new password, with its parameters and salt."""
    return _HASHER.hash(password)


def verified(hash_text: str | None, password: bytes) -> bool:
    """Whether the hash belongs to this password. For None (an unknown user) the answer is False, after the same time."""
    verify = _verifier(hash_text or _NOBODY)
    return verify is not None and verify(hash_text or _NOBODY, password) and hash_text is not None


def _verifier(hash_text: str) -> Callable[[str, bytes], bool] | None:
    return next((verify for begin, verify in _VERIFIERS.items() if hash_text.startswith(begin)), None)


def _argon2(hash_text: str, password: bytes) -> bool:
    try:
        return _HASHER.verify(hash_text, password)
    except (VerificationError, InvalidHashError):
        return False


def _bcrypt(hash_text: str, password: bytes) -> bool:
    if b"\0" in password:
        return False
    return bcrypt.checkpw(password[:BCRYPT_BYTES_MAX], hash_text.encode())


def _pbkdf2(hash_text: str, password: bytes) -> bool:
    if b"\0" in password:  # HMAC fills its key with zeros, so the password with one more would be right too
        return False
    _, _, rounds, salt, known = hash_text.split("$")
    wanted = base64.b64decode(known)
    return hmac.compare_digest(
        hashlib.pbkdf2_hmac("sha512", password, base64.b64decode(salt), int(rounds), len(wanted)), wanted
    )


def _salted_sha512(hash_text: str, password: bytes) -> bool:
    _, _, salt, known = hash_text.split("$")
    return hmac.compare_digest(hashlib.sha512(password + base64.b64decode(salt)).digest(), base64.b64decode(known))


def _emqx(hash_text: str, password: bytes) -> bool:
    """EMQX's `salt_position` is not in the file, so both are tried."""
    _, name, salt_hex, known = hash_text.split(":")
    if name == "plain":
        return hmac.compare_digest(password, bytes.fromhex(known))
    salt, wanted = bytes.fromhex(salt_hex), bytes.fromhex(known)
    return any(
        hmac.compare_digest(hashlib.new(name, salted).digest(), wanted) for salted in (password + salt, salt + password)
    )


# How a hash begins → how a password is compared with it.
_VERIFIERS: Final[Mapping[str, Callable[[str, bytes], bool]]] = {
    "$argon2": _argon2,
    "$2": _bcrypt,
    "$7$": _pbkdf2,
    "$6$": _salted_sha512,
    "emqx:": _emqx,
}


# --- Files


def parse_passwords(text: str) -> dict[str, str]:
    """A map from user to hash, read from lines of user:hash, or from a bootstrap file of EMQX (CSV or JSON).

    Ignores empty lines and comments (#). Raises ValueError with the line, and never with what stands in it.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("["):
        return _of_objects(text)
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    if "user_id" in first.split(","):
        return _of_columns(text)
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, _, hash_text = line.strip().rpartition(":")
        if not user or not _is_hash(hash_text):
            raise ValueError(f"line {number}: {EXPECTED}")
        _add(found, user, hash_text, f"line {number}")
    return found


def _add(found: dict[str, str], user: str, hash_text: str, where: str) -> None:
    if user in found:
        raise ValueError(f"{where}: the user {user!r} is in the file twice")
    found[user] = hash_text


def _is_hash(hash_text: str) -> bool:
    """Whether a password can be compared with it, in bearable time."""
    if hash_text.startswith("$argon2"):
        return True
    if matched := _BCRYPT.fullmatch(hash_text):
        return 4 <= int(matched[1]) <= BCRYPT_COST_MAX
    match hash_text.split("$"):
        case ["", "7", rounds, salt, known]:
            fits = rounds.isascii() and rounds.isdecimal() and 0 < int(rounds[:12]) <= ROUNDS_MAX
            return fits and _is_base64(salt) and _is_base64(known)
        case ["", "6", salt, known]:
            return _is_base64(salt) and _is_base64(known)
    return False


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def _of_columns(text: str) -> dict[str, str]:
    """EMQX's bootstrap file as CSV: user_id, password_hash and salt, or user_id and password; is_superuser is not used."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[str, str] = {}
    for number, row in enumerate(csv.DictReader(lines), 2):
        _add(found, *_of_emqx(row, f"row {number}"), f"row {number}")
    return found


def _of_objects(text: str) -> dict[str, str]:
    """The same as JSON: a list of objects."""
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a list of users as JSON: {error.msg} at line {error.lineno}") from None
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"user {number}: expected an object with user_id and password_hash")
        _add(found, *_of_emqx(row, f"user {number}"), f"user {number}")
    return found


def _of_emqx(row: Mapping[str, Any], where: str) -> tuple[str, str]:
    """User and hash of one row."""
    texts = {name: row.get(name) or "" for name in ("user_id", "password_hash", "salt", "password")}
    if not texts["user_id"] or not all(isinstance(each, str) for each in texts.values()):
        raise ValueError(f"{where}: expected user_id with password_hash and salt, or with password")
    user, known, salt = texts["user_id"], texts["password_hash"], texts["salt"]
    if not known and texts["password"]:
        return user, f"emqx:plain::{texts['password'].encode().hex()}"
    if _is_hash(known):
        return user, known
    name = _OF_EMQX.get(len(known))
    if name is None or not set(known.lower()) <= set("0123456789abcdef"):
        raise ValueError(f"{where}: expected a password_hash of bcrypt, or hex digits of sha256, sha512, sha or md5")
    return user, f"emqx:{name}:{salt.encode().hex()}:{known.lower()}"
