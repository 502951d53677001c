"""The invariants over the content of a bucket, one function each. They do not know how the content came there."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow.parquet as pq

_ENTRY = re.compile(
    r"_tidegate/(?P<action>[^/]+)/(?P<topic>[^/]+)/(?P<topic_id>[^/]+)/(?P<partition>\d+)/(?P<first>\d{20})\.(?P<epoch>\d+)\.json"
)

_TYPES = {"bool": "boolean", "double": "double", "string": "string"}  # the ledger's words for Arrow's


@dataclass(frozen=True)
class Cut:
    """A ledger entry as it lies in the bucket."""

    partition: tuple[str, str, int]
    fields: dict[str, Any]
    topic_id: str = "-"


def cuts(bucket: Mapping[str, bytes]) -> list[Cut]:
    """All ledger entries, in order of partition, offset and epoch."""
    found = []
    for key in sorted(bucket):
        match = _ENTRY.fullmatch(key)
        if match:
            place = match["action"], match["topic"], int(match["partition"])
            found.append(Cut(place, json.loads(bucket[key]), match["topic_id"]))
    return found


def unbroken_chain(
    bucket: Mapping[str, bytes], partition: tuple[str, str, int], first: int, end: int | None, topic_id: str = ""
) -> list[str]:
    """The entries of a partition lead from `first` to `end` (None: wherever) without gap or overlap. `topic_id`: only of that."""
    at, wrong = first, []
    for cut in cuts(bucket):
        if cut.partition == partition and topic_id in ("", cut.topic_id):
            if cut.fields["first"] != at:
                wrong.append(f"entry begins at {cut.fields['first']}, the one before ends at {at}")
            at = cut.fields["next"]
    if end is not None and at != end:
        wrong.append(f"the chain ends at {at}, expected {end}")
    return wrong


def covered(bucket: Mapping[str, bytes], partition: tuple[str, str, int], offset: int, topic_id: str = "") -> list[str]:
    """Check that a commit of `offset` is covered by the ledger. Call it at the time of the commit."""
    of = [cut for cut in cuts(bucket) if cut.partition == partition and topic_id in ("", cut.topic_id)]
    ends = [cut.fields["next"] for cut in of]
    if not ends:  # a chain that has begun and has no cut yet
        prefix = f"_tidegate/{partition[0]}/{partition[1]}/"
        starts = [key for key in bucket if key.startswith(prefix) and key.endswith(f"/{partition[2]}/start.json")]
        ends = [json.loads(bucket[key])["first"] for key in starts if topic_id in ("", key.split("/")[3])]
    reached = max(ends, default=0)
    return [] if offset <= reached else [f"{offset} is committed, the ledger reaches {reached}"]


def conservation(bucket: Mapping[str, bytes], record: str = "") -> list[str]:
    """Every entry counts: read = written + filtered + dead-lettered; and names as many rows as its objects hold.

    `record` names the field that tells a row's record, so that the records which have rows can be counted in the objects.
    """
    wrong = []
    for cut in cuts(bucket):
        fields = cut.fields
        rows = sum(each["rows"] for each in fields["objects"])
        if rows != fields["rows"]:
            wrong.append(f"entry {fields['first']}: {fields['rows']} rows, its objects {rows}")
        written = fields["records"] - fields["filtered"] - fields["dead_lettered"]
        missing = sum(following - first for first, following in fields["missing"])
        if fields["records"] + fields["absent"] + missing != fields["next"] - fields["first"]:
            wrong.append(
                f"entry {fields['first']}: {fields['records']} records, {fields['absent']} absent, {missing} missing"
            )
        if written < 0:
            wrong.append(f"entry {fields['first']}: more filtered and dead-lettered than read")
        if record:
            contents = [rows_of(bucket[each["key"]]) for each in fields["objects"] if each["key"] in bucket]
            found = len({row[record] for content in contents for row in content})
            # An object of a worker that read a record before Kafka deleted it is adopted with its row.
            if not written <= found <= written + missing:
                wrong.append(f"entry {fields['first']}: {written} records written, rows of {found} in its objects")
    return wrong


def missing_is_true(bucket: Mapping[str, bytes], deleted: Callable[[Cut, int], bool]) -> list[str]:
    """What entries call missing was deleted by Kafka: `deleted` tells of an offset of a cut's topic."""
    return [
        f"entry {cut.fields['first']}: {offset} is called missing, and Kafka has it"
        for cut in cuts(bucket)
        for first, following in cut.fields["missing"]
        for offset in range(first, following)
        if not deleted(cut, offset)
    ]


