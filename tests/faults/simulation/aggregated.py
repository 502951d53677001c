"""The world of an aggregated action: changing rules, records with zero to two rows, and dead letters."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.lane import Lane, Partition
from agents.sinks.patient_store import PatientStore
from pipeline.action import AggregatedAction
from pipeline.record import Record
from pipeline.rule import RuleSet
from tests.faults import checkers
from tests.faults.faults import Faults
from tests.faults.simulation.world import BYTES_BEYOND, BYTES_SHORT, Worker, World, kafka_record
from tests.parts.actions import aggregated

PLACE: Final = ("a", "mqtt.messages", 0)
RECORDS: Final = 120
KEYS: Final = ("${g}/x.jsonl", "${g}/${datetime.hh}${datetime.mm}/x-${partition}-${offset}.e${epoch}.jsonl", "x.jsonl")


def make_log(seed: int, records: int = RECORDS, *, plain: bool = False) -> list[Record]:
    """Records of three groups. `x` decides under which rules one is filtered; without `g` it is a dead letter.

    If `plain`, each has one row at most and none is a dead letter.
    """
    chance = random.Random(seed)
    log = []
    for offset in range(records):
        value: dict[str, Any] = {
            "n": offset,
            "id": f"{offset}",
            "g": chance.choice("ABC"),
            "x": chance.randrange(-1, 4),
        }
        if chance.random() < 0.1 and not plain:
            value["second"] = f"{offset}b"
        if chance.random() < 0.04 and not plain:
            value["x"] = 3
            del value["g"]
        log.append(kafka_record(offset, b"c%d" % chance.randrange(3), json.dumps(value).encode()))
    return log


@functools.cache
def version(rule: int, key: str, compression: str) -> AggregatedAction:
    """Rule number 0, 1 or 2: the higher, the more is filtered.

    Small objects, a short interval; those of 2 are smaller still.
    """
    select = f'SELECT payload.g AS g, payload.n AS n, {{}} AS id, {rule} AS rule FROM "t/#" WHERE payload.x >= {rule}'
    statements = {
        "first": select.format("payload.id"),
        "second": select.format("payload.second") + " AND is_not_null(payload.second)",
    }
    aggregation = {"time_interval": "5s", "max_records": 5 if rule < 2 else 3}
    settings = {"key": key, "missing": "dead_letter", "compression": compression, "aggregation": aggregation}
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
        super().__init__(seed, log or make_log(seed), faults)
        self._lane_type = lane_type
        self._key = KEYS[seed % len(KEYS)]
        self._versions = [version(rule, self._key, compression) for rule in range(3)]
        self._grouped = "${g}" in self._key
        self._values = [json.loads(record.value or b"") for record in self.log]
        self._dead_offsets = [n for n, value in enumerate(self._values) if self._grouped and "g" not in value]

    def rules(self) -> RuleSet:
        return self._versions[self.rule].rules

    def open_lane(self, worker: Worker) -> Callable[[Partition, Callable[[], None]], Lane]:
        action = self._versions[self.rule]
        if self.faults.parts:
            action = replace(action, parameters=action.parameters.model_copy(update={"min_part_size": 100}))
        writer = AggregatedWriter(
            name="a",
            action=action,
            store=PatientStore(worker.link, Attempts("a", cap_seconds=5.0)),  # type: ignore[arg-type]
            dead_letters=DeadLetters(self.letters, "dead", "a", Attempts("a")),
            end_offset=self._end_offset,
        )
        return lambda partition, on_room: self._lane_type(partition, on_room, writer)

    async def _end_offset(self, partition: Partition) -> int:
        return self.end_offset

    # --- What must hold

    def uncovered(self, offset: int) -> list[str]:
        return [
            *checkers.covered(self.bucket.contents(), PLACE, offset),
            *(f"dead letter {lost} is lost" for lost in sorted(self._dead(offset) - self.letters.offsets)),
        ]

    def wrongs(self) -> list[str]:
        bucket = self.bucket.contents()
        wrong = [
            *self.found,
            *checkers.unbroken_chain(bucket, PLACE, 0, len(self.log)),
            *checkers.conservation(bucket, "n"),
            *checkers.whole_objects(bucket),
            *checkers.rows_as_ruled(bucket, self._expected, "id"),
            *self._orphans(bucket),
            *checkers.created_once(self.bucket.history),
            *(f"row of {row['g']} in {key}" for key, row in self._misplaced(bucket)),
        ]
        if self.faults.memory_short:
            wrong += checkers.bounds_kept({"held bytes": (self.most_held_bytes, BYTES_SHORT + BYTES_BEYOND)})
        return wrong

    def _orphans(self, bucket: dict[str, bytes]) -> list[str]:
        if self.faults.zombies and self.faults.change_rule:
            return checkers.orphans_only_of_ended_epochs(bucket, PLACE, _epoch)
        return checkers.no_orphans(bucket)

    def _dead(self, until: int) -> set[int]:
        return {offset for offset in self._dead_offsets if offset < until}

    def _expected(self, cut: checkers.Cut) -> list[str]:
        """The rows of a cut's records under the rule that the cut names."""
        rule = [each.digest for each in self._versions].index(cut.fields["version"])
        dead = self._dead(len(self.log))
        ids = []
        for offset in range(cut.fields["first"], cut.fields["next"]):
            value = self._values[offset]
            if value["x"] >= rule and offset not in dead:
                ids += [value["id"], *([value["second"]] if "second" in value else [])]
        return ids

    def _misplaced(self, bucket: dict[str, bytes]) -> list[tuple[str, dict[str, Any]]]:
        return [
            (key, row)
            for key, content in checkers.data_objects(bucket).items()
            for row in checkers.rows_of(content)
            if self._grouped and not key.startswith(f"{row['g']}/")
        ]


def _epoch(key: str) -> int:
    """The epoch that a key names."""
    return int(key.removesuffix(".jsonl").replace(".e", "-").rpartition("-")[2])
