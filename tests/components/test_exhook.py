"""The ExHook service from EMQX's side: a gRPC client sends EMQX's bytes, and the test reads Kafka."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from pipeline.demo.process import Server, free_port
from tests.components.ingress_process import Ingress, get, read
from tests.parts import exhook_bytes as sent
from tests.parts.certificates import certificate
from tests.parts.part import KafkaPart, MqttPart
from tests.parts.waiting import patient


class ExHook(Ingress):
    """An ingress whose only source is a port for EMQX."""

    def _config(self) -> dict[str, Any]:
        return {**super()._config(), "sources": {"exhook": {"emqx": self.source}}}


@pytest.fixture
def exhook(request: pytest.FixtureRequest, tmp_path: Path, kafka: KafkaPart) -> Iterator[ExHook]:
    """A started service on its own port. Parameters add to its settings."""
    port = free_port()
    nobody = MqttPart(Server("none", [], tmp_path / "none.log"), real=True, port=1, port_311=1)
    source = {"bind": f"127.0.0.1:{port}", **getattr(request, "param", {})}
    process = ExHook(f"exhook{time.time_ns()}", tmp_path, kafka, nobody, source)
    process.settings = {"metrics": {"ingress_port": free_port()}}
    process.reconfigure()
    process.start()
    yield process
    process.server.stop()


async def call(channel: Any, rpc: str, request: bytes, *, version: int = 3) -> bytes:
    """One call as EMQX makes it."""
    answer: bytes = await channel.unary_unary(f"/emqx.exhook.v{version}.HookProvider/On{rpc}")(request)
    return answer


def metrics(exhook: ExHook) -> str:
    return get(f"http://127.0.0.1:{exhook.settings['metrics']['ingress_port']}/metrics")


@pytest.mark.parametrize("exhook", [{"messages": ["t/#"]}], indirect=True, ids=[""])
@pytest.mark.parametrize("version", [2, 3])
async def test_a_client_of_emqx_from_connect_to_its_end(exhook: ExHook, version: int) -> None:
    """Messages carry their publisher, events are in order, the password is nowhere, and every answer is right."""
    life = [
        ("ClientConnect", sent.connect("d1")),
        ("ClientAuthenticate", sent.client("d1")),
        ("ClientConnected", sent.client("d1")),
        ("ClientConnack", sent.connack("d1")),
        ("SessionCreated", sent.client("d1")),
        ("ClientSubscribe", sent.client("d1")),
        ("ClientAuthorize", sent.client("d1")),
        ("SessionSubscribed", sent.subscribed("d1", "a/#", 1)),
        *(("MessagePublish", sent.publish("d1", "t/1", b"%d" % n, props=version == 3)) for n in range(200)),
        ("MessagePublish", sent.publish("emqx", "$SYS/brokers", b"no")),
        ("MessageDelivered", sent.delivered("d1", "d2", "t/1", b"x")),
        ("MessageAcked", sent.delivered("d1", "d2", "t/1", b"x")),
        ("MessageDropped", sent.dropped("d1", "t/1", b"x", "no_subscribers")),
        ("ClientUnsubscribe", sent.client("d1")),
        ("SessionUnsubscribed", sent.unsubscribed("d1", "a/#")),
        ("SessionResumed", sent.client("d1")),
        ("SessionDiscarded", sent.client("d1")),
        ("SessionTakenover", sent.client("d1")),
        ("SessionTerminated", sent.ended("d1", "takenover")),
        ("ClientDisconnected", sent.ended("d1", "normal")),
    ]
    async with grpc.aio.insecure_channel(exhook.source["bind"]) as channel:
        wanted = await call(channel, "ProviderLoaded", sent.provider_loaded(), version=version)
        answers = [(rpc, await call(channel, rpc, request, version=version)) for rpc, request in life]
        await call(channel, "ProviderUnloaded", sent.message([(1, sent.META)]), version=version)

    assert sent.message([(1, [(1, "message.publish"), (2, "t/#")])]) in wanted
    valued = {"ClientAuthenticate", "ClientAuthorize", "MessagePublish"}
    assert all(answer == (b"\x08\x01" if rpc in valued else b"") for rpc, answer in answers)
    messages = await asyncio.to_thread(read, exhook.kafka, exhook.messages, 200)
    assert [(each.key(), each.value()) for each in messages] == [(b"d1", b"%d" % n) for n in range(200)]
    assert dict(messages[0].headers() or [])["clientid_from"] == b"exhook"
    events = await asyncio.to_thread(read, exhook.kafka, exhook.events, 9)
    assert [(dict(each.headers() or [])["event"].decode(), each.key()) for each in events] == [
        (name, b"d1")
        for name in (
            "client.connected", "session.created", "session.subscribed", "session.unsubscribed", "session.resumed",
            "session.discarded", "session.takenover", "session.terminated", "client.disconnected",
        )
    ]  # fmt: skip
    assert json.loads(events[0].value() or b"")["keepalive"] == 60
    everything = exhook.server.log.read_bytes() + b"".join(each.value() or b"" for each in [*messages, *events])
    assert sent.PASSWORD.encode() not in everything


@pytest.mark.real
@pytest.mark.parametrize(
    "exhook",
    [
        {"messages": ["t/#"], "buffer_records": 50},
        {"messages": ["t/#"], "buffer_bytes": 500_000},  # keys and headers count, and are small beside the payloads
        {"messages": ["t/#"], "buffer_records": 50, "when_full": "wait", "wait_timeout": "700ms"},
    ],
    indirect=True,
    ids=["records", "bytes", "wait"],
)
async def test_kafka_away_fills_the_buffer_and_no_more(exhook: ExHook) -> None:
    """Each call is answered at once or after its time limit, records beyond the bound are counted, and the rest
    arrives in order.
    """
    exhook.kafka.pause()
    try:
        async with grpc.aio.insecure_channel(exhook.source["bind"]) as channel:
            for number in range(50):
                await call(channel, "MessagePublish", sent.publish("d1", "t/1", b"%04d" % number * 2500))
            began = time.monotonic()
            await call(channel, "MessagePublish", sent.publish("d1", "t/1", b"one too many"))
            seconds = time.monotonic() - began
            page = await asyncio.to_thread(metrics, exhook)
    finally:
        exhook.kafka.resume()

    assert 'tidegate_ingress_messages_dropped_total{reason="queue_full",source="emqx"} 1.0' in page
    shortest, longest = (0.6, 3) if exhook.source.get("when_full") == "wait" else (0, 1)
    assert shortest <= seconds < patient(longest)
    messages = await asyncio.to_thread(read, exhook.kafka, exhook.messages, 50)
    assert [each.value() for each in messages] == [b"%04d" % number * 2500 for number in range(50)]


@pytest.mark.parametrize("exhook", [{"messages": ["t/#"]}], indirect=True, ids=[""])
async def test_bytes_that_are_no_request_are_refused_and_counted(exhook: ExHook) -> None:
    """Broken bytes get an error, and the next call is answered normally."""
    async with grpc.aio.insecure_channel(exhook.source["bind"]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(channel, "MessagePublish", b"\x0a\xff")
        await call(channel, "MessagePublish", sent.publish("d1", "t/1", b"x"))
    page = await asyncio.to_thread(metrics, exhook)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert 'tidegate_ingress_messages_dropped_total{reason="malformed",source="emqx"} 1.0' in page
    assert len(await asyncio.to_thread(read, exhook.kafka, exhook.messages, 1)) == 1


async def test_over_tls_only_clients_with_our_certificate_may_call(tmp_path: Path, exhook: ExHook) -> None:
    """With cacertfile, a caller without a certificate of that authority gets no answer."""
    certificate(tmp_path)
    pem, key = (tmp_path / "cert.pem").read_bytes(), (tmp_path / "key.pem").read_bytes()
    files = {"certfile": str(tmp_path / "cert.pem"), "keyfile": str(tmp_path / "key.pem")}
    exhook.server.stop()
    exhook.reconfigure(ssl={"enable": True, **files, "cacertfile": files["certfile"]})
    exhook.start()

    async with grpc.aio.secure_channel(exhook.source["bind"], grpc.ssl_channel_credentials(pem, key, pem)) as channel:
        wanted = await call(channel, "ProviderLoaded", sent.provider_loaded())
    async with grpc.aio.secure_channel(exhook.source["bind"], grpc.ssl_channel_credentials(pem)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(channel, "ProviderLoaded", sent.provider_loaded())

    assert b"client.connected" in wanted
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
