"""The invariants, one function each, over what is in the bucket: nothing here knows how it came there.

Each returns the list of what is wrong, empty when all is well, so that a test can show everything at once.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ENTRY = re.compile(
    r"_tidegate/(?P<action>[^/]+)/(?P<topic>[^/]+)/(?P<partition>\d+)/(?P<first>\d{20})\.(?P<epoch>\d+)\.json"
)


@dataclass(frozen=True)
class Cut:
    """A ledger entry as it lies in the bucket."""

    partition: tuple[str, str, int]
    fields: dict[str, Any]


def cuts(bucket: Mapping[str, bytes]) -> list[Cut]:
    """All ledger entries, in order of partition, offset and epoch."""
    found = []
    for key in sorted(bucket):
        match = _ENTRY.fullmatch(key)
        if match:
            place = match["action"], match["topic"], int(match["partition"])
            found.append(Cut(place, json.loads(bucket[key])))
    return found


def unbroken_chain(bucket: Mapping[str, bytes], partition: tuple[str, str, int], first: int, end: int) -> list[str]:
    """The entries of a partition lead from `first` to `end` without gap or overlap."""
    at, wrong = first, []
    for cut in cuts(bucket):
        if cut.partition == partition:
            if cut.fields["first"] != at:
                wrong.append(f"entry begins at {cut.fields['first']}, the one before ends at {at}")
            at = cut.fields["next"]
    if at != end:
        wrong.append(f"the chain ends at {at}, expected {end}")
    return wrong


def conservation(bucket: Mapping[str, bytes]) -> list[str]:
    """Every entry counts: read = written + filtered + dead-lettered; and names as many rows as its objects hold."""
    wrong = []
    for cut in cuts(bucket):
        fields = cut.fields
        rows = sum(each["rows"] for each in fields["objects"])
        if rows != fields["rows"]:
            wrong.append(f"entry {fields['first']}: {fields['rows']} rows, its objects {rows}")
        if fields["records"] < fields["filtered"] + fields["dead_lettered"]:
            wrong.append(f"entry {fields['first']}: more filtered and dead-lettered than read")
    return wrong


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The rows of a JSON Lines object, compressed or not."""
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return [json.loads(line) for line in text.splitlines()]


def named_objects(bucket: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Objects that the ledger names, by key."""
    return {each["key"]: each for cut in cuts(bucket) for each in cut.fields["objects"]}


def data_objects(bucket: Mapping[str, bytes]) -> dict[str, bytes]:
    """Everything in the bucket that is not the ledger."""
    return {key: content for key, content in bucket.items() if not key.startswith("_tidegate/")}


def whole_objects(bucket: Mapping[str, bytes]) -> list[str]:
    """Each object that the ledger names is there with as many rows as it says."""
    wrong = []
    for key, facts in named_objects(bucket).items():
        if key not in bucket:
            wrong.append(f"{key} is missing")
        elif len(rows_of(bucket[key])) != facts["rows"]:
            wrong.append(f"{key} holds {len(rows_of(bucket[key]))} rows, the ledger says {facts['rows']}")
    return wrong


def no_orphans(bucket: Mapping[str, bytes]) -> list[str]:
    """No object lies beside the ledger."""
    return [f"{key} is in no entry" for key in data_objects(bucket).keys() - named_objects(bucket).keys()]


def exactly_once(bucket: Mapping[str, bytes], expected: list[Any], identity: str) -> list[str]:
    """The objects hold each expected row once. `identity` names the field that tells rows apart."""
    found: dict[Any, int] = {}
    for content in data_objects(bucket).values():
        for row in rows_of(content):
            found[row[identity]] = found.get(row[identity], 0) + 1
    wrong = [f"lost {each}" for each in expected if each not in found]
    wrong += [f"{count} times {each}" for each, count in found.items() if count > 1]
    return wrong + [f"unexpected {each}" for each in found.keys() - set(expected)]
