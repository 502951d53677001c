"""paho as a client of the listener over WebSocket, with and without TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.components.ingress_process import read
from tests.components.listener_parts import SECONDS, Device, Listening, events


def plain(folder: Path) -> dict[str, Any]:
    return {"transport": "websockets", "websocket_path": "/gate", "max_connections_per_address": 1}


def encrypted(folder: Path) -> dict[str, Any]:
    return plain(folder) | {"ssl": {"enable": True, "certfile": f"{folder}/cert.pem", "keyfile": f"{folder}/key.pem"}}


@pytest.mark.parametrize("listening", [plain, encrypted], indirect=True)
def test_many_messages_arrive_in_order_over_a_websocket(listening: Listening, tmp_path: Path) -> None:
    """Small and large messages of each quality arrive, and the limits of addresses hold."""
    device, other = (Device(listening, name, transport="websockets", version=4) for name in ("d1", "d2"))
    for each in (device, other):
        each.client.ws_set_options("/gate")
        if "ssl" in listening.source:
            each.client.tls_set(str(tmp_path / "cert.pem"))
            each.client.tls_insecure_set(True)
    device.connect()
    sizes = [0, 1, 125, 126, 65_535, 300_000, *[50] * 300]
    sent = [device.client.publish(f"{listening.name}/a", b"x" * size, qos=n % 3) for n, size in enumerate(sizes)]
    for info in sent:
        info.wait_for_publish(SECONDS)
    with pytest.raises((OSError, ValueError)):
        other.connect()
    device.leave()

    records = read(listening.kafka, listening.messages, len(sizes))
    assert [len(each.value() or b"") for each in records] == sizes
    assert {each.key() for each in records} == {b"d1"}
    assert [fields.get("reason") for _, fields in events(listening, 2)] == [None, "normal"]
