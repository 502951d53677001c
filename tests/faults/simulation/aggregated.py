"""The world of an aggregated action: rules that change, records of one row, of two, of none, and dead letters.

Where dead letters are sent again there is one rule more, which takes what failed. In the end all letters are sent under that one,
and then each row is there once: nothing lost, nothing twice.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from agents.lanes.lane import Lane, Partition
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.claims import Standings
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.patient_store import PatientStore
from pipeline.action import AggregatedAction
from pipeline.record import Outgoing, Record
from pipeline.redriven import Redriven, redriven
from pipeline.rule.batch import Evaluator
from pipeline.upload import claims, ledger
from pipeline.upload.buffer import EarlyEnd
from pipeline.upload.ledger import START  # written over when the chain ends in order
from tests.faults import checkers
from tests.faults.faults import Faults
from tests.faults.simulation.bucket import Link
from tests.faults.simulation.operator import Operator
from tests.faults.simulation.world import BYTES_BEYOND, BYTES_SHORT, Worker, WorkersKafka, World, kafka_record
from tests.parts.actions import aggregated, configuration

PLACE: Final = ("a", "mqtt.messages", 0)
RECORDS: Final = 120
MENDED: Final = 3  # number of the rule that takes what failed
REDRIVES_MAX: Final = 10
KEYS: Final = ("${g}/x.jsonl", "${g}/${datetime.hh}${datetime.mm}/x-${partition}-${offset}.e${epoch}.jsonl", "x.jsonl")


def with_holes(log: list[Record], seed: int, often: float) -> list[Record]:
    """The log without some of its records, as compaction leaves it. The last one always stays."""
    chance = random.Random(seed)
    return [record for record in log[:-1] if not often or chance.random() >= often] + log[-1:]


def make_log(
    seed: int, records: int = RECORDS, *, plain: bool = False, dead: float = 0.04, begin: int = 0
) -> list[Record]:
    """Records of three groups. `x` decides under which rules one is filtered; without `g` it is a dead letter.

    If `plain`, each has one row at most and none is a dead letter. Their numbers begin at `begin`, their offsets at 0.
    """
    chance = random.Random(seed)
    log = []
    for offset in range(records):
        value: dict[str, Any] = {
            "n": begin + offset,
            "id": f"{begin + offset}",
            "g": chance.choice("ABC"),
            "x": chance.randrange(-1, 4),
        }
        if chance.random() < 0.1 and not plain:
            value["second"] = f"{begin + offset}b"
        if chance.random() < dead and not plain:
            value["x"] = 3
            del value["g"]
        log.append(kafka_record(offset, b"c%d" % chance.randrange(3), json.dumps(value).encode()))
    return log


def with_kinds(log: list[Record], seed: int) -> list[Record]:
    """The log with two columns more: one that begins late, and mostly numbers, with some texts, booleans and nulls."""
    chance = random.Random(seed)
    begins, found = chance.randrange(len(log)), []
    for at, record in enumerate(log):
        kinds = [None, "x", True, *[1, 2.5] * 8]
        more = {"v": chance.choice(kinds), "w": chance.choice(kinds) if at >= begins else None}
        found.append(record._replace(value=json.dumps({**json.loads(record.value or b""), **more}).encode()))
    return found


@functools.cache
def version(rule: int, key: str, compression: str, kinds: bool) -> AggregatedAction:
    """Rule number 0, 1 or 2: the higher, the more is filtered. Small objects, a short interval; those of 2 are smaller still.

    Number 3 filters as number 0 does, and a record that has no group is of group A. With `kinds`, objects are Parquet.
    """
    group = "payload.g" if rule != MENDED else "coalesce(payload.g, 'A')"
    more = "payload.v AS v, payload.w AS w, " if kinds else ""
    select = (
        f"SELECT {group} AS g, {more}payload.n AS n, {{}} AS id, {rule} AS rule"
        f' FROM "t/#" WHERE payload.x >= {rule % 3}'
    )
    statements = {
        "first": select.format("payload.id"),
        "second": select.format("payload.second") + " AND is_not_null(payload.second)",
    }
    aggregation = {"time_interval": "5s", "max_records": 5 if rule < 2 else 3}
    settings = {"key": key, "missing": "dead_letter", "compression": compression, "aggregation": aggregation}
    if kinds:
        settings["container"] = {"type": "parquet", "default_compression": "none"}
    return aggregated("a", statements, node="sim", **settings)


class AggregatedWorld(World):
    """`lane_type` is the real lane, or one with a planted bug."""

    def __init__(
        self,
        seed: int,
        faults: Faults,
        lane_type: type[AggregatedLane] = AggregatedLane,
        log: list[Record] | None = None,
        compression: str = "none",
    ) -> None:
        log = log or make_log(seed, dead=0.2 if faults.redrive else 0.04)
        log = with_kinds(log, seed) if faults.kinds else log
        super().__init__(seed, with_holes(log, seed, faults.holes), faults)
        early = {"early_end": EarlyEnd(groups=1, going_on=1.0)} if faults.end_early else {}
        self._lane_type = type(lane_type.__name__, (lane_type,), early)
        self._key = KEYS[seed % len(KEYS)]
        self._versions = [version(rule, self._key, compression, faults.kinds) for rule in range(MENDED + 1)]
        self._grouped = "${g}" in self._key
        self._seed = seed
        self._logs: dict[str, list[Record]] = {}  # of topics that had the name before
        self._produced = self.log_end
        self._dead_offsets = sorted(self._dead(self._produced))
        self._runs = itertools.count()
        self._writers: dict[Worker, AggregatedWriter] = {}
        self._operator: Operator | None = None
        if faults.redrive and self._dead_offsets:
            self.rules_max = MENDED + 1
            parameters = self._versions[0].parameters.model_dump(by_alias=True)
            config = configuration("a", self._versions[0].rules.statements, "sim", {"parameters": parameters})
            self._operator = Operator(config, self.letters.records, self._take_again, self._standings, self.chance)

    def rules(self, rule: int) -> Evaluator:
        return self._versions[rule].evaluator

    def open_lane(self, worker: Worker) -> Callable[[Partition, Callable[[], None]], Lane]:
        writer = self._writers[worker] = AggregatedWriter(
            name="a",
            action=self._action(worker),
            store=PatientStore(worker.link, Attempts("a", cap_seconds=5.0)),  # type: ignore[arg-type]
            dead_letters=DeadLetters(self.letters, "dead", "a", Attempts("a"), pipeline="sim"),
            kafka=worker.kafka,
            name_run=lambda: f"run-{next(self._runs)}",
        )
        return lambda partition, on_room: self._lane_type(partition, on_room, writer)

    def turn(self, worker: Worker) -> None:
        self._writers[worker].action = self._action(worker)

    def _action(self, worker: Worker) -> AggregatedAction:
        action = replace(self._versions[worker.rule], revision=worker.revision)
        if not self.faults.parts:
            return action
        return replace(action, parameters=action.parameters.model_copy(update={"min_part_size": 100}))

    def make_topic_again(self) -> list[Record]:
        self._logs[self.topic_id] = self.log
        seed = self._seed + 1000 * len(self._logs)
        return with_holes(make_log(seed, begin=1000 * len(self._logs)), seed, self.faults.holes)

    # --- Dead letters, sent again

    async def operate(self) -> None:
        if self._operator is not None and self.chance.random() < self.faults.redrive:
            await self._operator.redrive(killed=0.3)

    async def tell(self) -> None:
        """The story; in the end all letters are sent again under the rule that takes what failed."""
        await super().tell()
        if self._operator is None:
            return
        self.configurations.append(MENDED)
        for _ in range(REDRIVES_MAX):
            kept = await self._operator.redrive(killed=0.0)
            await self.heal()
            if not kept and not self._operator.open_letters():
                return
        self.found.append(f"{len(self._operator.open_letters())} dead letters are open for ever")

    def _standings(self) -> Standings:
        store = PatientStore(Link(self.bucket, _always()), Attempts("a", cap_seconds=5.0))  # type: ignore[arg-type]
        letters = DeadLetters(self.letters, "dead", "a", Attempts("a"))
        return Standings(AggregatedWriter("a", self._versions[0], store, letters, WorkersKafka(self, _always())))

    def _take_again(self, sent: Outgoing) -> None:
        self.log.append(
            kafka_record(self.log_end, sent.key, sent.value, sent.headers)._replace(timestamp=sent.timestamp_ms)
        )

    def _value(self, offset: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.log[offset].value or b"")
        return found

    # --- What must hold

    def uncovered(self, offset: int, topic_id: str) -> list[str]:
        bucket = {key: body for key, body in self.bucket.contents().items() if key != self.forged}
        wrong = checkers.covered(bucket, PLACE, offset, topic_id)
        if self._logs or self.faults.retention:
            return wrong
        written = {row["n"] for key in checkers.named_objects(bucket) for row in checkers.rows_of(bucket[key])}
        lost = self._dead(offset) - self.letters.offsets - (written if self._operator else set())
        return [*wrong, *(f"dead letter {each} is lost" for each in sorted(lost))]

    def wrongs(self) -> list[str]:
        bucket = self.bucket.contents()
        wrong = [
            *self.found,
            *self._chains(bucket),
            *checkers.conservation(
                bucket, "" if self._operator else "n"
            ),  # letters of one record are records with one n
            *checkers.whole_objects(bucket),
            *checkers.rows_as_ruled(bucket, self._expected, "id"),
            *checkers.missing_is_true(bucket, self._is_deleted),
            *checkers.absent_is_true(bucket, self._holds_none),
            *checkers.revisions_never_fall(bucket, [self._versions[rule].digest for rule in self.configurations]),
            *checkers.objects_not_later(bucket, self._revision_of),
            *self._orphans(bucket),
            *checkers.created_once(write for write in self.bucket.history if not write.key.endswith(START)),
            *(f"row of {row['g']} in {key}" for key, row in self._misplaced(bucket)),
            *self._dead_written_once(bucket),
            *(checkers.columns_kept(bucket) if self.faults.kinds else []),
            *(self._made_otherwise(bucket) if self.faults.kinds else []),
        ]
        if self.faults.memory_short:
            wrong += checkers.bounds_kept({"held bytes": (self.most_held_bytes, BYTES_SHORT + BYTES_BEYOND)})
        return wrong

    def _revision_of(self, key: str) -> int:
        """The revision that an object names, under which a worker wrote it."""
        return int(self.bucket.objects[key].metadata["tidegate-revision"])

    def _chains(self, bucket: dict[str, bytes]) -> list[str]:
        """Each topic has its own, and that of the last one is whole."""
        wrong = checkers.unbroken_chain(bucket, PLACE, self._first(bucket, self.topic_id), self.log_end, self.topic_id)
        for before in self._logs:
            wrong += checkers.unbroken_chain(bucket, PLACE, self._first(bucket, before), None, before)
        return wrong

    def _first(self, bucket: dict[str, bytes], topic_id: str) -> int:
        """Where a topic's chain begins: at its start, but for what Kafka had deleted before the first worker came."""
        if not self.faults.retention:
            return 0
        firsts = [cut.fields["first"] for cut in checkers.cuts(bucket) if cut.topic_id == topic_id]
        return min(firsts, default=0)

    def _is_deleted(self, cut: checkers.Cut, offset: int) -> bool:
        """Of a topic that is gone nobody can say any more."""
        return cut.topic_id in self._logs or offset < self.log_start

    def _holds_none(self, cut: checkers.Cut, offset: int) -> bool:
        log = self._log_of(cut.topic_id)
        at = bisect_left(log, offset, key=lambda record: record.offset)
        return at == len(log) or log[at].offset != offset

    def _log_of(self, topic_id: str) -> list[Record]:
        return self._logs.get(topic_id, self.log)

    def _orphans(self, bucket: dict[str, bytes]) -> list[str]:
        if self._logs or self.faults.retention:
            return []  # of records that are gone, who wrote them may have been the only one who had them
        if self.faults.zombies and self.faults.change_rule:
            return checkers.orphans_only_of_ended_epochs(bucket, PLACE, _epoch)
        return checkers.no_orphans(bucket)

    def _dead(self, until: int) -> set[int]:
        return {
            record.offset
            for record in self.records(0, min(until, self._produced))
            if self._grouped and "g" not in json.loads(record.value or b"")
        }

    def _expected(self, cut: checkers.Cut) -> list[str]:
        """The rows of a cut's records under the rule that the cut names."""
        rule = [each.digest for each in self._versions].index(cut.fields["version"])
        missing = {offset for first, following in cut.fields["missing"] for offset in range(first, following)}
        bucket = self.bucket.contents() if missing else {}
        keys = [each["key"] for each in cut.fields["objects"]]
        adopted = {row["id"] for key in keys if key in bucket for row in checkers.rows_of(bucket[key])}
        ids = []
        for record in self._log_of(cut.topic_id):
            if not cut.fields["first"] <= record.offset < cut.fields["next"]:
                continue
            value, again = json.loads(record.value or b""), redriven(record)
            of_rules = {"first": value["id"], "second": value.get("second")}
            if again is not None:
                rule_id = again.failure.rule
                of_rules = {rule_id: of_rules[rule_id]} if self._carries(record.offset, again) else {}
            if value["x"] >= rule % 3 and (rule == MENDED or not self._grouped or "g" in value):
                made = [each for each in of_rules.values() if each is not None]
                # Of a record that Kafka has deleted an adopted object may hold what a worker made of it before.
                ids += [each for each in made if each in adopted] if record.offset in missing else made
        return ids

    def _carries(self, offset: int, again: Redriven) -> bool:
        """Whether the claim of a letter names the record at `offset`."""
        claim = self.bucket.objects.get(claims.key("a", again.failure))
        return claim is not None and json.loads(claim.body)["offset"] == offset

    def _dead_written_once(self, bucket: dict[str, bytes]) -> list[str]:
        """After all letters were sent again, each row that failed once is there once."""
        if self._operator is None:
            return []
        rows = [row["id"] for key in checkers.named_objects(bucket) for row in checkers.rows_of(bucket[key])]
        dead = [self._value(offset) for offset in self._dead_offsets]
        expected = [each for value in dead for each in (value["id"], value.get("second")) if each is not None]
        return [f"{rows.count(each)} times {each}, which failed once" for each in expected if rows.count(each) != 1]

    def _made_otherwise(self, bucket: dict[str, bytes]) -> list[str]:
        """Objects that have other bytes if they are made again from their entry and their records alone."""
        actions = {each.digest: each for each in self._versions}
        wrong = []
        for cut in checkers.cuts(bucket):
            entry = ledger.read_entry(json.dumps(cut.fields).encode())
            action = actions[entry.version]
            assert action.container.inference is not None
            for each in entry.objects:
                rows = action.lines.evaluate(self.records(each.first, each.last + 1))
                epoch = int(self.bucket.objects[each.key].metadata["tidegate-epoch"])
                for name, lines in action.lines.arrived(rows, each.first).groups.items():
                    if action.key.location(name, partition="0", offset=each.first, epoch=epoch)[1] == each.key:
                        data = bytes(lines.data)
                        columns = action.container.inference.columns(data, entry.columns[: each.columns])
                        if action.container.inference.encode(data, columns) != bucket[each.key]:
                            wrong.append(f"{each.key} has other bytes than its entry and its records say")
        return wrong

    def _misplaced(self, bucket: dict[str, bytes]) -> list[tuple[str, dict[str, Any]]]:
        return [
            (key, row)
            for key, content in checkers.data_objects(bucket).items()
            for row in checkers.rows_of(content)
            if self._grouped and not key.startswith(f"{row['g']}/")
        ]


def _always() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _epoch(key: str) -> int:
    """The epoch that a key names."""
    return int(key.removesuffix(".jsonl").replace(".e", "-").rpartition("-")[2])
