"""The proof: compares what the devices sent with what is in the bucket. It uses no numbers of the pipeline.

Each of the demo's three rules has one function. All are pure: they take accounts and bytes, and return counts. For each rule

    published = stored + filtered + dead_lettered + overwritten + lost

"published" counts messages that the broker acknowledged to the devices, and messages that were found although their
acknowledgement did not arrive. "overwritten" counts messages whose key was used by a later message of the same client
in the same millisecond: the key of `my_rule` has only client and millisecond, and Kafka's timestamps show which
messages share it. "lost" counts everything else. The layout of the keys is that of examples/demo.yaml. This file opens
nothing.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Final, NamedTuple

from pipeline.demo.fleet import CONNECTED, DISCONNECTED, Account, Sent
from pipeline.template.object_names import ROOT

DIRECT: Final = "my_rule"
AGGREGATED: Final = "hot_devices"
EVENTS: Final = "comings_and_goings"

HOT_ABOVE: Final = 30

_MESSAGE_KEY = re.compile(r"msgs/(?P<clientid>.+)_(?P<timestamp>\d+)\.json")
_HOT_KEY = re.compile(
    r"hot/day=\d{4}-\d\d-\d\d/type=(?P<type>\w+)/part-(?P<partition>\d+)-(?P<offset>\d+)\b.*\.jsonl\.gz"
)
_EVENT_KEY = re.compile(r"events/(?P<clientid>[^/]+)/(?P<event>client\.\w+)_(?P<timestamp>\d+)\.json")
INTERNAL_PREFIX: Final = f"{ROOT}/"


class MessageId(NamedTuple):
    """What identifies a message of a device."""

    clientid: str
    seq: int


class RowPlace(NamedTuple):
    """Where the row of a message is. Places of one partition sort as its rows were read."""

    partition: int
    first_offset: int  # of the object
    line: int


class Change(NamedTuple):
    """A connect or disconnect of one device, as its object's key has it. They sort by time."""

    timestamp_ms: int
    event: str


class Arrival(NamedTuple):
    """One record of the messages topic. `dup`: MQTT marked it as possibly delivered before."""

    message: MessageId
    timestamp_ms: int
    offset: int
    dup: bool


class DeadLetter(NamedTuple):
    """One record of the dead letter topic: its rule, and its message or event."""

    rule: str
    message: tuple[str, int | str]


class Evidence(NamedTuple):
    """All evidence of the proof. `arrivals` may be empty if nothing is missing or twice."""

    account: Account
    objects: Mapping[str, bytes]
    arrivals: Collection[Arrival] = ()
    dead_letters: Collection[DeadLetter] = ()


@dataclass
class RuleProof:
    """The account of everything that was published to one rule.

    `redelivered` is the part of `duplicated` that MQTT marked as such. `altered` counts objects and rows that no device sent in
    this form.
    """

    published: int = 0
    stored: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    overwritten: int = 0
    lost: int = 0
    duplicated: int = 0
    redelivered: int = 0
    altered: int = 0
    order_kept: bool = True

    @property
    def holds(self) -> bool:
        return not self.lost and self.duplicated == self.redelivered and not self.altered and self.order_kept


@dataclass
class Proof:
    """The proof of each rule, and of all together."""

    rules: dict[str, RuleProof]
    objects: int
    messages: int
    events: int
    total: RuleProof = field(init=False)

    def __post_init__(self) -> None:
        self.total = RuleProof(order_kept=all(rule.order_kept for rule in self.rules.values()))
        for name in (each.name for each in fields(RuleProof) if each.name != "order_kept"):
            setattr(self.total, name, sum(getattr(rule, name) for rule in self.rules.values()))

    @property
    def holds(self) -> bool:
        return self.total.holds and self.total.published > 0


