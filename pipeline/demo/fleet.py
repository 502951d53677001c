"""The simulated devices: each is a real MQTT connection, which publishes and remembers what the broker acknowledged.

A device publishes a birth message and a goodbye message. If its connection is cut, the broker publishes its last will. Half of
the devices use MQTT 5, half 3.1.1. A few devices lose their connection once, so that last wills occur too. The remembered
messages are one side of the proof. This file does not know Kafka or S3.
"""

from __future__ import annotations

import heapq
import json
import random
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.demo.process import HOST
from pipeline.errors import TidegateError

KINDS: Final = ("thermo", "pump", "door")
CONNECTED: Final = "client.connected"
DISCONNECTED: Final = "client.disconnected"

_CONNECT_SECONDS = 15.0
_ACK_SECONDS = 15.0
_AWAY_SECONDS = 1.0  # how long a device stays away after it has lost its connection
_DROPPING_EVERY = 10  # one of this many devices loses its connection once


@dataclass
class Sent:
    """One message that a device published. `acked` is set when the broker has acknowledged it."""

    clientid: str
    seq: int
    payload: bytes
    acked: bool = False


@dataclass(frozen=True)
class Event:
    """A client that connected or disconnected, from the view of the device."""

    clientid: str
    event: str


@dataclass
class Account:
    """The messages and events of all devices, in the order of each device."""

    messages: list[Sent] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def acked(self) -> int:
        return sum(sent.acked for sent in self.messages)


class FleetError(TidegateError, code="SERVICE_UNAVAILABLE", fault="outside", retry=True):
    """A device could not connect, or was refused."""


class Device:
    """One device: connect, publish, lose the connection, leave. Its network thread is paho's own."""

    def __init__(self, number: int, port_5: int, port_311: int, account: Account) -> None:
        self.kind = KINDS[number % len(KINDS)]
        self.clientid = f"{self.kind}-{number:03d}"
        self._mqtt_5 = number % 2 == 0
        self._port = port_5 if self._mqtt_5 else port_311
        self._account = account
        self._random = random.Random(number)
        self._temp = 20.0 + self._random.random() * 20
        self._seq = 0
        self._unacked: dict[int, Sent] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._client = self._new_client()

    def connect(self) -> None:
        """Connect and publish the birth message. Raises FleetError if the broker does not answer in time."""
        arrived = threading.Event()

        def on_connect(client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
            if not reason.is_failure:
                arrived.set()

        self._unacked.clear()
        self._client = self._new_client()
        self._client.on_connect = on_connect
        self._client.connect(HOST, self._port, keepalive=30)
        self._client.loop_start()
        if not arrived.wait(_CONNECT_SECONDS):
            raise FleetError(f"{self.clientid} could not connect to {HOST}:{self._port} within {_CONNECT_SECONDS:g} s")
        self._say("online")
        self._account.events.append(Event(self.clientid, CONNECTED))

    def publish(self, now_ms: int) -> None:
        self._seq += 1
        self._temp = min(45.0, max(15.0, self._temp + self._random.uniform(-1.5, 1.5)))
        reading = {"seq": self._seq, "type": self.kind, "temp": round(self._temp, 1), "at": now_ms}
        sent = Sent(self.clientid, self._seq, json.dumps(reading).encode())
        self._account.messages.append(sent)
        info = self._client.publish(f"t/{self.clientid}", sent.payload, qos=1)
        with self._lock:  # the acknowledgement can arrive before publish returns
            if info.mid in self._early:
                self._early.discard(info.mid)
                sent.acked = True
            else:
                self._unacked[info.mid] = sent

    def cut_off(self) -> None:
        """Cut the connection without DISCONNECT, so that the broker publishes the last will."""
        self.wait_for_acks(_ACK_SECONDS)
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)  # paho's thread notices this, and ends
        self._account.events.append(Event(self.clientid, DISCONNECTED))

    def leave(self) -> None:
        """Wait for messages under way, publish the goodbye message, disconnect."""
        self.wait_for_acks(_ACK_SECONDS)
        self._say("offline")
        self._account.events.append(Event(self.clientid, DISCONNECTED))
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for_acks(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._unacked and time.monotonic() < deadline:
            time.sleep(0.01)

    def _new_client(self) -> Client:
        version = MQTTProtocolVersion.MQTTv5 if self._mqtt_5 else MQTTProtocolVersion.MQTTv311
        client = Client(CallbackAPIVersion.VERSION2, self.clientid, protocol=version, reconnect_on_failure=False)
        client.on_publish = self._on_publish
        properties = Properties(PacketTypes.WILLMESSAGE) if self._mqtt_5 else None  # type: ignore[no-untyped-call]
        client.will_set(f"status/{self.clientid}", "offline", qos=1, properties=properties)
        return client

    def _say(self, status: str) -> None:
        info = self._client.publish(f"status/{self.clientid}", status, qos=1)
        info.wait_for_publish(_ACK_SECONDS)
        with self._lock:
            self._early.discard(info.mid)

    def _on_publish(self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        with self._lock:
            if (sent := self._unacked.pop(mid, None)) is not None:
                sent.acked = True
            else:
                self._early.add(mid)


class Fleet:
    """All devices, and the thread that lets each publish at its times."""

    def __init__(self, devices: int, rate: float, port_5: int, port_311: int) -> None:
        self.account = Account()
        self._rate = rate
        self._devices = [Device(number, port_5, port_311, self.account) for number in range(devices)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="fleet", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Connect every device, then publish. Raises FleetError."""
        for device in self._devices:
            device.connect()
        self._thread.start()

    def check(self) -> None:
        """Raise the error that ended the publishing thread, if any."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop publishing, wait for the broker's acknowledgements, and let each device leave."""
        self._stopping.set()
        self._thread.join()
        self.check()
        for device in self._devices:
            device.leave()

    def _publish(self) -> None:
        try:
            self._run(self._devices[::_DROPPING_EVERY])
        except BaseException as error:
            self._failure = error

    def _run(self, dropping: Sequence[Device]) -> None:
        """Run a heap of (due time, number, device).

        Each device publishes at its times, and some lose their connection once instead.
        """
        period = 1 / self._rate
        start = time.monotonic()
        due = [(start + period * n / len(self._devices), n, device) for n, device in enumerate(self._devices)]
        to_cut = {id(device): start + 2 + n * 0.7 for n, device in enumerate(dropping)}
        away: set[int] = set()
        while not self._stopping.is_set():
            at, number, device = heapq.heappop(due)
            if self._stopping.wait(max(0.0, at - time.monotonic())):
                heapq.heappush(due, (at, number, device))
                break
            if id(device) in away:
                device.connect()
                away.discard(id(device))
            if to_cut.get(id(device), at) < at:
                del to_cut[id(device)]
                device.cut_off()
                away.add(id(device))
                at += _AWAY_SECONDS
            else:
                device.publish(time.time_ns() // 1_000_000)
                at = max(at, time.monotonic() - period) + period  # after a delay, no device sends twice at once
            heapq.heappush(due, (at, number, device))
        for _, _, device in due:
            if id(device) in away:
                device.connect()
