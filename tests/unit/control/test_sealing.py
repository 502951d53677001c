"""Clear secrets are sealed before they are written: only the keys of workers open them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.base import sealed
from pipeline.config.base.sealed import PrivateKey, new_key, opened_with, read_keys, seal, unseal, write_keys
from pipeline.config.base.secrets import Secret
from pipeline.control.objects import Change
from pipeline.control.sealing import announced, kept, sealed_again
from pipeline.errors import ConfigError
from tests.parts.config_log import MemoryLog

SECRET = "sesame-open-sesame"
LAKE: Mapping[str, Any] = {"host": "s3.plant", "access_key_id": "lake", "secret_access_key": SECRET}
HOT: Mapping[str, Any] = {"connector": "lake", "parameters": {"bucket": "iot", "key": "hot/${id}"}}


@pytest.fixture
def key(tmp_path: Path) -> Iterator[PrivateKey]:
    """A key that this process has."""
    found = new_key()
    write_keys(tmp_path / "keys", [found])
    opened_with(tmp_path / "keys")
    yield found
    opened_with(None)


async def sealing(key: PrivateKey, puts: Mapping[str, Any]) -> MemoryLog:
    """A topic that announces a key, and has these objects."""
    log = MemoryLog()
    await log.write(Change(announced(key)))
    await log.write(Change(puts))
    return log


@pytest.mark.parametrize("text", ["x", SECRET, "${NOT_A_REFERENCE}", "sealed:again", "ü🦆", "a\nb", "x" * 10_000])
def test_only_the_key_opens_what_is_sealed(key: PrivateKey, text: str) -> None:
    """A sealed text is another one each time, says nothing of the secret, and opens to exactly what was sealed."""
    first, second = seal(text, key.public), seal(text, key.public)

    assert first != second
    assert len(text) < 3 or text not in first
    assert [Secret(each).reveal({}) for each in (first, second)] == [text, text]
    assert text not in repr(Secret(first))


def test_the_file_of_keys_is_for_its_owner_alone(key: PrivateKey, tmp_path: Path) -> None:
    """Nobody else may read it, it is replaced as a whole, and neither its errors nor the keys' names show a key."""
    write_keys(tmp_path / "keys", [key, other := new_key()])

    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    assert read_keys(tmp_path / "keys") == [key, other]
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert sealed._encoded(key.seed) not in repr(key)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sealed:", "expected a sealed secret"),
        ("sealed:abc", "expected a sealed secret"),
        ("sealed:abc:!!", "expected a sealed secret"),
        ("sealed:0a0a0a0a:" + "A" * 100, "sealed for the key 0a0a0a0a, which .*keys .*does not have"),
    ],
)
def test_what_cannot_be_opened_says_why(key: PrivateKey, text: str, words: str) -> None:
    """The error names the key and the file that lacks it."""
    with pytest.raises(ConfigError, match=words):
        unseal(text)


def test_what_was_changed_is_not_opened(key: PrivateKey) -> None:
    """A sealed text whose end is another one is refused, without its content."""
    text = seal(SECRET, key.public)
    changed = text[:-4] + ("AAAA" if not text.endswith("AAAA") else "BBBB")

    with pytest.raises(ConfigError, match="was changed"):
        unseal(changed)


def test_a_process_without_keys_opens_nothing(key: PrivateKey) -> None:
    """Without control.secrets_key, the error says which setting is missing."""
    text = seal(SECRET, key.public)
    opened_with(None)

    with pytest.raises(ConfigError, match=r"sealed for the key \w+, and control\.secrets_key names no file"):
        unseal(text)


async def test_each_place_of_a_secret_is_sealed(key: PrivateKey) -> None:
    """Secrets, headers and what has the name of a secret in a setting of free form are sealed; harmless headers are not."""
    options = {"headers": {"Authorization-X": SECRET, "Cache-Control": "no-cache", "x-ref": "Bearer ${TOKEN}"}}
    fallback = [{"kind": "republish", "args": {"topic": "t", "password": SECRET}}]
    parameters = {**HOT["parameters"], "headers": {"x-auth-token": SECRET, "x-amz-meta-origin": "mqtt"}}
    source = {"server": "mqtt:1883", "topics": ["t/#"], "username": "u", "password": SECRET}
    log = await sealing(
        key,
        {
            "connector/s3/lake": {**LAKE, "transport_options": {**options, "ssl": {"password": SECRET}}},
            "action/s3/hot": {**HOT, "parameters": parameters, "fallback_actions": fallback},
            "source/mqtt/plant": source,
        },
    )

    text = json.dumps({name: dict(each.value) for name, each in log.snapshot.objects.items()})
    assert SECRET not in text
    assert text.count("sealed:") == 6
    for harmless in ("no-cache", "mqtt", "Bearer ${TOKEN}"):
        assert harmless in text
    config = log.snapshot.config
    assert config.connectors.s3["lake"].transport_options.headers["Authorization-X"].reveal() == SECRET
    password = config.sources.mqtt["plant"].password
    assert password is not None
    assert password.reveal() == SECRET


@pytest.mark.parametrize("announces", [False, True])
@pytest.mark.parametrize("text", [f"${{X:-{SECRET}}}", f"{SECRET}-${{X}}", "sealed:nonsense", "******"])
async def test_what_cannot_be_sealed_is_refused(key: PrivateKey, announces: bool, text: str) -> None:
    """A default of a reference, text around a reference, and what only looks sealed are refused with the path."""
    log = MemoryLog()
    if announces:
        await log.write(Change(announced(key)))

    with pytest.raises(ConfigError, match=r"connectors\.s3\.lake\.secret_access_key: expected") as found:
        await log.write(Change({"connector/s3/lake": {**LAKE, "secret_access_key": text}}))
    assert SECRET not in str(found.value)


async def test_a_secret_that_did_not_change_keeps_its_sealed_text(key: PrivateKey) -> None:
    """Whoever applies a clear secret again with the key at hand changes nothing; without the key it is sealed again."""
    log = await sealing(key, {"connector/s3/lake": LAKE})
    stored = log.snapshot.objects["connector/s3/lake"].value

    assert kept(log.snapshot.objects, {"connector/s3/lake": LAKE}) == {"connector/s3/lake": stored}
    other = {**LAKE, "secret_access_key": "another one"}
    assert kept(log.snapshot.objects, {"connector/s3/lake": other}) == {"connector/s3/lake": other}
    opened_with(None)
    assert kept(log.snapshot.objects, {"connector/s3/lake": LAKE}) == {"connector/s3/lake": LAKE}


async def test_a_new_key_seals_everything_again(key: PrivateKey, tmp_path: Path) -> None:
    """After a rotation, the new key alone opens every secret."""
    log = await sealing(key, {"connector/s3/lake": LAKE})
    write_keys(tmp_path / "keys", [key, new := new_key()])

    again = sealed_again(log.snapshot.objects["connector/s3/lake"].value, new)

    write_keys(tmp_path / "keys", [new])
    assert unseal(again["secret_access_key"]) == SECRET
    assert sealed_again(again, new) == again
