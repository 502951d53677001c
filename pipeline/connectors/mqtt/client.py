"""paho-mqtt with a faster reader: it handles whole reads, joins acknowledgements, and ends a connection without loss.

paho does the handshake, TLS, keep-alive and subscriptions. paho's own loop costs 47 µs a message, because each packet takes
three system calls, one or two locks and several objects. A test lists the names of paho that this file uses.

This file does not know asyncio, Kafka or the window.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from pipeline.mqtt.fields import ProtocolError
from pipeline.mqtt.packets import Packet, Publish, acknowledgements
from pipeline.mqtt.parser import Parser
from pipeline.mqtt.reasons import MALFORMED, PROTOCOL_ERROR

OnBatch = Callable[[Sequence[Publish]], None]

READ_BYTES: Final = 262_144
TLS_RECORDS_MAX: Final = (
    256  # decrypted together; one record has at most 16 kB, and some brokers make one for each packet
)
DISCONNECT_PACKET: Final = b"\xe0\x00"  # "normal disconnection" in both versions


class BatchClient(paho.Client):
    """paho's client with a `loop_read` for whole reads. A test lists the names of paho that it overrides and calls.

    `on_batch` gets runs of PUBLISH packets. paho's own `on_message` is never called. For `kept_bytes` see Parser.
    """

    def __init__(self, on_batch: OnBatch, *, v5: bool, kept_bytes: int, **settings: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if v5 else paho.MQTTv311, **settings)
        self._on_batch = on_batch
        self._parser = Parser(v5=v5, kept_bytes=kept_bytes)
        self.read_messages = 0  # messages of the latest loop_read
        self.protocol_error: ProtocolError | None = None
        self.lost_by = ""  # how the connection was lost, if MQTT did not say this

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read once, and pass on whole packets. `max_packets` is an argument of paho without effect here."""
        sock = self._sock
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        self.read_messages = 0
        try:
            chunk = self._read_tls(sock) if self._ssl else sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except ssl.SSLWantWriteError:
            self._call_socket_register_write()
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            self.lost_by = (error.strerror or str(error)).lower()
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if not chunk:
            self.lost_by = "the broker closed it"
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._last_bytes_received = time.monotonic()
        try:
            code = self._take(chunk)
        except ProtocolError as error:
            self.protocol_error = error
            code = MQTTErrorCode.MQTT_ERR_PROTOCOL
        return self._loop_rc_handle(code) if code else MQTTErrorCode.MQTT_ERR_SUCCESS

    def acknowledge(self, mids: list[int]) -> None:
        """Queue the PUBACKs of `mids` as one write."""
        self._packet_queue(paho.PUBACK, acknowledgements(mids), 0, 1)

    def leave(self) -> None:
        """Queue a DISCONNECT and wait for the broker to close, ignoring what it still sends.

        paho would close as soon as the packet is sent. Unread bytes then make TCP send a reset, which can destroy our
        last acknowledgements. The broker would deliver those messages again.
        """
        self._on_batch = lambda batch: None
        self._packet_queue(paho.PUBACK, DISCONNECT_PACKET, 0, 1)

    def excuse_silence(self) -> None:
        """Do not end the connection because of a missing PINGRESP: none can arrive while reading is paused."""
        self._ping_t = 0.0
        self._last_bytes_received = time.monotonic()

    def _read_tls(self, sock: Any) -> bytes:
        """Read everything that TLS has decrypted. One read gives at most one TLS record, and the rest would not wake
        the event loop.

        A WebSocket inside TLS raises BlockingIOError for a frame without data for us, such as a ping.
        """
        chunks: list[bytes] = []
        while len(chunks) < TLS_RECORDS_MAX or sock.pending():
            try:
                chunks.append(sock.recv(READ_BYTES))
            except ssl.SSLWantReadError:
                break
            except BlockingIOError:
                if not sock.pending():
                    break
                continue
            if not chunks[-1]:
                break
        if not chunks:
            raise BlockingIOError
        return b"".join(chunks)

    def _take(self, chunk: bytes) -> MQTTErrorCode:
        for found in self._parser.feed(chunk):
            if isinstance(found, list):
                self.read_messages += len(found)
                self._on_batch(found)
                continue
            packet: Any = self._in_packet
            packet.update(
                command=found.first_byte, packet=bytearray(found.body), remaining_length=len(found.body), pos=0
            )
            try:
                code = self._packet_handle()
            except paho.MalformedPacket as error:
                raise ProtocolError(
                    MALFORMED, f"a packet that begins with {_first(found)} is malformed: {error}"
                ) from None
            finally:
                packet.update(command=0, packet=bytearray())
            if code == MQTTErrorCode.MQTT_ERR_PROTOCOL:
                raise ProtocolError(PROTOCOL_ERROR, f"a packet that begins with {_first(found)} cannot come here")
            if code or self._sock is None:
                return code
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _first(packet: Packet) -> str:
    return f"0x{packet.first_byte:02X}"