def absent_is_true(bucket: Mapping[str, bytes], holds_none: Callable[[Cut, int], bool]) -> list[str]:
    """What entries call absent are offsets at which Kafka has no record, and was not made to forget one."""
    wrong = []
    for cut in cuts(bucket):
        missing = {offset for first, following in cut.fields["missing"] for offset in range(first, following)}
        left = set(range(cut.fields["first"], cut.fields["next"])) - missing
        found = sum(holds_none(cut, offset) for offset in left)
        if found != cut.fields["absent"]:
            wrong.append(f"entry {cut.fields['first']}: {cut.fields['absent']} absent, and {found} hold no record")
    return wrong


def revisions_never_fall(bucket: Mapping[str, bytes], versions: Sequence[str]) -> list[str]:
    """Along a chain the configuration's revision never falls, and a rule takes effect that is that revision's.

    `versions`: by revision, the digest of the version that it has.
    """
    wrong, before = [], dict[tuple[Any, str], int]()
    for cut in cuts(bucket):
        fields, chain = cut.fields, (cut.partition, cut.topic_id)
        if fields["revision"] < before.get(chain, 0):
            wrong.append(f"entry {fields['first']}: revision {fields['revision']} after {before[chain]}")
        if fields["next_version"] not in (fields["version"], versions[fields["revision"]]):
            wrong.append(
                f"entry {fields['first']}: a rule that is not that of revision {fields['revision']} takes effect"
            )
        before[chain] = fields["revision"]
    return wrong


def objects_not_later(bucket: Mapping[str, bytes], revision_of: Callable[[str], int]) -> list[str]:
    """No entry has a lower revision than an object that it names. `revision_of` gives that of the object with a key."""
    return [
        f"entry {cut.fields['first']}: revision {cut.fields['revision']}, and {each['key']} is of {revision_of(each['key'])}"
        for cut in cuts(bucket)
        for each in cut.fields["objects"]
        if each["key"] in bucket and revision_of(each["key"]) > cut.fields["revision"]
    ]


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The rows of an object: Parquet, or JSON Lines, compressed or not."""
    if content[:4] == b"PAR1":
        return _table(content).to_pylist()
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return [json.loads(line) for line in text.splitlines()]


@lru_cache(maxsize=2000)  # a story looks at each object many times
def _table(content: bytes) -> Any:
    return pq.read_table(io.BytesIO(content))


def columns_kept(bucket: Mapping[str, bytes]) -> list[str]:
    """Under one version no kept column goes away, and each object has those that its entry names for it, first and in order."""
    wrong, before = [], dict[tuple[Any, str], list[list[str]]]()
    for cut in cuts(bucket):
        fields, chain = cut.fields, (cut.partition, cut.topic_id)
        columns = fields.get("columns", [])
        if columns[: len(before.get(chain, ()))] != before.get(chain, []):
            wrong.append(f"entry {fields['first']}: columns {columns} after {before[chain]}")
        before[chain] = columns if fields["next_version"] == fields["version"] else []
        for each in fields["objects"]:
            if each["key"] not in bucket:
                continue
            found = [[field.name, _TYPES[str(field.type)]] for field in _table(bucket[each["key"]]).schema]
            kept = columns[: each.get("columns", 0)]
            if found[: len(kept)] != kept:
                wrong.append(f"{each['key']} has the columns {found}, and was to begin with {kept}")
    return wrong


def named_objects(bucket: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Objects that the ledger names, by key."""
    return {each["key"]: each for cut in cuts(bucket) for each in cut.fields["objects"]}


def data_objects(bucket: Mapping[str, bytes]) -> dict[str, bytes]:
    """Everything in the bucket that is not the ledger."""
    return {key: content for key, content in bucket.items() if not key.startswith("_tidegate/")}


