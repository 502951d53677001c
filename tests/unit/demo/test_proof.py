"""The demo's proof finds every kind of damage, and reports no other."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field

import pytest

from pipeline.demo.fleet import CONNECTED, DISCONNECTED, Account, Event, Sent
from pipeline.demo.proof import AGGREGATED, DIRECT, EVENTS, Arrival, DeadLetter, Evidence, MessageId, Proof, prove

CLIENT = "thermo-000"
HOT = "hot/day=2026-01-02/type=thermo/part-3-{offset}-0.jsonl.gz"


@dataclass
class Run:
    """A small whole run: one device, four messages of which two are hot, one connect and one disconnect."""

    account: Account = field(default_factory=Account)
    objects: dict[str, bytes] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def __post_init__(self) -> None:
        for seq, temp in enumerate((20.0, 31.0, 40.5, 30.0), start=1):
            payload = json.dumps({"seq": seq, "type": "thermo", "temp": temp}).encode()
            self.account.messages.append(Sent(CLIENT, seq, payload, acked=True))
            self.objects[f"msgs/{CLIENT}_{1000 + seq}.json"] = payload
            self.arrivals.append(Arrival(MessageId(CLIENT, seq), 1000 + seq, offset=seq, dup=False))
        self.objects[HOT.format(offset=1)] = gzip.compress(_row(2, 31.0))
        self.objects[HOT.format(offset=10)] = gzip.compress(_row(3, 40.5))
        for at, event in ((1000, CONNECTED), (2000, DISCONNECTED)):
            self.account.events.append(Event(CLIENT, event))
            body = json.dumps({"clientid": CLIENT, "event": event}).encode()
            self.objects[f"events/{CLIENT}/{event}_{at}.json"] = body

    def prove(self) -> Proof:
        return prove(Evidence(self.account, self.objects, self.arrivals, self.dead_letters))


def _row(seq: int, temp: float, **changes: object) -> bytes:
    return json.dumps({"clientid": CLIENT, "seq": seq, "type": "thermo", "temp": temp, **changes}).encode() + b"\n"


def test_a_whole_run_is_proved() -> None:
    """Everything that was published is stored or filtered, once and in order."""
    proof = Run().prove()

    assert proof.holds
    assert (proof.total.published, proof.total.stored, proof.total.filtered) == (10, 8, 2)
    assert (proof.messages, proof.events, proof.objects) == (4, 2, 8)


def test_nothing_published_proves_nothing() -> None:
    """A run in which no device published is no proof, though nothing was lost."""
    assert not prove(Evidence(Account(), {})).holds


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (f"msgs/{CLIENT}_1002.json", DIRECT),
        (HOT.format(offset=10), AGGREGATED),
        (f"events/{CLIENT}/{DISCONNECTED}_2000.json", EVENTS),
    ],
)
def test_a_missing_object_is_a_loss_of_its_rule(key: str, rule: str) -> None:
    """A missing object counts as lost for the rule that should have written it."""
    run = Run()
    del run.objects[key]

    proof = run.prove()

    assert not proof.holds
    assert {name: each.lost for name, each in proof.rules.items() if each.lost} == {rule: 1}


def test_a_message_without_acknowledgement_may_be_missing() -> None:
    """A message that the broker had not acknowledged may be missing, and counts if it is there."""
    run = Run()
    run.account.messages[0].acked = False
    assert run.prove().rules[DIRECT].published == 4

    del run.objects[f"msgs/{CLIENT}_1001.json"]

    proof = run.prove()
    assert proof.holds
    assert proof.rules[DIRECT].published == 3


def test_two_messages_of_one_millisecond_are_overwritten_and_not_lost() -> None:
    """If two messages have one key and the object is the later one's, the earlier message is overwritten and not lost."""
    run = Run()
    del run.objects[f"msgs/{CLIENT}_1002.json"]
    run.arrivals[1] = Arrival(MessageId(CLIENT, 2), 1003, offset=2, dup=False)

    proof = run.prove()

    assert proof.holds
    assert (proof.rules[DIRECT].overwritten, proof.rules[DIRECT].lost) == (1, 0)


def test_an_old_value_over_a_newer_one_is_a_loss() -> None:
    """If two messages have one key and the object is the earlier one's, the later message is lost."""
    run = Run()
    del run.objects[f"msgs/{CLIENT}_1003.json"]
    run.arrivals[2] = Arrival(MessageId(CLIENT, 3), 1002, offset=3, dup=False)

    assert run.prove().rules[DIRECT].lost == 1


