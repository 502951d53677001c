"""Nothing that is printed shows a secret: each setting that can hold one has a canary, and each output is searched for all."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from pipeline.demo.process import free_port
from pipeline.hidden import forms_of, hide, without_secrets
from tests.components.pipeline_parts import Make, aggregated, direct, message
from tests.parts.canaries import LOGINS, Canaries, declared, with_login
from tests.parts.commands import AT_DEBUG, tidegate
from tests.parts.waiting import patient, wait_until

COMMANDS: dict[str, list[str]] = {
    "check": ["check"],
    "check --connect": ["check", "--connect"],
    "doctor": ["doctor"],
    "doctor json": ["doctor", "--output", "json"],
    "verify": ["verify"],
    "verify jsonl": ["verify", "--output", "jsonl"],
    "replay": ["replay", "rows", "--from", "0", "--yes"],
    "list": ["dead-letter", "list"],
    "redrive": ["dead-letter", "redrive"],
}


def written(folder: Path, settings: dict[str, Any] | str) -> Path:
    path = folder / "canaries.yaml"
    path.write_text(settings if isinstance(settings, str) else json.dumps(settings), encoding="utf-8")
    return path


def test_every_setting_that_can_hold_a_secret_has_a_canary() -> None:
    """A new section with such a setting must be given a place in tests/parts/canaries.py."""
    others = [Canaries(with_login(login)) for login in LOGINS]
    assert set().union(Canaries().planted, *(each.planted for each in others)) == declared()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_a_secret(command: str, tmp_path: Path) -> None:
    """At debug, with the outside away and certificates that are not there."""
    canaries = Canaries()
    given = [*COMMANDS[command], "-c", str(written(tmp_path, canaries.settings))]

    done = subprocess.run(
        [sys.executable, "-c", AT_DEBUG, *given], capture_output=True, text=True, timeout=patient(120), check=False
    )

    assert done.stdout + done.stderr
    assert canaries.found_in(done.stdout + done.stderr) == []


@pytest.mark.parametrize("login", LOGINS, ids=["client secret", "token"])
def test_no_login_at_kafka_is_printed(login: dict[str, Any], tmp_path: Path) -> None:
    """At debug, with each kind of login."""
    canaries = Canaries(with_login(login))
    given = ["dead-letter", "list", "-c", str(written(tmp_path, canaries.settings))]

    done = subprocess.run(
        [sys.executable, "-c", AT_DEBUG, *given], capture_output=True, text=True, timeout=patient(120), check=False
    )

    assert canaries.found_in(done.stdout + done.stderr) == []
    assert "kafka." in done.stderr


def broken(canaries: Canaries) -> dict[str, str]:
    """Configurations that are wrong near a secret, or in it."""
    found = {}
    text = canaries.text()
    for place in canaries.by_place:
        changed = json.loads(text)
        at: Any = changed
        *path, last = place.strip(".").split(".")
        for part in path:
            at = at[part]
        for name, wrong in {
            "a list": [at[last]],
            "below": {"deep": at[last]},
        }.items():
            if type(at[last]) is not type(wrong):
                found[f"{place}: {name}"] = json.dumps(_with(changed, place, wrong))
        found[f"{place}: beside"] = json.dumps(_with(changed, f"{place}x", at[last]))
    found["yaml"] = text[:-1] + ", {"
    found["address"] = text.replace(
        "127.0.0.1:1", f"mqtt://u:{next(iter(canaries.by_place.values())).encode().hex()}@h:1"
    )
    return found


def _with(settings: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(settings))
    at = copied
    *path, last = place.strip(".").split(".")
    for part in path:
        at = at[part]
    at[last] = value
    return copied


def test_no_error_of_a_configuration_shows_a_secret(tmp_path: Path) -> None:
    """A wrong shape in the place of a secret, an unknown setting beside it with the same value, YAML that ends too early."""
    from pipeline.config import parse
    from pipeline.errors import ConfigError

    canaries = Canaries()
    wrong = {}
    for name, text in broken(canaries).items():
        try:
            parse(text)
        except ConfigError as error:
            if shown := canaries.found_in(str(error)):
                wrong[name] = shown
        else:
            wrong[name] = ["is taken"] if name in ("yaml", "address") else []

    assert {name: shown for name, shown in wrong.items() if shown} == {}


@pytest.mark.parametrize("process", ["worker", "ingress"])
@pytest.mark.parametrize("tls", [True, False])
def test_no_process_logs_a_secret(process: str, tls: bool, tmp_path: Path) -> None:
    """At debug, with all libraries' lines, while everything outside is away; and its arguments have none."""
    canaries = Canaries()
    if not tls:
        for section in (
            *canaries.settings["sources"]["mqtt"].values(),
            *canaries.settings["sources"]["listener"].values(),
        ):
            section.pop("ssl")
        canaries.settings["sources"].pop("exhook")
        canaries.settings["connectors"]["s3"]["lake"]["transport_options"]["ssl"] = {"enable": False}
    command = [sys.executable, "-c", AT_DEBUG, process, "-c", str(written(tmp_path, canaries.settings))]
    log = tmp_path / "log"
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as running:
        try:
            arguments = Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
            wait_until(lambda: running.poll() is not None or "kafka." in log.read_text(), 60, log.read_text)
        finally:
            running.terminate()
            running.wait(patient(60))
    said = log.read_text() + arguments

    assert said
    assert canaries.found_in(said) == []


