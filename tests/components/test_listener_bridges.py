"""mosquitto as a bridge to the listener, with its defaults and in each version of MQTT that it speaks."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.components.ingress_process import read
from tests.components.listener_parts import Listening
from tests.parts import mosquitto
from tests.parts.waiting import wait_until

GATEWAYS = {"gateways": ["edge-3", "edge-4", "edge-5"], "clientid_from": [{"topic": "{clientid}/+/#"}]}
VERSIONS = {"mqttv31": 3, "mqttv311": 4, "mqttv50": 5}
BRIDGE = """
connection to-tidegate-{number}
address 127.0.0.1:{port}
bridge_protocol_version {version}
remote_clientid edge-{number}
topic d{number}/# out {qos}
"""


def for_bridges(folder: Path) -> dict[str, Any]:
    return {"topics": ["+/up/#"], "window": 20, **GATEWAYS}


@pytest.mark.real
@pytest.mark.parametrize("listening", [for_bridges], indirect=True)
def test_mosquitto_bridges_get_all_of_their_backlog_through(
    listening: Listening, tmp_path: Path, mosquitto_pub: str
) -> None:
    """Notices are dropped, publishers come from topics, and a backlog beyond the window costs no connection."""
    folder = tmp_path / "edge"
    folder.mkdir()
    bridges = [
        BRIDGE.format(number=number, port=listening.port, version=version, qos=2 if number == 5 else 1)
        for version, number in VERSIONS.items()
    ]
    edge = mosquitto.start(folder, more="".join(bridges))
    for number in VERSIONS.values():
        command = [mosquitto_pub, "-p", str(edge.port), "-t", f"d{number}/up/x", "-q", "2", "-l"]
        lines = "".join(f"{n}\n" for n in range(200))
        subprocess.run(command, input=lines, text=True, check=True, timeout=60)

    records = read(listening.kafka, listening.messages, 600)
    wait_until(lambda: listening.metric("tidegate_ingress_clients") == 3, 20, listening.server.tail)
    notices = listening.metric('tidegate_ingress_messages_dropped_total{reason="bridge_notice"')
    logins = listening.metric("tidegate_ingress_connections_total")
    edge.stop()

    assert Counter(each.key() for each in records) == {b"d3": 200, b"d4": 200, b"d5": 200}
    for key in (b"d3", b"d4", b"d5"):
        assert [int(each.value() or b"") for each in records if each.key() == key] == list(range(200))
    assert {dict(each.headers() or [])["clientid_from"] for each in records} == {b"topic"}
    assert notices >= 6  # a will and a first notice of each
    assert logins == 3
