"""Passwords of clients: hashes for a file, and checks of a password against a hash.

The hash is Argon2id with OWASP's parameters for servers (19 MiB, 2 passes). A check takes about 30 ms of CPU, in C and without
Python's lock, so it must not run on an event loop.

This file stores no passwords and opens no files.
"""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 << 10, parallelism=1)
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$n7WYOBTsnKFCgUVtTPSFPQ$s9oF26ZM4oRfoomkL/DD0sskuZqq5kFO3g48Ylog2/c"


def hashed(password: str) -> str:
    """The hash of a new password, with its parameters and salt."""
    return _HASHER.hash(password)


def verified(hash_text: str | None, password: bytes) -> bool:
    """Whether the hash belongs to this password. For None (an unknown user) the answer is False, after the same time."""
    try:
        _HASHER.verify(hash_text or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return hash_text is not None


def parse_passwords(text: str) -> dict[str, str]:
    """A map from user to hash, read from lines of user:hash.

    Ignores empty lines and comments (#). Raises ValueError with the line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, _, hash_text = line.strip().rpartition(":")
        if not user or not hash_text.startswith("$argon2"):
            raise ValueError(f"line {number}: expected user:hash, as `tidegate password` writes it")
        if user in found:
            raise ValueError(f"line {number}: the user {user!r} is in the file twice")
        found[user] = hash_text
    return found