def prove(evidence: Evidence) -> Proof:
    """Account for everything that the devices sent."""
    objects = {key: body for key, body in evidence.objects.items() if not key.startswith(INTERNAL_PREFIX)}
    rules = {
        DIRECT: _prove_direct(evidence, _below("msgs/", objects)),
        AGGREGATED: _prove_aggregated(evidence, _below("hot/", objects)),
        EVENTS: _prove_events(evidence, _below("events/", objects)),
    }
    strangers = [key for key in objects if not key.startswith(("msgs/", "hot/", "events/"))]
    rules[DIRECT].altered += len(strangers)
    account = evidence.account
    return Proof(rules, objects=len(objects), messages=account.acked, events=len(account.events))


def _prove_direct(evidence: Evidence, objects: Mapping[str, bytes]) -> RuleProof:
    """One object for each message, with client and millisecond in its key. Its content is the payload, byte for byte."""
    proof = RuleProof()
    sent = _sent(evidence.account)
    places: dict[MessageId, list[int]] = defaultdict(list)
    for key, body in objects.items():
        found = _MESSAGE_KEY.fullmatch(key)
        message = MessageId(found["clientid"], _seq(body)) if found else None
        if found is None or message not in sent or sent[message].payload != body:
            proof.altered += 1
        else:
            places[message].append(int(found["timestamp"]))
    published = _published(sent, places)
    dead = _dead_letters(evidence, DIRECT) - places.keys()
    overwritten = _overwritten(evidence.arrivals, places) & (published - places.keys() - dead)
    proof.published = len(published)
    proof.stored = len(places)
    proof.dead_lettered = len(published & dead)
    proof.overwritten = len(overwritten)
    proof.lost = len(published - places.keys() - dead - overwritten)
    _count_copies(proof, {message: len(times) for message, times in places.items()}, evidence.arrivals)
    proof.order_kept = _increasing((message, min(times)) for message, times in places.items())
    return proof


def _prove_aggregated(evidence: Evidence, objects: Mapping[str, bytes]) -> RuleProof:
    """One row for each message above HOT_ABOVE, in files with partition and first offset in their names."""
    proof = RuleProof()
    sent = _sent(evidence.account)
    places: dict[MessageId, list[RowPlace]] = defaultdict(list)
    for key, body in objects.items():
        found = _HOT_KEY.fullmatch(key)
        for line, row in enumerate(_rows(body)):
            message = MessageId(str(row.get("clientid")), row.get("seq", -1))
            if found is None or message not in sent or not _is_row_of(row, sent[message], found["type"]):
                proof.altered += 1
            else:
                places[message].append(RowPlace(int(found["partition"]), int(found["offset"]), line))
    published = _published(sent, places)
    hot = {message for message in published if _reading(sent[message])["temp"] > HOT_ABOVE}
    dead = _dead_letters(evidence, AGGREGATED) - places.keys()
    proof.published = len(published)
    proof.stored = len(places)
    proof.filtered = len(published - hot - dead)
    proof.dead_lettered = len(published & dead)
    proof.lost = len(hot - places.keys() - dead)
    _count_copies(proof, {message: len(found) for message, found in places.items()}, evidence.arrivals)
    one_partition = all(len({place.partition for place in found}) == 1 for found in _by_client(places).values())
    proof.order_kept = one_partition and _increasing((message, min(found)) for message, found in places.items())
    return proof


def _prove_events(evidence: Evidence, objects: Mapping[str, bytes]) -> RuleProof:
    """One object for each connect and disconnect. Events have no number, so they are counted, and must alternate."""
    proof = RuleProof()
    expected: Counter[tuple[str, int | str]] = Counter(
        (event.clientid, event.event) for event in evidence.account.events
    )
    dead: Counter[tuple[str, int | str]] = Counter(
        letter.message for letter in evidence.dead_letters if letter.rule == EVENTS
    )
    stored: Counter[tuple[str, int | str]] = Counter()
    history: dict[str, list[Change]] = defaultdict(list)
    for key, body in objects.items():
        found = _EVENT_KEY.fullmatch(key)
        fields_found = _json_object(body)
        named = (found["clientid"], found["event"]) if found else None
        if found is None or (fields_found.get("clientid"), fields_found.get("event")) != named:
            proof.altered += 1
        else:
            stored[found["clientid"], found["event"]] += 1
            history[found["clientid"]].append(Change(int(found["timestamp"]), found["event"]))
    for event, count in expected.items():
        proof.published += count
        proof.stored += min(count, stored[event])
        proof.dead_lettered += min(dead[event], max(0, count - stored[event]))
        proof.lost += max(0, count - stored[event] - dead[event])
    proof.duplicated = sum(max(0, count - expected[event]) for event, count in stored.items())
    proof.order_kept = all(_alternates(each) for each in history.values())
    return proof


