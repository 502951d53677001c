"""A person who sends dead letters again, with the code of the command, and whose command is killed in the middle now and then."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from agents.operate.redrive import Redrive
from agents.sinks.claims import Standings
from pipeline import dead_letter
from pipeline.config import Config
from pipeline.dead_letter import Folding, Letter
from pipeline.record import Outgoing, Record
from pipeline.redriven import Failure

LETTERS_AT_ONCE = 3


class KilledError(Exception):
    """The command ended where it stood."""


class Operator:
    """Reads the dead letter topic, and sends again what counts: `send` takes a record into the log, or a mark into the topic."""

    def __init__(
        self,
        config: Config,
        letters: list[Outgoing],
        take: Callable[[Outgoing], None],
        standings: Callable[[], Standings | None],
        chance: random.Random,
    ) -> None:
        self._config = config
        self._letters = letters
        self._take = take
        self._standings = standings
        self._chance = chance
        self._killed = 0.0

    async def redrive(self, *, killed: float) -> int:
        """Once over the topic; how many letters were kept. `killed`: the chance of that, at each record that is sent."""
        self._killed = killed
        job = _Redrive(self._config, self, lambda text: None)
        job.asked = self._standings()
        try:
            letters = self.open_letters()
            for at in range(0, len(letters), LETTERS_AT_ONCE):
                await job.send(letters[at : at + LETTERS_AT_ONCE])
        except KilledError:
            return 1
        return job.tally.kept

    def open_letters(self) -> list[Letter]:
        """Those that no mark is about, each once."""
        found = [dead_letter.read(_in_topic(record, offset)) for offset, record in enumerate(self._letters)]
        folding = Folding(runs=True)
        for each in found:
            folding.learn(each)
        letters = [each for each in found if isinstance(each, Letter)]
        return [each for each in letters if folding.last_of(each) and not folding.is_settled(each)]

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Kafka takes them one by one."""
        for record in records:
            if self._killed and self._chance.random() < self._killed:
                raise KilledError
            if topic == self._config.kafka.dead_letter_topic:
                self._letters.append(record)
            else:
                self._take(record)


class _Redrive(Redrive):
    asked: Standings | None = None

    async def _standings_of(self, failure: Failure, bucket: str) -> Standings | None:
        return self.asked


def _in_topic(record: Outgoing, offset: int) -> Record:
    return Record("dead", 0, offset, record.timestamp_ms, record.key, record.value, record.headers)
