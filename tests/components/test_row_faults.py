"""Answers that no store of these tests gives by itself: to one row, which is to blame for them, and to all, which are not.

The proxy answers in the store's place to what has the hostile row's key in its path. Everything else is a real store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from pipeline.connectors.s3.store import S3Store
from tests.faults import checkers
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.lanes import ROWS, aggregated_lane, direct_lane, lettered, write
from tests.parts.part import S3Part
from tests.parts.stores import connector
from tests.parts.waiting import until

OPTIONS: Final = {"ssl": {"enable": False}, "max_retries": 0}
SHORT: Final = {**OPTIONS, "request_timeout": "400ms"}  # of requests that hang; what is not broken may take its time
HOSTILE: Final = 7
AT_ITS_KEY: Final = rf"/k/{HOSTILE}$"
ROWS_AND_PROBES: Final = "/[kx]/|_tidegate/probe"


@pytest.fixture
def proxy(s3: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(s3, seed=5) as started:
        yield started


def options(fault: Fault) -> dict[str, Any]:
    """How the store is asked while this fault is there."""
    return SHORT if fault.kind == "hang" else OPTIONS


def answer(status: int, code: str = "", path: str = AT_ITS_KEY) -> Fault:
    return Fault("error", methods=("PUT",), path=path, status=status, code=code)


async def keys(store: S3Store, bucket: str) -> list[str]:
    """All keys of rows."""
    found, more = await store.page(bucket, "")
    assert not more
    return [key for key in found if not key.startswith("_tidegate/")]


OF_THE_ROW: Final = {
    "400 without a code": (answer(400), "400"),
    "405": (answer(405, "MethodNotAllowed"), "MethodNotAllowed"),
    "405 without a code": (answer(405), "405"),
    "400 of an unknown code": (answer(400, "XOdd"), "XOdd"),
    "a directory": (answer(400, "DirectoryObjectContainsData"), "DirectoryObjectContainsData"),
    "an odd name": (answer(400, "InvalidURI"), "InvalidURI"),
    "too long": (answer(400, "KeyTooLongError"), "KeyTooLongError"),
    "the URL is too long": (answer(414), "414"),
    "500": (answer(500, "InternalError"), "InternalError"),
    "501": (answer(501, "NotImplemented"), "NotImplemented"),
    "403 of one key": (answer(403, "AccessDenied"), "AccessDenied"),
    "a wrong signature of one key": (answer(403, "SignatureDoesNotMatch"), "SignatureDoesNotMatch"),
    "silence": (Fault("hang", methods=("PUT",), path=AT_ITS_KEY), "timeout"),
    "cut": (Fault("cut_before", methods=("PUT",), path=AT_ITS_KEY), "connection"),
}


@pytest.mark.parametrize("name", OF_THE_ROW)
async def test_a_row_that_is_refused_alone_is_a_dead_letter(
    proxy: FaultyS3, clean: S3Store, bucket: str, name: str
) -> None:
    """At once, after some tries, or after its patience; those behind it, of its own client too, are written."""
    fault, cause = OF_THE_ROW[name]
    proxy.inject(fault)
    async with S3Store(connector(proxy.part, transport_options=options(fault))) as store:
        lane = direct_lane(store, bucket, key="k/${n}", patience="1s")
        await write(lane)

    assert lettered(lane) == {HOSTILE: cause}
    assert lane.durable == ROWS
    assert sorted(await keys(clean, bucket)) == sorted(f"k/{n}" for n in range(ROWS) if n != HOSTILE)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "RequestHeaderSectionTooLarge"), (431, ""), (400, "MetadataTooLarge"), (400, "InvalidTag")],
)
async def test_headers_that_the_row_has_made_are_its_own(proxy: FaultyS3, bucket: str, status: int, code: str) -> None:
    """Under a key that it has not made."""
    proxy.inject(answer(status, code, path="/k$"))
    async with S3Store(connector(proxy.part, transport_options=OPTIONS)) as store:
        lane = direct_lane(store, bucket, key="k", metadata={"n": "${n}"})
        await write(lane, rows=1)

    assert lettered(lane) == {0: code or str(status)}


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (403, "AccessDenied"), (403, "AllAccessDisabled")])
async def test_a_bucket_that_the_row_has_chosen(
    proxy: FaultyS3, clean: S3Store, bucket: str, status: int, code: str
) -> None:
    """Is tried so often, also where it can be read only; rows that choose another one are written."""
    other = f"{bucket}-1"
    await clean.create_bucket(other)
    proxy.inject(answer(status, code, path=f"/{bucket}-0/"))
    async with S3Store(connector(proxy.part, transport_options=OPTIONS)) as store:
        statement = f"SELECT payload.n AS n, concat('{bucket}-', str(payload.n mod 2)) AS b FROM \"t/#\""
        lane = direct_lane(store, "${b}", statements={"r": statement}, key="k/${n}")
        await write(lane, rows=6)

    assert lettered(lane) == dict.fromkeys((0, 2, 4), code)
    assert sorted(await keys(clean, other)) == ["k/1", "k/3", "k/5"]


OF_NOBODY: Final = {
    "a wrong secret": answer(403, "SignatureDoesNotMatch", path=ROWS_AND_PROBES),
    "an unknown key": answer(403, "InvalidAccessKeyId", path=ROWS_AND_PROBES),
    "forbidden": answer(403, "AccessDenied", path=ROWS_AND_PROBES),
    "no bucket": answer(404, "NoSuchBucket", path=ROWS_AND_PROBES),
    "a proxy without a store": answer(404, path=ROWS_AND_PROBES),
    "a broken proxy": answer(400, path=ROWS_AND_PROBES),
    "not allowed": answer(405, path=ROWS_AND_PROBES),
    "out of order": answer(500, "InternalError", path=ROWS_AND_PROBES),
    "full": answer(507, "XMinioStorageFull", path=ROWS_AND_PROBES),
    "silent": Fault("hang", methods=("PUT",), path=ROWS_AND_PROBES),
    "away": Fault("refuse"),
    "one key is throttled": answer(503, "SlowDown"),
}


OF_NO_GROUP: Final = ("a wrong secret", "a broken proxy", "out of order", "away")


@pytest.mark.parametrize(
    ("kind", "name"), [*(("direct", name) for name in OF_NOBODY), *(("aggregated", name) for name in OF_NO_GROUP)]
)
async def test_a_fault_of_the_store_or_of_a_person_waits_and_loses_nothing(
    proxy: FaultyS3, clean: S3Store, bucket: str, kind: str, name: str
) -> None:
    """Far beyond a row's patience and tries; and when it is over everything is written, and nothing was given up."""
    fault = OF_NOBODY[name]
    proxy.inject(fault)
    async with S3Store(connector(proxy.part, transport_options=options(fault))) as store:
        lane: Any = (
            direct_lane(store, bucket, key="k/${n}", patience="1s")
            if kind == "direct"
            else aggregated_lane(store, bucket, key="x/${clientid}.jsonl")
        )
        writing = asyncio.create_task(write(lane))
        tries = 12 if name == "one key is throttled" or kind == "aggregated" else 40
        await until(lambda: len([each for each in proxy.seen if each.fault]) >= tries, 40)
        given_up, durable = lettered(lane), lane.durable
        proxy.heal()
        await writing

    assert (given_up, lettered(lane)) == ({}, {})
    assert durable in {None, 0, HOSTILE}
    assert lane.durable == ROWS
    contents = [await clean.get(bucket, key) or b"" for key in await keys(clean, bucket)]
    rows = [orjson.loads(line) for content in contents for line in content.splitlines()]
    assert sorted(row if kind == "direct" else row["n"] for row in rows) == list(range(ROWS))