def _sent(account: Account) -> dict[MessageId, Sent]:
    return {MessageId(sent.clientid, sent.seq): sent for sent in account.messages}


def _published(sent: Mapping[MessageId, Sent], found: Collection[MessageId]) -> set[MessageId]:
    return {message for message, each in sent.items() if each.acked or message in found}


def _dead_letters(evidence: Evidence, rule: str) -> set[MessageId]:
    letters = (letter.message for letter in evidence.dead_letters if letter.rule == rule)
    return {MessageId(clientid, seq) for clientid, seq in letters if isinstance(seq, int)}


def _overwritten(arrivals: Iterable[Arrival], places: Mapping[MessageId, Collection[int]]) -> set[MessageId]:
    """Messages whose key holds a later message: of the same client, in the same millisecond, with a higher offset."""
    meeting: dict[tuple[str, int], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        meeting[arrival.message.clientid, arrival.timestamp_ms].append(arrival)
    overwritten: set[MessageId] = set()
    for (_, timestamp), group in meeting.items():
        last = max(group, key=lambda arrival: arrival.offset)
        if timestamp in places.get(last.message, ()):
            overwritten.update(arrival.message for arrival in group if arrival is not last)
    return overwritten


def _count_copies(proof: RuleProof, copies: Mapping[MessageId, int], arrivals: Iterable[Arrival]) -> None:
    announced = Counter(arrival.message for arrival in arrivals if arrival.dup)
    for message, count in copies.items():
        proof.duplicated += count - 1
        proof.redelivered += min(count - 1, announced[message])


def _by_client(places: Mapping[MessageId, Iterable[RowPlace]]) -> dict[str, list[RowPlace]]:
    clients: dict[str, list[RowPlace]] = defaultdict(list)
    for (clientid, _), found in places.items():
        clients[clientid].extend(found)
    return clients


def _increasing(places: Iterable[tuple[MessageId, Any]]) -> bool:
    """Whether the messages of each client have increasing numbers when they are sorted by place."""
    clients: dict[str, list[tuple[Any, int]]] = defaultdict(list)
    for (clientid, seq), place in places:
        clients[clientid].append((place, seq))
    return all(a[1] < b[1] for each in clients.values() for a, b in pairwise(sorted(each)))


def _alternates(history: list[Change]) -> bool:
    names = [change.event for change in sorted(history)]
    return names == [(CONNECTED, DISCONNECTED)[n % 2] for n in range(len(names))]


def _is_row_of(row: Mapping[str, Any], sent: Sent, folder: str) -> bool:
    reading = _reading(sent)
    told = (row.get("type"), row.get("temp"))
    return told == (reading["type"], reading["temp"]) and folder == reading["type"] and reading["temp"] > HOT_ABOVE


def _reading(sent: Sent) -> dict[str, Any]:
    reading: dict[str, Any] = json.loads(sent.payload)
    return reading


def _rows(body: bytes) -> Iterator[dict[str, Any]]:
    """The rows of one gzip file. A file that cannot be read gives one empty row."""
    try:
        lines = gzip.decompress(body).splitlines()
    except (OSError, EOFError, zlib.error):
        lines = [b""]
    yield from map(_json_object, lines)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _seq(body: bytes) -> int:
    seq = _json_object(body).get("seq")
    return seq if isinstance(seq, int) else -1


def _below(prefix: str, objects: Mapping[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in objects.items() if key.startswith(prefix)}
