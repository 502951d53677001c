"""`tidegate verify` on what a worker really wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.components.pipeline_parts import Make, Pipeline, aggregated, direct, message

pytestmark = pytest.mark.real


def written(make: Make, bucket: str) -> Pipeline:
    """Four hundred messages of which half are wanted, in objects of at most fifty rows, and one that cannot be evaluated."""
    pipeline = make(
        actions={
            "rows": aggregated(bucket, "rows/${partition}-${offset}.jsonl", rows_max=50, compression="gzip"),
            "raw": direct(bucket, "raw/${id}"),
        },
        rules={"r": ('SELECT payload.n AS n, id FROM "t/#" WHERE payload.n mod 2 = 0', ["rows", "raw"])},
    )
    pipeline.prepare(bucket)
    payloads = [json.dumps({"n": number}).encode() for number in range(400)]
    pipeline.produce([message(f"c{number % 20}", payload) for number, payload in enumerate([*payloads, b"not json"])])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    pipeline.wait_for_no_lag("raw")
    worker.stop()
    return pipeline


def reports(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_a_worker_wrote_is_proven_from_the_bucket(make: Make) -> None:
    """Exit status 0 and one line that says so, also by --deep and --sweep; then a copy beside an object is found, and stays."""
    pipeline = written(make, "verify-good")

    found = pipeline.command("verify", "--deep", "--sweep")

    assert found.returncode == 0, found.stdout + found.stderr
    last = found.stdout.splitlines()[-1]
    assert last.startswith("nothing lost, nothing twice: 4 partitions"), found.stdout
    assert "200 rows of 401 records (200 filtered, 1 dead-lettered)" in last
    assert "raw: direct upload keeps no ledger" in found.stdout

    key = next(key for key in pipeline.keys("verify-good") if key.startswith("rows/"))
    pipeline.store.copy_object(Bucket="verify-good", CopySource=f"verify-good/{key}", Key=f"{key}.part")
    pipeline.store.put_object(Bucket="verify-good", Key="rows/of/somebody.txt", Body=b"else")

    swept = pipeline.command("verify", "--action", "rows", "--sweep")

    assert f"ORPHAN {key}.part" in swept.stdout, swept.stdout
    assert "rows: 1 objects below rows/ are not of this action" in swept.stdout
    assert {f"{key}.part", "rows/of/somebody.txt"} <= set(pipeline.keys("verify-good"))


def test_a_lost_object_is_found(make: Make) -> None:
    """Exit status 1, and a finding that names the object, in either form; other partitions are as good as they were."""
    pipeline = written(make, "verify-bad")
    lost = next(key for key in pipeline.keys("verify-bad") if key.startswith("rows/"))
    partition = lost.removeprefix("rows/").partition("-")[0]
    pipeline.store.delete_object(Bucket="verify-bad", Key=lost)

    as_text = pipeline.command("verify", "--action", "rows")
    as_json = pipeline.command("verify", "--action", "rows", "--output", "jsonl", "--partition", partition)
    others = pipeline.command(
        "verify", *[f"--partition={number}" for number in range(4) if str(number) != partition], "--action=rows"
    )

    assert (as_text.returncode, as_json.returncode, others.returncode) == (1, 1, 0), as_text.stderr + others.stdout
    assert f"MISSING {lost}" in as_text.stdout
    assert [(each["finding"], each["key"]) for each in reports(as_json.stdout) if "finding" in each] == [
        ("missing", lost)
    ]
    assert reports(as_json.stdout)[-1]["findings"] == 1


def test_a_ledger_that_is_gone_is_found(make: Make) -> None:
    """The objects of its partition are named with what is missing; the other partitions are proven as before."""
    pipeline = written(make, "verify-gone")
    for key in pipeline.keys("verify-gone"):
        if key.startswith("_tidegate/rows/") and "/2/" in key:
            pipeline.store.delete_object(Bucket="verify-gone", Key=key)

    found = pipeline.command("verify", "--action", "rows", "--sweep")

    assert found.returncode == 1, found.stdout + found.stderr
    assert "NO_LEDGER rows/2-" in found.stdout
    assert "objects of partition 2 of" in found.stdout
    assert "1 findings in 3 partitions" in found.stdout
    assert any(key.startswith("rows/2-") for key in pipeline.keys("verify-gone")), "sweeping left the only copy"


def test_one_spoilt_entry_is_named_and_ends_nothing(make: Make) -> None:
    """Bytes that are not an entry: its key is said, and all other partitions are proven."""
    pipeline = written(make, "verify-spoilt")
    spoilt = next(key for key in pipeline.keys("verify-spoilt") if key.startswith("_tidegate/rows/") and "/1/0" in key)
    pipeline.store.put_object(Bucket="verify-spoilt", Key=spoilt, Body=b'{"first": 1')

    found = pipeline.command("verify", "--action", "rows")

    assert (found.returncode, "Traceback" in found.stderr) == (1, False), found.stderr
    assert f"UNREADABLE {spoilt}" in found.stdout
    assert sum(f"/{number}: offsets 0 to " in found.stdout for number in (0, 2, 3)) == 3, found.stdout


def test_objects_of_direct_upload_are_proven_as_far_as_can_be(make: Make) -> None:
    """One that was cut short is found, and one whose bytes changed by --deep; what is not proven is said."""
    pipeline = written(make, "verify-direct")
    good = pipeline.command("verify", "--action", "raw", "--deep")
    first, second = [key for key in pipeline.keys("verify-direct") if key.startswith("raw/")][:2]
    cut = pipeline.store.get_object(Bucket="verify-direct", Key=first)
    pipeline.store.put_object(Bucket="verify-direct", Key=first, Body=cut["Body"].read()[:-1], Metadata=cut["Metadata"])
    other = pipeline.store.get_object(Bucket="verify-direct", Key=second)
    pipeline.store.put_object(
        Bucket="verify-direct", Key=second, Body=b"x" * other["ContentLength"], Metadata=other["Metadata"]
    )

    bad, worse = pipeline.command("verify", "--action", "raw"), pipeline.command("verify", "--action", "raw", "--deep")

    assert good.returncode == 0, good.stdout + good.stderr
    assert "raw: 200 objects" in good.stdout
    assert "raw: direct upload keeps no ledger: that no object is missing cannot be proven" in good.stdout
    assert good.stdout.splitlines()[-1] == "200 objects of direct upload are whole, and no row is in two of them"
    assert (bad.returncode, worse.returncode) == (1, 1)
    assert (f"DIFFERENT {first}" in bad.stdout, f"DIFFERENT {second}" in bad.stdout) == (True, False)
    assert f"DIFFERENT {second}" in worse.stdout


def test_buckets_of_the_rows_own_and_one_ledger(make: Make) -> None:
    """One action writes to a bucket for each site; the ledger is in one of its own, and proves, finds and repairs all of them."""
    sites = ["site-a", "site-b", "site-c"]
    action = aggregated("many-${site}", "x/${partition}-${offset}.jsonl", rows_max=20, ledger_bucket="many-ledger")
    pipeline = make(
        actions={"rows": action}, rules={"r": ('SELECT payload.site AS site, payload.n AS n FROM "t/#"', ["rows"])}
    )
    pipeline.prepare("many-ledger", *(f"many-{site}" for site in sites))
    rows: list[dict[str, Any]] = [{"site": sites[number % 3], "n": number} for number in range(300)] + [
        {"site": "no/bucket", "n": 0}
    ]
    pipeline.produce([message(f"c{row['n'] % 20}", json.dumps(row).encode()) for row in rows])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    worker.stop()

    for at, site in enumerate(sites):
        found = b"".join(pipeline.objects(f"many-{site}").values()).splitlines()
        assert sorted(json.loads(line)["n"] for line in found) == list(range(at, 300, 3)), site
    assert all(key.startswith("_tidegate/") for key in pipeline.keys("many-ledger"))
    good = pipeline.command("verify", "--deep", "--sweep")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "300 rows of 301 records (0 filtered, 1 dead-lettered)" in good.stdout
    lost = next(key for key in pipeline.keys("many-site-b") if key.startswith("x/"))
    pipeline.store.delete_object(Bucket="many-site-b", Key=lost)
    assert pipeline.command("verify").returncode == 1
    repaired = pipeline.command("replay", "rows", "--from", "0", "--yes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert pipeline.command("verify", "--deep").returncode == 0


def test_a_bucket_that_cannot_be_read_is_an_error_and_no_proof(make: Make) -> None:
    """Exit status 2, and what is wrong in one line."""
    pipeline = make(actions={"rows": aggregated("no-such-bucket", "x")}, rules={"r": ('SELECT * FROM "t/#"', ["rows"])})

    found = pipeline.command("verify")

    assert found.returncode == 2
    assert "NoSuchBucket" in found.stderr, found.stderr
    assert "Traceback" not in found.stderr


def test_a_device_whose_name_the_store_refuses_holds_nobody_up(make: Make) -> None:
    """Its clientid is too long for a name between slashes here: its rows are dead letters, all others are in the bucket."""
    bucket = "refused"
    pipeline = make(
        actions={"rows": aggregated(bucket, "x/${clientid}/rows.jsonl", rows_max=5)},
        rules={"r": ('SELECT payload.n AS n, clientid FROM "t/#"', ["rows"])},
    )
    pipeline.prepare(bucket)
    clients = ["good", "d" * 300, "e" * 2000]
    pipeline.produce([message(clients[number % 3], b'{"n": %d}' % number, topic="t/1") for number in range(60)])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    worker.stop()

    found = b"".join(content for key, content in pipeline.objects(bucket).items() if key.startswith("x/")).splitlines()
    assert sorted(json.loads(line)["n"] for line in found) == list(range(0, 60, 3))
    assert len(pipeline.dead_letters()) == 40
    proof = pipeline.command("verify", "--deep")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "20 rows of 60 records (0 filtered, 40 dead-lettered)" in proof.stdout

    pipeline.rules["r"] = ('SELECT payload.n AS n, 1 AS again, clientid FROM "t/#"', ["rows"])
    again = pipeline.command("replay", "rows", "--from", "0", "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "left out: 20 times rows" in again.stdout
    proof = pipeline.command("verify", "--deep")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "20 rows of 60 records (0 filtered, 40 dead-lettered)" in proof.stdout
