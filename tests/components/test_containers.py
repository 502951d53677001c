"""Each container with a real worker: other programs read the objects, and `verify --deep` reads them too."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.components.pipeline_parts import Make, aggregated, message
from tests.faults import checkers

pytestmark = pytest.mark.real

SCHEMA = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "n", "type": "long"},
        {"name": "clientid", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "note", "type": ["null", "string"]},
    ],
}
DECLARED = {"type": "parquet", "schema": {"type": "avro_inline", "def": json.dumps(SCHEMA)}}
CONTAINERS: dict[str, dict[str, Any]] = {
    "csv": {"container": {"type": "csv", "column_order": ["n", "never"]}, "compression": "gzip"},
    "raw": {"container": {"type": "raw_lines", "field": "payload"}, "compression": "zstd"},
    "declared": {"container": DECLARED},
    "inferred": {"container": {"type": "parquet", "default_compression": "zstd"}},
}
SQL = 'SELECT payload.n AS n, clientid, payload, payload.at AS at, payload.note AS note FROM "t/#"'


def test_other_programs_read_what_the_worker_wrote(make: Make) -> None:
    """Each container holds every row once, and a row that does not fit a column is a dead letter of its action only."""
    pipeline = make(
        actions={
            name: aggregated("boxes", name + "/${partition}-${offset}.x", rows_max=40, **parameters)
            for name, parameters in CONTAINERS.items()
        },
        rules={"r": (SQL, list(CONTAINERS))},
    )
    pipeline.prepare("boxes")
    readings = [{"n": number, "at": 1_700_000_000_000_000 + number, "note": 'a "b",\nc'} for number in range(300)]
    payloads = [json.dumps(each).encode() for each in [*readings, {"n": "many", "at": 0}]]
    pipeline.produce([message(f"c{number % 20}", payload) for number, payload in enumerate(payloads)])
    worker = pipeline.worker()
    for name in CONTAINERS:
        pipeline.wait_for_no_lag(name)
    worker.stop()

    objects = checkers.data_objects(pipeline.objects("boxes"))
    contents = {name: [objects[key] for key in sorted(objects) if key.startswith(f"{name}/")] for name in CONTAINERS}
    expected = list(range(300))

    cells = [row for content in contents["csv"] for row in csv.DictReader(io.StringIO(_gunzip(content), newline=""))]
    assert sorted(int(row["n"]) for row in cells if row["n"] != "many") == expected
    assert {row["never"] for row in cells} == {""}
    assert {row["note"] for row in cells if row["n"] != "many"} == {'a "b",\nc'}

    unpacked = b"".join(
        pa.input_stream(pa.py_buffer(content), compression="zstd").read() for content in contents["raw"]
    )
    assert sorted(unpacked.splitlines()) == sorted(payloads)

    tables = {name: [pq.read_table(io.BytesIO(each)) for each in contents[name]] for name in ("declared", "inferred")}
    rows = [row for table in tables["declared"] for row in table.to_pylist()]
    assert sorted(row["n"] for row in rows) == expected
    assert all(row["at"].microsecond == row["n"] for row in rows)
    assert sum(table.num_rows for table in tables["inferred"]) == 301

    [letter] = pipeline.dead_letters()
    headers = dict(letter.headers() or [])
    assert b"column n: expected an integer of 64 bits, found string 'many'" in b" ".join(map(bytes, headers.values()))

    proof = pipeline.command("verify", "--deep", "--sweep")
    assert proof.returncode == 0, proof.stdout + proof.stderr


def _gunzip(content: bytes) -> str:
    return gzip.decompress(content).decode()
