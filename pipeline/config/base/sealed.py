"""Texts that are sealed for the workers: whoever seals one cannot open it, and whoever stores it cannot read it.

A sealed text is `sealed:<key>:<box>`: the id of the key, and a sealed box (X25519, libsodium) in base64. It is made with the
public key, which everybody may know. The private keys are in a file of workers and ingresses, one a line, the newest last. The
file is read each time, so it can be replaced while a process runs.
"""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import ConfigError

PREFIX: Final = "sealed:"
KEY_BYTES: Final = 32
KEY_FILE_BYTES_MAX: Final = 64 * 1024
_LINE: Final = "tidegate-secrets-key"
_EXPECTED: Final = "expected a sealed secret as `tidegate secrets seal` prints it: sealed:<key>:<box>"

_key_file: Path | None = None


class PrivateKey(NamedTuple):
    """A key that opens what is sealed for it. `public` is what others seal with, in base64."""

    id: str
    public: str
    seed: bytes

    def __repr__(self) -> str:
        return f"PrivateKey({self.id!r})"


def opened_with(key_file: str | Path | None) -> None:
    """Remember the file of this process's keys. None: it has none, and opens nothing."""
    global _key_file
    _key_file = Path(key_file) if key_file else None


def seal(text: str, public: str) -> str:
    """A text sealed with a public key. Raises ConfigError if that is not one."""
    from nacl.public import PublicKey, SealedBox  # takes a while to load, and most processes seal nothing

    box = SealedBox(PublicKey(_decoded(public, "a public key"))).encrypt(text.encode("utf-8", "surrogatepass"))
    return f"{PREFIX}{key_id(public)}:{_encoded(box)}"


def key_of(sealed: str) -> str:
    """The id of the key that opens a sealed text. Raises ConfigError if the text is not one."""
    id, _, box = sealed.removeprefix(PREFIX).partition(":")
    if not sealed.startswith(PREFIX) or not id or not box or len(_decoded(box, "")) <= KEY_BYTES:
        raise ConfigError(_EXPECTED)
    return id


def unseal(sealed: str) -> str:
    """The text, opened with this process's keys. Raises ConfigError, which names the key and the file and never the text."""
    from nacl.exceptions import CryptoError
    from nacl.public import PrivateKey as Opener
    from nacl.public import SealedBox

    id = key_of(sealed)
    if _key_file is None:
        raise ConfigError(f"sealed for the key {id}, and control.secrets_key names no file of keys in this process")
    key = next((each for each in read_keys(_key_file) if each.id == id), None)
    if key is None:
        raise ConfigError(f"sealed for the key {id}, which {_key_file} (control.secrets_key) does not have")
    try:
        box = _decoded(sealed.rpartition(":")[2], "")
        return SealedBox(Opener(key.seed)).decrypt(box).decode("utf-8", "surrogatepass")
    except (CryptoError, ValueError):
        raise ConfigError(f"the key {id} does not open it: the sealed text was changed") from None


# --- Keys


def new_key(seed: bytes | None = None) -> PrivateKey:
    """A new key."""
    from nacl.public import PrivateKey as Opener

    seed = os.urandom(KEY_BYTES) if seed is None else seed
    public = _encoded(bytes(Opener(seed).public_key))
    return PrivateKey(key_id(public), public, seed)


def key_id(public: str) -> str:
    """The short name of a key."""
    return hashlib.sha256(_decoded(public, "a public key")).hexdigest()[:8]


def read_keys(path: Path) -> list[PrivateKey]:
    """The keys of a file, the newest last. Raises ConfigError, which never shows a key."""
    try:
        with path.open("rb") as file:
            lines = file.read(KEY_FILE_BYTES_MAX).decode("ascii", "replace").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read the keys of sealed secrets in {path}: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, 1):
        word, _, text = line.strip().partition(" ")
        if not line.strip() or word.startswith("#"):
            continue
        if word != _LINE:
            raise ConfigError(f"expected `{_LINE} <key>`", where=f"{path}:{number}")
        found.append(new_key(_decoded(text.strip(), "a key", KEY_BYTES)))
    return found


def write_keys(path: Path, keys: Sequence[PrivateKey]) -> None:
    """Write a file of keys that only its owner can read, in one step. Raises ConfigError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(
                "# The keys of sealed secrets, the newest last. Workers and ingresses need this file, nobody else.\n"
            )
            file.writelines(f"{_LINE} {_encoded(each.seed)}\n" for each in keys)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise ConfigError(f"cannot write the keys of sealed secrets to {path}: {error.strerror}") from None


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str, what: str, length: int = 0) -> bytes:
    try:
        found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        found = b""
    if not found or (length and len(found) != length) or _encoded(found) != text:
        raise ConfigError(f"expected {what} in base64" if what else _EXPECTED)
    return found
