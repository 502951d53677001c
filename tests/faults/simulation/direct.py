"""The world of a direct action: each record makes a new object and overwrites its client's latest one.

Now and then a device names its new object so that it can never be: the name climbs out of its folder, the store refuses it in one
way or another, or somebody else's object is there. That row alone is a dead letter. If the content is too large, both rows are.

With `conflate`, the last rows of a client's latest object are left out while a newer one waits, and old rows are sent again.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from agents.lanes.lane import Lane, Partition
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from pipeline.action import DirectAction
from pipeline.connectors.s3.errors import classify
from pipeline.errors import ConnectorError
from pipeline.record import Record
from pipeline.redriven import REDRIVEN, Failure, RecordPlace, Redriven, redriven
from pipeline.rule.rule_set import RuleSet
from tests.faults import checkers
from tests.faults.faults import Faults
from tests.faults.simulation.bucket import Stored
from tests.faults.simulation.world import Worker, World, kafka_record
from tests.parts.actions import direct

RECORDS: Final = 100
WINDOW: Final = 3
PARAMETERS: Final = {"key": "${kind}/${clientid}/${name}", "content": "${n}", "missing": "dead_letter"}
SELECT: Final = 'SELECT clientid, payload.n AS n, {} AS kind, {} AS name FROM "t/#" WHERE payload.keep = true'
# What a device can call its object, and what the store says of it; nothing is said where nothing is sent, or something is there.
FOREIGN: Final = "taken"
TRAPS: Final = {
    "../": (0, ""),
    FOREIGN: (0, ""),
    "directory": (400, "DirectoryObjectContainsData"),
    "large": (0, ""),
    "odd": (400, ""),
    "broken": (500, "InternalError"),
}
LARGE: Final = 1_000_000  # and what is above it, as the number in a content


def refusal(key: str, body: bytes) -> ConnectorError | None:
    """What the store says of a write of this under this key; None if it takes it."""
    if len(body) >= len(str(LARGE)):
        return classify(400, "EntityTooLarge", "", f"PUT {key}")
    status, code = next((said for trap, said in TRAPS.items() if f"/{trap}" in key), (0, ""))
    return classify(status, code, "", f"PUT {key}") if status else None


def make_log(seed: int, records: int = RECORDS, begin: int = 0, *, again: bool = False) -> list[Record]:
    """Records of five clients; some are filtered, some have nothing to render the content of, and some are traps.

    Their numbers begin at `begin`, their offsets at 0. `again`: some repeat the latest object of an earlier record.
    """
    chance = random.Random(seed)
    log: list[Record] = []
    stored: list[Record] = []
    for offset in range(records):
        if again and stored and chance.random() < 0.15:
            log.append(_again(chance.choice(stored), offset))
            continue
        value: dict[str, Any] = {"id": f"{begin + offset:04}", "keep": chance.random() < 0.9}
        if chance.random() < 0.95:
            value["n"] = begin + offset
        if chance.random() < 0.06:
            value["trap"] = chance.choice(sorted(TRAPS))
            value["id"] = f"{value['trap']}{begin + offset:04}"
            if value["trap"] == "large" and "n" in value:
                value["n"] += LARGE
        client = b"c%d" % chance.randrange(5)
        headers = (("topic", b"t/1"), ("clientid", client))
        log.append(kafka_record(offset, client, json.dumps(value).encode(), headers=headers))
        if value["keep"] and value.get("n", LARGE) < LARGE:
            stored.append(log[-1])
    return log


def _again(record: Record, offset: int) -> Record:
    """A record that repeats another one for the rule of latest objects."""
    first = RecordPlace(record.topic, record.partition, record.offset)
    header = Redriven(Failure("sim", "a", "latest", 0, first), first).encode()
    return kafka_record(offset, record.key or b"", record.value or b"", [(REDRIVEN, header), *record.headers])


@functools.cache
def action(conflate: bool) -> DirectAction:
    statements = {"latest": SELECT.format("'latest'", "'it'"), "new": SELECT.format("'new'", "payload.id")}
    return direct("a", statements, node="sim", window=WINDOW, patience="2m", conflate=conflate, **PARAMETERS)


class DirectWorld(World):
    """`lane_type` and `writer_type` are the real ones, or have a planted bug."""

    def __init__(
        self,
        seed: int,
        faults: Faults,
        lane_type: type[DirectLane] = DirectLane,
        writer_type: type[DirectWriter] = DirectWriter,
        *,
        conflate: bool = False,
    ) -> None:
        super().__init__(seed, make_log(seed, again=conflate), faults)
        self.action = action(conflate)
        self._conflate = conflate
        self._lane_type, self._writer_type = lane_type, writer_type
        self._seed, self._topics = seed, 0
        self._foreign: dict[str, bytes] = {}
        self._dead_before: set[int] = set()  # of topics that had the name before, as are these keys
        self._new_before: set[str] = set()
        self._learn(self.log)
        self.bucket.refusal = refusal

    def _learn(self, log: Sequence[Record]) -> None:
        """What becomes of the records of a topic."""
        values = [(record, json.loads(record.value or b"")) for record in log if redriven(record) is None]
        self._stored = [(record, value) for record, value in values if value["keep"] and "n" in value]
        self._dead = {
            record.offset for record, value in values if value["keep"] and ("n" not in value or "trap" in value)
        }
        foreign = {_new_key(*each): b"-1" for each in values if each[1].get("trap") == FOREIGN}
        self.bucket.objects |= {key: Stored(body, {}, "foreign") for key, body in foreign.items()}
        self._foreign |= foreign

    def make_topic_again(self) -> list[Record]:
        self._topics += 1
        self._dead_before |= self._dead
        self._new_before |= {_new_key(*each) for each in self._stored}
        log = make_log(self._seed + 1000 * self._topics, begin=1000 * self._topics, again=self._conflate)
        self._learn(log)
        return log

    def rules(self, rule: int) -> RuleSet:
        return self.action.rules

    def open_lane(self, worker: Worker) -> Callable[[Partition, Callable[[], None]], Lane]:
        writer = self._writer_type(
            self.action,
            PatientStore(worker.link, Attempts("a", cap_seconds=5.0)),  # type: ignore[arg-type]
            DeadLetters(self.letters, "dead", "a", Attempts("a")),
            worker.kafka,
        )
        return lambda partition, on_room: self._lane_type(partition, on_room, writer)

    async def operate(self) -> None:
        """Nothing."""

    # --- What must hold

    def uncovered(self, offset: int, topic_id: str) -> list[str]:
        if topic_id != self.topic_id:
            return []  # nobody goes on from there
        new = {_new_key(*each) for each in self._stored if each[0].offset < offset and "trap" not in each[1]}
        dead = {each for each in self._dead if each < offset}
        return [
            *(f"{offset} is committed, {key} is not there" for key in sorted(new - self.bucket.objects.keys())),
            *(f"{offset} is committed, dead letter {each} is lost" for each in sorted(dead - self.letters.offsets)),
        ]

    def wrongs(self) -> list[str]:
        if self._topics:
            return self._wrongs_of_the_last_topic()
        history = [(key.split("/"), int(body)) for key, body in self.bucket.history]
        # Where contents recur, an owner may replace what a zombie has written ahead of it. It comes to that row in a moment.
        latest = [(path[1], n) for path, n in history if path[0] == "latest" and not self.faults.recur]
        return [
            *self.found,
            *(f"{each} is a dead letter and need not be" for each in sorted(self.letters.offsets - self._dead)),
            *checkers.final_state(self.bucket.contents(), self._expected()),
            *checkers.created_once(write for write in self.bucket.history if write.key.startswith("new/")),
            *checkers.order_per_client((path[1], n) for path, n in history if path[0] == "new" and not self._conflate),
            *checkers.order_per_client(latest),
        ]

    def _wrongs_of_the_last_topic(self) -> list[str]:
        """All of its rows are there, whatever stood under their keys. Of a topic before, what was read in time is."""
        expected = self._expected()
        found = {
            key: body for key, body in self.bucket.contents().items() if key in expected or key not in self._new_before
        }
        needless = self.letters.offsets - self._dead - self._dead_before
        return [
            *self.found,
            *(f"{each} is a dead letter and need not be" for each in sorted(needless)),
            *checkers.final_state(found, expected),
        ]

    async def tell_and_read_again(self) -> None:
        """Run the story, and then a replay of everything, which changes nothing."""
        await self.tell()
        before, writes = dict(self.bucket.objects), len(self.bucket.history)
        await self.read_again()
        self.found += checkers.nothing_written(self.bucket.history[writes:])
        self.found += checkers.final_state(self.bucket.contents(), {key: stored.body for key, stored in before.items()})

    def _expected(self) -> dict[str, bytes]:
        objects = dict(self._foreign)
        for record, value in self._stored:
            content = str(value["n"]).encode()
            if value["n"] >= LARGE:
                continue
            if "trap" not in value:
                objects[_new_key(record, value)] = content
            objects[f"latest/{(record.key or b'').decode()}/it"] = content
        return objects


def _new_key(record: Record, value: dict[str, Any]) -> str:
    return f"new/{(record.key or b'').decode()}/{value['id']}"