def test_a_second_copy_is_a_duplicate() -> None:
    """The same message under two keys, or the same row in two files, is duplicated and fails the proof."""
    run = Run()
    run.objects[f"msgs/{CLIENT}_1999.json"] = run.objects[f"msgs/{CLIENT}_1001.json"]
    run.objects[HOT.format(offset=20)] = gzip.compress(_row(2, 31.0))

    proof = run.prove()

    assert not proof.holds
    assert (proof.rules[DIRECT].duplicated, proof.rules[AGGREGATED].duplicated) == (1, 1)


def test_a_copy_that_mqtt_announced_is_counted_and_allowed() -> None:
    """A redelivered message with MQTT's dup flag counts as duplicated and does not fail the proof."""
    run = Run()
    run.objects[f"msgs/{CLIENT}_1999.json"] = run.objects[f"msgs/{CLIENT}_1004.json"]
    run.arrivals.append(Arrival(MessageId(CLIENT, 4), 1999, offset=5, dup=True))

    proof = run.prove()

    assert proof.holds
    assert (proof.total.duplicated, proof.total.redelivered) == (1, 1)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        (f"msgs/{CLIENT}_1001.json", b'{"seq": 1}'),
        (f"msgs/{CLIENT}_1001.json", b"\xff"),
        ("msgs/stranger.json", b"{}"),
        ("elsewhere", b""),
        (HOT.format(offset=1), gzip.compress(_row(2, 32.0), mtime=0)),
        (HOT.format(offset=1), gzip.compress(_row(2, 31.0, type="pump"), mtime=0)),
        (HOT.format(offset=1), gzip.compress(_row(1, 20.0) + _row(2, 31.0), mtime=0)),
        (HOT.format(offset=1), gzip.compress(_row(2, 31.0), mtime=0)[:-4]),
        (f"events/{CLIENT}/{CONNECTED}_1000.json", b"{}"),
    ],
)
def test_what_no_device_sent_is_altered(key: str, body: bytes) -> None:
    """The proof finds an object or row that differs from what was sent, or that the rule should have filtered."""
    run = Run()
    run.objects[key] = body

    proof = run.prove()

    assert not proof.holds
    assert proof.total.altered == 1


def test_rows_out_of_order_are_seen() -> None:
    """The rows of a client must have increasing numbers in the order of partition, offset and line."""
    run = Run()
    run.objects[HOT.format(offset=1)], run.objects[HOT.format(offset=10)] = (
        run.objects[HOT.format(offset=10)],
        run.objects[HOT.format(offset=1)],
    )

    proof = run.prove()

    assert not proof.holds
    assert not proof.rules[AGGREGATED].order_kept


def test_offsets_are_ordered_as_numbers() -> None:
    """File 9 comes before file 10, although its name sorts after it."""
    run = Run()
    run.objects[HOT.format(offset=9)] = run.objects.pop(HOT.format(offset=1))

    assert run.prove().holds


def test_a_dead_letter_is_accounted_for() -> None:
    """A message in the dead letter topic counts as neither stored nor lost."""
    run = Run()
    del run.objects[f"msgs/{CLIENT}_1002.json"]
    run.dead_letters.append(DeadLetter(DIRECT, (CLIENT, 2)))

    proof = run.prove()

    assert proof.holds
    assert (proof.rules[DIRECT].dead_lettered, proof.rules[DIRECT].lost) == (1, 0)


def test_a_client_that_goes_before_it_comes_is_out_of_order() -> None:
    """The events of a client must alternate and begin with a connect."""
    run = Run()
    for at, event in ((500, DISCONNECTED), (1000, CONNECTED)):
        run.objects[f"events/{CLIENT}/{event}_{at}.json"] = json.dumps({"clientid": CLIENT, "event": event}).encode()
    del run.objects[f"events/{CLIENT}/{DISCONNECTED}_2000.json"]

    assert not run.prove().rules[EVENTS].order_kept


def test_the_ledger_is_none_of_the_objects() -> None:
    """Objects below _tidegate/ do not count as objects of the demo."""
    run = Run()
    run.objects["_tidegate/hot/mqtt.messages/0/0.json"] = b"{}"

    proof = run.prove()

    assert proof.holds
    assert proof.objects == 8
