"""Logins to a listener, and the output of `tidegate password`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from ingress.listener import login
from ingress.listener.limits.checks import CHECKS_MAX
from ingress.listener.login import Login, common_name
from ingress.listener.words import Connect, Will
from pipeline.cli.main import app
from pipeline.config.listener import ListenerSource
from pipeline.errors import ConfigError
from pipeline.passwords import hashed, parse_passwords, verified
from tests.faults.simulation.clock import tell


def source(**settings: Any) -> ListenerSource:
    return ListenerSource.model_validate({"authentication": "none", "topics": ["t/%c"], **settings})


def connect(clientid: str = "d1", username: str | None = None, password: bytes | None = None, **more: Any) -> Connect:
    return Connect(5, clientid, username, password, 60, True, None, ())._replace(**more)


def with_passwords(folder: Path, **users: str) -> ListenerSource:
    file = folder / "passwords"
    file.write_text("# comment\n\n" + "".join(f"{user}:{hashed(secret)}\n" for user, secret in users.items()))
    return source(authentication="password", password_file=str(file))


async def test_a_password_is_checked_once_and_then_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A correct password is remembered as a digest, and a wrong password never matches it."""
    checks: list[bytes] = []

    def counted(known: str, secret: bytes) -> bool:
        checks.append(secret)
        return verified(known, secret)

    monkeypatch.setattr(login, "verified", counted)
    gate = Login("devices", with_passwords(tmp_path, anna="right"))

    codes = [(await gate.admit(connect("d1", "anna", each), None)).code for each in (b"right", b"right", b"wrong")]

    assert codes == [0, 0, 0x86]
    assert checks == [b"right", b"wrong"]


async def test_a_storm_of_logins_does_not_stall_the_event_loop(tmp_path: Path) -> None:
    """The event loop runs while forty passwords are checked."""
    gate = Login("devices", with_passwords(tmp_path, anna="right"))
    turns = 0
    storm = asyncio.gather(*(gate.admit(connect("d1", "anna", b"wrong%d" % n), None) for n in range(40)))

    while not storm.done():
        await asyncio.sleep(0)
        turns += 1

    assert {each.code for each in storm.result()} == {0x86}
    assert turns > 40


async def test_more_logins_than_can_be_checked_are_told_to_come_again(tmp_path: Path) -> None:
    """Logins beyond the queue's limit are refused, and a client with a remembered password is accepted."""
    gate = Login("devices", with_passwords(tmp_path, anna="right"))
    await gate.admit(connect("d1", "anna", b"right"), None)
    flood = [asyncio.create_task(gate.admit(connect("d1", "anna", b"%d" % n), None)) for n in range(CHECKS_MAX + 5)]
    await asyncio.sleep(0)

    known = await gate.admit(connect("d1", "anna", b"right"), None)
    gate.close()
    refused = [each.result().code for each in flood if each.done()]
    for each in flood:
        each.cancel()

    assert known.code == 0
    assert refused.count(0x89) == 5


def played_checks(
    monkeypatch: pytest.MonkeyPatch, folder: Path, story: Callable[[Login], Coroutine[Any, Any, None]]
) -> list[bytes]:
    """The passwords that were checked, in their order. Time is virtual, and a check takes 30 ms of it."""
    checked: list[bytes] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def run_in_executor(pool: Any, verify: Callable[[], bool]) -> asyncio.Future[bool]:
            answer: asyncio.Future[bool] = loop.create_future()
            good = verify()
            loop.call_later(0.03, answer.set_result, good)
            return answer

        monkeypatch.setattr(loop, "run_in_executor", run_in_executor)
        await story(Login("devices", with_passwords(folder, anna="right", berta="two")))

    def check(known: str | None, password: bytes) -> bool:
        checked.append(password)
        return known is not None and password in (b"right", b"two")

    monkeypatch.setattr(login, "verified", check)
    tell(1, run())
    return checked


def test_whoever_has_a_wrong_password_waits_and_costs_one_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that comes again and again with the same one: longer each time, and the processor is not asked again."""
    took: list[float] = []

    async def story(gate: Login) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(5):
            began = loop.time()
            assert (await gate.admit(connect("d1", "anna", b"wrong"), None, "192.0.2.1")).code == 0x86
            took.append(loop.time() - began)

    assert played_checks(monkeypatch, tmp_path, story) == [b"wrong"]
    assert took == pytest.approx([1.03, 2, 4, 5, 5])


def test_guessing_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of wrong passwords from one address: at another one, and behind the same one, a right one is soon let in."""
    seconds: list[float] = []

    async def story(gate: Login) -> None:
        loop = asyncio.get_running_loop()
        guesses = [
            loop.create_task(gate.admit(connect("x", "anna", b"guess %d" % n), None, "192.0.2.1")) for n in range(200)
        ]
        for pause, address in ((0.1, "192.0.2.2"), (0, "192.0.2.1"), (5, "192.0.2.1"), (0, "192.0.2.2")):
            await asyncio.sleep(pause)
            began = loop.time()
            assert (await gate.admit(connect("d2", "berta", b"two"), None, address)).code == 0
            seconds.append(loop.time() - began)
            gate._good.clear()
        await asyncio.sleep(10)
        for each in guesses:
            each.cancel()

    checked = played_checks(monkeypatch, tmp_path, story)

    assert max(seconds) < 0.5
    assert len(checked) < 140  # 50 at once, and 5 a second after that


