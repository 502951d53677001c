"""A listener as a process under test, and devices that connect to it."""

from __future__ import annotations

import json
import queue
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from tests.components.ingress_process import Ingress, get, read
from tests.parts.waiting import patient

SECONDS = patient(15)


class Listening(Ingress):
    """An ingress whose only source is a port for devices."""

    def _config(self) -> dict[str, Any]:
        return {**super()._config(), "sources": {"listener": {"devices": self.source}}}

    @property
    def port(self) -> int:
        return self.broker.port

    def metric(self, name: str) -> float:
        """The sum of a metric."""
        page = get(f"http://127.0.0.1:{self.settings['metrics']['ingress_port']}/metrics")
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name))


class Device:
    """A paho client whose callbacks are queues."""

    def __init__(
        self, listening: Listening, clientid: str, *, version: int = 5, transport: Any = "tcp", **settings: Any
    ) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            clientid,
            protocol=paho.MQTTv5 if version == 5 else paho.MQTTv311,
            reconnect_on_failure=False,
            transport=transport,
        )
        self.client.on_connect = lambda c, u, flags, reason, props: self.told.put(("connect", (reason, props, flags)))
        self.client.on_disconnect = lambda c, u, flags, reason, props: self.told.put(("disconnect", reason))
        self.client.on_publish = lambda c, u, mid, reason, props: self.told.put(("publish", reason))
        self.client.on_subscribe = lambda c, u, mid, reasons, props: self.told.put(("subscribe", reasons))
        self._listening = listening
        self._settings = settings

    def connect(self) -> Any:
        self.client.connect("127.0.0.1", self._listening.port, **self._settings)
        self.client.loop_start()
        return self.next("connect")

    def next(self, kind: str) -> Any:
        found, what = self.told.get(timeout=SECONDS)
        assert found == kind, (found, what)
        return what

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def properties(kind: int, **values: Any) -> Properties:
    found = Properties(kind)
    for name, value in values.items():
        setattr(found, name, value)
    return found


def events(listening: Listening, expected: int) -> list[tuple[str, dict[str, Any]]]:
    """Name and fields of the events, in order."""
    records = read(listening.kafka, listening.events, expected)
    return [(dict(each.headers() or [])["event"].decode(), json.loads(each.value() or b"")) for each in records]  # type: ignore[union-attr]
