"""A pipeline that has something to prove: rows, letters with hostile texts, and objects of both kinds of upload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.components.pipeline_parts import Pipeline, aggregated, direct, lines, message

BUCKET: Final = "evidence"
WRONG: Final = 'SELECT payload.n * 2 AS n, clientid FROM "t/#" WHERE payload.at != 7'
MENDED: Final = 'SELECT 0 AS n, clientid FROM "t/#" WHERE payload.at != 7'
HOSTILE: Final = '<img src=x onerror="alert(1)">'
EVIDENCE: Final[Mapping[str, Any]] = {
    "control": True,
    "actions": {
        "hot": aggregated(BUCKET, "hot/${partition}-${offset}.jsonl.gz", seconds=1, compression="gzip"),
        "raw": direct(BUCKET, "raw/${payload.at}.json", content="${payload}"),
    },
    "rules": {"wrong": (WRONG, ["hot"]), "all": ('SELECT * FROM "t/#"', ["raw"])},
}


def written(pipeline: Pipeline, bucket: str = BUCKET) -> None:
    """Sixty messages: 29 rows and thirty letters of one action, sixty objects of the other. The worker goes on."""
    pipeline.prepare(bucket)
    pipeline.apply()
    pipeline.worker(wait=False)
    payloads = [{"at": number, "n": number if number % 2 else HOSTILE} for number in range(60)]
    pipeline.produce(
        [message(f"{HOSTILE}{each['at'] % 5}", json.dumps(each).encode(), topic="t/x") for each in payloads]
    )
    for action in ("hot", "raw"):
        pipeline.wait_for_no_lag(action)


def applied(pipeline: Pipeline, revision: int) -> bool:
    """Whether the worker has this revision."""
    found = lines(pipeline.workers[0])
    return any(each["event"] == "config.applied" and each["revision"] >= revision for each in found)