@pytest.mark.real
def test_a_wrong_secret_is_shown_nowhere(make: Make, tmp_path: Path) -> None:
    """A real store refuses the secret: not in the log at debug, on the page, in a dead letter or in what commands say."""
    bucket = "secret-wrong"
    pipeline = make(
        actions={"raw": direct(bucket, "raw/${id}.json"), "rows": aggregated(bucket, "rows/x.jsonl")},
        rules={"r": ('SELECT payload.n * 2 AS n FROM "t/#"', ["raw", "rows"])},
    )
    pipeline.prepare(bucket)
    pipeline.metrics_port = free_port()
    pipeline.produce([message("c", b'{"n": "?"}'), message("c", b'{"n": 1}')])
    settings = pipeline.settings()
    secret, header = "canary-of-the-secret/+", "canary-of-the-header"
    lake = settings["connectors"]["s3"]["lake"]
    lake["secret_access_key"] = secret
    lake["transport_options"]["headers"] = {"x-canary": header}
    path = written(tmp_path, settings)
    log = tmp_path / "worker.log"

    with (
        log.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", AT_DEBUG, "worker", "-c", str(path)], stdout=file, stderr=subprocess.STDOUT
        ) as worker,
    ):
        try:
            wait_until(lambda: "action.disconnected" in log.read_text(), 60, log.read_text)
            wait_until(lambda: len(pipeline.dead_letters()) >= 1, 60, log.read_text)
            page = "".join(
                urlopen(f"http://127.0.0.1:{pipeline.metrics_port}/{name}", timeout=patient(5)).read().decode()
                for name in ("status", "metrics")
            )
        finally:
            worker.terminate()
            worker.wait(patient(60))
    said = [log.read_text(), page, *(repr(letter.headers()) for letter in pipeline.dead_letters())]
    ended = [each for name, each in COMMANDS.items() if name != "replay"]  # which waits for the store without end
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda command: tidegate(*command, "-c", str(path)), ended))
    said += [each.stdout + each.stderr for each in done]

    assert "disconnected" in page
    shown = [form for form in (*forms_of(secret), *forms_of(header)) for text in said if form in text]
    assert shown == []


def test_dumps_and_representations_show_no_secret() -> None:
    """What `/status`, a debugger and a person may print: the model, its masked dump, its secrets."""
    from pipeline.config import parse
    from pipeline.config.dump import to_json, to_yaml

    canaries = Canaries()
    config = parse(canaries.text())

    for shown in (to_json(config, masked=True, defaults=True), to_yaml(config, masked=True), repr(config), str(config)):
        assert canaries.found_in(shown) == []


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://user:canary-12345@broker:1883",
        "<SecretAccessKey>canary-12345</SecretAccessKey>",
        '"SessionToken": "canary-12345"',
        "x-amz-security-token:canary-12345\nhost:x",
        "Authorization: AWS4-HMAC-SHA256 Credential=k/x, SignedHeaders=host, Signature=canary-12345",
        "https://b.s3/x?X-Amz-Signature=canary-12345&X-Amz-Date=1",
        "sasl.password=canary-12345 x",
        "-----BEGIN EC PRIVATE KEY-----\ncanary-12345\n-----END EC PRIVATE KEY-----",
    ],
)
def test_a_secret_that_nobody_told_us_is_known_by_what_stands_before_it(text: str) -> None:
    """Temporary credentials, signatures, tokens and private keys in the lines of libraries."""
    assert "canary-12345" not in without_secrets(text)


def test_the_lines_of_a_secret_of_many_lines_are_secret() -> None:
    """A traceback may show one of them."""
    hide("first-line-of-it\nsecond-line-of-it")

    assert "second-line-of-it" not in without_secrets("at second-line-of-it: no")


def test_a_command_that_breaks_shows_no_secret(tmp_path: Path) -> None:
    """An error that nobody expected ends in a traceback, and its text may quote what it was given."""
    script = """
from pipeline.cli import main
from pipeline.config import parse
def app():
    secret = parse(open(%r).read()).connectors.s3["lake"].secret_access_key.reveal()
    raise ValueError("cannot use " + repr(secret))
main.app = app
main.main()
"""
    canaries = Canaries()

    done = subprocess.run(
        [sys.executable, "-c", script % str(written(tmp_path, canaries.settings))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "ValueError: cannot use" in done.stderr
    assert canaries.found_in(done.stderr) == []


def test_the_help_and_the_schema_are_no_places_for_secrets() -> None:
    """The schema says which settings are secrets, and shows none."""
    schema = tidegate("config", "schema")

    assert schema.returncode == 0
    assert '"format": "password"' in schema.stdout
