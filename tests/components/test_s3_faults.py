"""Direct and aggregated upload stay correct through every fault of network and store, and report the fault."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import structlog
from prometheus_client import REGISTRY

from agents.sinks.attempts import Attempts
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import RetryableError
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.lanes import ROWS, aggregated_lane, direct_lane, write
from tests.parts.part import S3Part
from tests.parts.stores import connector, keys_in

OPTIONS = {"ssl": {"enable": False}, "request_timeout": "400ms", "max_retries": 1}

FAULTS = {
    "cut before the store saw it": [Fault("cut_before", chance=0.3)],
    "cut in the middle": [Fault("cut_midway", methods=("PUT", "POST"), chance=0.3)],
    "cut after the bytes were sent": [Fault("cut_sent", methods=("PUT", "POST"), chance=0.3)],
    "every answer to a success lost": [Fault("lose_answer", methods=("PUT", "POST"))],
    "answers cut short": [Fault("cut_answer", chance=0.3)],
    "hanging": [Fault("hang", times=3)],
    "hanging after success": [Fault("hang_after", methods=("PUT",), times=3)],
    "slow down": [Fault("error", chance=0.4)],
    "internal error": [Fault("error", chance=0.3, status=500, code="InternalError")],
    "conflict": [Fault("error", chance=0.3, methods=("PUT",), status=409, code="ConditionalRequestConflict")],
    "operation aborted": [Fault("error", chance=0.3, status=409, code="OperationAborted")],
    "forbidden for a while": [Fault("error", times=2, status=403, code="AccessDenied")],
    "clock said to be skewed": [Fault("error", times=2, status=403, code="RequestTimeTooSkewed")],
    "credentials said to be expired": [Fault("error", chance=0.3, status=400, code="ExpiredToken")],
    "no bucket for a while": [Fault("error", methods=("PUT",), times=2, status=404, code="NoSuchBucket")],
    "late and in small pieces": [Fault("trickle", chance=0.2, seconds=0.1), Fault("delay", chance=0.2, seconds=0.1)],
    "refused connections": [Fault("refuse", chance=0.5), Fault("cut_before", chance=0.2)],
    "everything": [
        Fault("lose_answer", chance=0.2), Fault("cut_midway", chance=0.1), Fault("error", chance=0.1),
        Fault("cut_answer", chance=0.1), Fault("hang_after", chance=0.05), Fault("refuse", chance=0.2),
    ],
}  # fmt: skip


@pytest.fixture
def proxy(s3: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(s3, seed=11) as started:
        yield started


@pytest.mark.parametrize("name", FAULTS)
async def test_direct_upload_ends_with_the_last_value_of_each_client(
    proxy: FaultyS3, clean: S3Store, bucket: str, name: str
) -> None:
    """Each key ends with the last value of its client."""
    proxy.inject(*FAULTS[name])
    async with S3Store(connector(proxy.part, transport_options=OPTIONS)) as store:
        lane = direct_lane(store, bucket)
        await write(lane)

    assert lane.durable == ROWS
    assert [await clean.get(bucket, f"k/c{client}") for client in range(5)] == [
        b"%d" % n for n in range(ROWS - 5, ROWS)
    ]
    assert any(each.fault for each in proxy.seen)


@pytest.mark.parametrize("name", FAULTS)
async def test_aggregated_upload_holds_each_row_once(proxy: FaultyS3, clean: S3Store, bucket: str, name: str) -> None:
    """Objects hold each row once, and the ledger has no gap."""
    proxy.inject(*FAULTS[name])
    async with S3Store(connector(proxy.part, transport_options=OPTIONS)) as store:
        lane = aggregated_lane(store, bucket)
        await write(lane)

    content = [await clean.get(bucket, key) for key in await keys_in(clean, bucket, "x/")]
    assert sorted(orjson.loads(line)["n"] for each in content for line in (each or b"").splitlines()) == list(
        range(ROWS)
    )
    assert lane.durable == ROWS
    assert any(each.fault for each in proxy.seen)


async def test_parts_that_fail_are_tried_again_as_one_object(proxy: FaultyS3, clean: S3Store, bucket: str) -> None:
    """If start, part and completion fail in turn, the result is one object without leftover parts."""
    proxy.inject(
        Fault("error", methods=("POST",), path="uploads", times=1),
        Fault("cut_midway", methods=("PUT",), path="partNumber=2", times=3),
        Fault("lose_answer", methods=("POST",), path="uploadId", times=1),
    )
    body = b"0123456789abcdef" * 700_000
    options = OPTIONS | {"request_timeout": "20s"}
    async with S3Store(connector(proxy.part, transport_options=options)) as store:
        attempts = Attempts("parts", cap_seconds=0.2)
        created = await attempts.until_done(lambda: store.create(bucket, "big", body, {}, part_bytes=5 << 20))

    assert created is None  # the lost answer said that it was created
    assert await clean.get(bucket, "big") == body
    assert await clean.uploads(bucket, "") == []


async def test_status_log_and_metrics_say_why(proxy: FaultyS3, bucket: str) -> None:
    """Each change of state is one line, and each reason is counted."""
    refused = {"methods": ("PUT",), "status": 403, "code": "AccessDenied"}
    proxy.inject(Fault("error", path="/k/", times=4, **refused), Fault("error", path="_tidegate/probe", **refused))
    with structlog.testing.capture_logs() as lines:
        options = OPTIONS | {"request_timeout": "20s"}  # a request that takes too long would be a reason of its own
        async with S3Store(connector(proxy.part, transport_options=options)) as store:
            await write(direct_lane(store, bucket, action="says-why"), rows=1)

    labels = {"action": "says-why", "reason": "AccessDenied"}
    assert REGISTRY.get_sample_value("tidegate_worker_action_failures_total", labels) == 4
    assert REGISTRY.get_sample_value("tidegate_worker_action_connected", {"action": "says-why"}) == 1
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("action.disconnected", "AccessDenied"),
        ("action.connected", None),
    ]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of our own for 127.0.0.1, and its key."""
    paths = tmp_path / "ca.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return paths


async def test_tls_with_a_private_authority(s3: S3Part, bucket: str, certificate: tuple[Path, Path]) -> None:
    """With the authority's file TLS works, and without it the error says TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with FaultyS3(s3, tls=context) as proxy:
        trusting = {"ssl": {"enable": True, "cacertfile": str(certificate[0])}, "max_retries": 0}
        async with S3Store(connector(proxy.part, transport_options=trusting)) as store:
            await store.put(bucket, "k", b"1", {})
            await store.check(bucket)
            assert await store.get(bucket, "k") == b"1"
        async with S3Store(
            connector(proxy.part, transport_options={"ssl": {"enable": True}, "max_retries": 0})
        ) as store:
            with pytest.raises(RetryableError, match="certificate") as refused:
                await store.put(bucket, "k", b"2", {})
        proxy.inject(Fault("refuse"))
        async with S3Store(connector(proxy.part, transport_options=trusting)) as store:
            with pytest.raises(RetryableError) as broken:
                await store.put(bucket, "k", b"2", {})

    assert refused.value.reason == "tls"
    assert broken.value.reason in {"tls", "connection"}


async def test_a_name_that_nobody_knows_and_a_closed_port_have_reasons_of_their_own(s3: S3Part) -> None:
    """An unknown name and a closed port have different reasons."""
    for changes, reason in (({"host": "no-such-host.invalid"}, "dns"), ({"port": 1}, "refused")):
        async with S3Store(connector(s3, **changes)) as store:
            with pytest.raises(RetryableError) as caught:
                await store.put("b-1", "k", b"", {})
            assert caught.value.reason == reason