def whole_objects(bucket: Mapping[str, bytes]) -> list[str]:
    """Each object that the ledger names exists with the ledger's number of rows."""
    wrong = []
    for key, facts in named_objects(bucket).items():
        if key not in bucket:
            wrong.append(f"{key} is missing")
        elif len(rows_of(bucket[key])) != facts["rows"]:
            wrong.append(f"{key} holds {len(rows_of(bucket[key]))} rows, the ledger says {facts['rows']}")
    return wrong


def no_orphans(bucket: Mapping[str, bytes]) -> list[str]:
    """The ledger names every object."""
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


def rows_as_ruled(bucket: Mapping[str, bytes], expected: Callable[[Cut], list[Any]], identity: str) -> list[str]:
    """The objects of each cut hold once each row that its rule makes from its records. `expected` gives their identities."""
    wrong = []
    for cut in cuts(bucket):
        keys = [each["key"] for each in cut.fields["objects"]]
        found = [row[identity] for key in keys if key in bucket for row in rows_of(bucket[key])]
        wanted = expected(cut)
        if sorted(found) != sorted(wanted):
            place = f"entry {cut.fields['first']}..{cut.fields['next']}"
            wrong += [f"{place}: lost {each}" for each in sorted(set(wanted) - set(found))]
            wrong += [f"{place}: {count} times {each}" for each, count in Counter(found).items() if count > 1]
            wrong += [f"{place}: unexpected {each}" for each in sorted(set(found) - set(wanted))]
    return wrong


def orphans_only_of_ended_epochs(
    bucket: Mapping[str, bytes], partition: tuple[str, str, int], epoch_of: Callable[[str], int]
) -> list[str]:
    """The ledger names every object, except those that a worker without its partition wrote under an ended rule."""
    ended = {
        cut.fields["next_key_epoch"] - 1
        for cut in cuts(bucket)
        if cut.partition == partition and cut.fields["next_version"] != cut.fields["version"]
    }
    orphans = data_objects(bucket).keys() - named_objects(bucket).keys()
    return [
        f"{key} is in no entry, and its epoch has not ended" for key in sorted(orphans) if epoch_of(key) not in ended
    ]


def created_once(history: Iterable[tuple[str, bytes]]) -> list[str]:
    """No object is ever overwritten."""
    seen = Counter(key for key, _ in history)
    return [f"{key} was written {count} times" for key, count in seen.items() if count > 1]


def order_per_client(history: Iterable[tuple[str, int]]) -> list[str]:
    """The successful writes of each client are in order, and its versions never go back."""
    wrong, newest = [], dict[str, int]()
    for client, version in history:
        if version < newest.get(client, version):
            wrong.append(f"{client}: {version} after {newest[client]}")
        newest[client] = max(version, newest.get(client, version))
    return wrong


def final_state(bucket: Mapping[str, bytes], expected: Mapping[str, bytes]) -> list[str]:
    """The bucket holds these objects and no others."""
    objects = data_objects(bucket)
    wrong = [f"lost {key}" for key in sorted(expected.keys() - objects.keys())]
    wrong += [f"unexpected {key}" for key in sorted(objects.keys() - expected.keys())]
    return wrong + [
        f"{key} holds {objects[key][:60]!r}, expected {content[:60]!r}"
        for key, content in expected.items()
        if key in objects and objects[key] != content
    ]


def bounds_kept(measured: Mapping[str, tuple[float, float]]) -> list[str]:
    """Each measure, given with its limit, stays within it."""
    return [f"{name}: {found:g}, at most {limit:g}" for name, (found, limit) in measured.items() if found > limit]


def no_lag(committed: Mapping[int, int], ends: Mapping[int, int]) -> list[str]:
    """Everything that is in the partitions is committed."""
    return [
        f"partition {number}: committed {committed.get(number, 0)} of {end}"
        for number, end in ends.items()
        if committed.get(number, 0) != end
    ]


def nothing_written(history: Iterable[tuple[str, bytes]]) -> list[str]:
    """A replay changes nothing: `history` is what was written while it ran."""
    return [f"{key} was written again" for key, _ in history]