@pytest.mark.parametrize(
    ("status", "code", "cause"), [(400, "", "400"), (400, "KeyTooLongError", "KeyTooLongError"), (405, "", "405")]
)
async def test_rows_of_a_group_that_is_refused_alone_are_dead_letters(
    proxy: FaultyS3, clean: S3Store, bucket: str, status: int, code: str, cause: str
) -> None:
    """All of them; the chain goes on, and its counts add up."""
    proxy.inject(answer(status, code, path="/x/c3"))
    async with S3Store(connector(proxy.part, transport_options=OPTIONS)) as store:
        statement = {"r": "SELECT payload.n AS n, concat('c', str(payload.n mod 5)) AS c FROM \"t/#\""}
        lane = aggregated_lane(store, bucket, statement, key="x/${c}.jsonl")
        await write(lane)

    hostile = set(range(3, ROWS, 5))
    assert lettered(lane) == dict.fromkeys(hostile, cause)
    assert lane.durable == ROWS
    found, _ = await clean.page(bucket, "")
    contents = {key: await clean.get(bucket, key) or b"" for key in found}
    written = [row["n"] for content in checkers.data_objects(contents).values() for row in checkers.rows_of(content)]
    assert sorted(written) == [n for n in range(ROWS) if n not in hostile]
    assert checkers.conservation(contents, "n") == []
    entries = [orjson.loads(body) for key, body in contents.items() if key.endswith(".000000.json")]
    assert sum(each["dead_lettered"] for each in entries) == len(hostile)