async def test_a_changed_file_counts_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    """A password that was removed from the file is refused, even if it was remembered."""
    gate = Login("devices", with_passwords(tmp_path, anna="old"))
    assert (await gate.admit(connect("d1", "anna", b"old"), None)).code == 0

    with_passwords(tmp_path, anna="new", berta="two")
    await gate.refresh()
    codes = [(await gate.admit(connect("d1", *each), None)).code for each in (("anna", b"old"), ("anna", b"new"))]
    (tmp_path / "passwords").write_text("nonsense")
    await gate.refresh()

    assert codes == [0x86, 0]
    assert (await gate.admit(connect("d1", "berta", b"two"), None)).code == 0


def test_a_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    """The error has the place in the file and none of its content."""
    settings = with_passwords(tmp_path)
    (tmp_path / "passwords").write_text("anna:plain-text")

    with pytest.raises(ConfigError, match=r"sources\.listener\.devices\.password_file.*line 1") as found:
        Login("devices", settings)
    assert "plain-text" not in str(found.value)
    (tmp_path / "passwords").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        Login("devices", settings)


async def test_a_clientid_that_is_not_the_user_name_is_refused_when_told_so() -> None:
    """With clientid_is_username another clientid is refused, and an empty one becomes the user name."""
    strict, free = Login("devices", source(clientid_is_username=True)), Login("devices", source())

    assert (await strict.admit(connect("d1", "anna"), None)).code == 0x85
    assert (await strict.admit(connect("d1", None), None)).code == 0x85
    assert (await strict.admit(connect("", "anna"), None)).clientid == "anna"
    assert (await free.admit(connect("d1", "anna"), None)).clientid == "d1"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"authentication": "none", "topics": ["t/%c"]}, "%c"),
        ({"authentication": "none", "topics": ["t/%u"], "clientid_is_username": True}, "%u"),
        ({"authentication": "password", "password_file": "x", "topics": ["t/%c"]}, "%c"),
        ({"authentication": "password", "password_file": "x", "topics": ["t/%c"], "clientid_is_username": True}, ""),
        ({"authentication": "password", "password_file": "x", "topics": ["t/%u"]}, ""),
        ({"authentication": "none", "topics": ["t/#"]}, ""),
    ],
)
def test_a_placeholder_that_protects_nothing_is_told(settings: dict[str, Any], word: str) -> None:
    """A name that a client may choose freely is no right."""
    found = source(**settings).unproven

    assert found.startswith(word)
    assert bool(found) is bool(word)


async def test_a_will_needs_the_same_right_as_a_message() -> None:
    """A login with a forbidden will is refused."""
    gate = Login("devices", source())
    wills = [Will(topic, b"", 0, (), 0) for topic in (b"t/d1", b"t/d2")]

    assert [(await gate.admit(connect(will=will), None)).code for will in wills] == [0, 0x87]


async def test_enhanced_authentication_is_not_offered() -> None:
    """Enhanced authentication is refused with 0x8C (MQTT 5.0 section 4.12)."""
    assert (await Login("devices", source()).admit(connect(properties=((0x15, b"SCRAM"),)), None)).code == 0x8C


def test_the_common_name_of_a_certificate() -> None:
    """The common name is read from a certificate, which may have none."""
    assert common_name({"subject": ((("countryName", "DE"),), (("commonName", "pump-7"),))}) == "pump-7"
    assert common_name({"subject": ()}) is None
    assert common_name(None) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"authentication": "password"},
        {"authentication": "none", "password_file": "x"},
        {"authentication": "certificate"},
        {"authentication": "certificate", "ssl": {"enable": True, "certfile": "a", "keyfile": "b"}},
        {"topics": []},
        {"topics": ["a/#/b"]},
        {"bind": "1883"},
        {"window": 65536},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    """Settings that cannot work are refused before the port opens."""
    with pytest.raises(ValidationError):
        source(**settings)


def test_the_command_writes_a_line_that_the_file_understands() -> None:
    """The password comes from standard input and is not in the line."""
    done = CliRunner().invoke(app, ["password", "anna"], input="my secret\n")

    found = parse_passwords(done.stdout)
    assert done.exit_code == 0
    assert verified(found["anna"], b"my secret")
    assert not verified(found["anna"], b"another")
    assert "secret" not in done.stdout
    assert CliRunner().invoke(app, ["password", "a:b"], input="x\n").exit_code == 2
    assert CliRunner().invoke(app, ["password", "anna"], input="\n").exit_code == 2


@pytest.mark.parametrize("text", ["anna:$argon2id$x\nanna:$argon2id$y", "anna", ":$argon2id$x", "anna:secret"])
def test_lines_that_are_no_user_and_hash(text: str) -> None:
    """The error names the line, and a user that occurs twice is an error."""
    with pytest.raises(ValueError, match=r"line \d"):
        parse_passwords(text)
