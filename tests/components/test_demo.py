"""`tidegate demo` as a person runs it: it proves what arrived, and leaves no process behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from pipeline.demo.process import free_port
from tests.parts.waiting import patient, wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]
COMMAND = [sys.executable, "-m", "pipeline.cli", "demo", "--devices", "12", "--rate", "3"]


def children(pid: int) -> set[int]:
    """All descendants of a process, as Linux tells."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            for child in map(int, task.read_text().split()):
                found |= {child} | children(child)
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[bytes]]:
    """A demo that would run for minutes. Its servers and both processes have started."""
    process = subprocess.Popen(
        [*COMMAND, "--duration", "120"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: len(children(process.pid)) >= 5, 60, lambda: f"children: {children(process.pid)}")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.parametrize("way", [[], ["--listener"]], ids=["broker", "listener"])
def test_it_proves_what_arrived(way: list[str]) -> None:
    """The last line is one JSON object: everything published was stored, filtered or overwritten, and nothing is lost."""
    done = subprocess.run(
        [*COMMAND, *way, "--duration", "4", "--output", "json"], capture_output=True, text=True, timeout=patient(120)
    )

    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr[-2000:]
    assert (found["lost"], found["duplicated"], found["dead_lettered"], found["order_kept"]) == (0, 0, 0, True)
    assert found["published"] == found["stored"] + found["filtered"] + found["overwritten"]
    assert found["messages"] > 50  # of 144, if the machine lets each device publish at its times
    assert found["objects"] > 50


def test_the_dashboard_is_there_while_devices_publish() -> None:
    """The demo says where it is, with a link that creates the first user; its rules are those of the example."""
    process = subprocess.Popen(
        [*COMMAND, "--duration", "120"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        assert process.stdout is not None
        link = next(line for line in process.stdout if "the dashboard:" in line).rpartition(" ")[2].strip()
        address, _, token = link.partition("api/v5/first_user?token=")
        form = {"token": token, "username": "root", "password": "a long password"}
        with httpx.Client(base_url=address, timeout=patient(20)) as browser:
            assert "<title>Tidegate</title>" in browser.get("/").text
            assert browser.post("/api/v5/first_user", data=form).status_code == 303
            browser.post("/api/v5/login", json={"username": "root", "password": "a long password"})
            rules = browser.get("/api/v5/rules").json()["data"]
    finally:
        process.kill()
        process.wait()
    assert {each["id"] for each in rules} == {"my_rule", "hot_devices", "comings_and_goings"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
def test_no_process_is_left_behind(demo: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """No process remains after Ctrl-C, after an orderly end, and after SIGKILL of the demo."""
    started = children(demo.pid)

    demo.send_signal(how)

    demo.wait(patient(40))
    wait_until(lambda: not alive(started), 20, lambda: f"left: {alive(started)}")


def test_ctrl_c_while_stopping_ends_at_once(demo: subprocess.Popen[bytes]) -> None:
    """All processes are killed, and the status is that of a process killed by Ctrl-C."""
    started = children(demo.pid)

    demo.send_signal(signal.SIGINT)
    wait_until(lambda: len(alive(started)) < len(started), 20, lambda: "nothing was stopped")
    demo.send_signal(signal.SIGINT)

    assert demo.wait(patient(20)) == 130
    wait_until(lambda: not alive(started), 20, lambda: f"left: {alive(started)}")


def test_the_servers_alone_run_until_a_signal() -> None:
    """`tidegate servers` opens its ports, refuses ports in use by name, and leaves no process behind."""
    ports = {name: free_port() for name in ("kafka", "mqtt", "mqtt-311", "s3")}
    options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    command = [sys.executable, "-u", "-m", "pipeline.cli", "servers", "--bucket", "first", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said = [process.stdout.readline() for _ in range(4)]
        servers = children(process.pid)
        with httpx.Client() as client:
            bucket = client.head(f"http://127.0.0.1:{ports['s3']}/first").status_code
        second = subprocess.run(command, capture_output=True, text=True, timeout=patient(60))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=patient(30))
        process.stdout.close()

    assert bucket == 200
    assert f"127.0.0.1:{ports['kafka']}" in said[0]
    assert all(listened for listened in said)
    assert (second.returncode, f"port {ports['kafka']} " in second.stderr, "--kafka-port" in second.stderr) == (
        2,
        True,
        True,
    )
    assert process.returncode == 130
    wait_until(lambda: not alive(servers), 20, lambda: f"left: {alive(servers)}")
