"""What the actions of one worker fetch from Kafka, so that one answer serves all of them.

Each action has its own consumer group, its own positions and its own thread. They share only Kafka's answers, by place: the
topic's id, the partition and the offset that was asked for.

1. An action that asks for the place of a kept answer gets it without a request.
2. An action that asks for a place for which another action has asked Kafka a moment ago waits for that answer, for at most
   CLAIM_SECONDS. So a connection that hangs delays its own action alone.
3. An action that asks for any other place asks Kafka itself.

An answer is kept while another action may still come to its place, for at most KEPT_SECONDS, and all together have at most
KEPT_BYTES_MAX. So an action that stands still holds up nobody and no memory. When it goes on, it asks Kafka itself until it has
caught up. A place never gets another content: a topic that was created again has another id.

All methods may be called by any thread, and none of them waits. The time is an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from threading import Lock
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

KEPT_SECONDS: Final = 5.0
KEPT_BYTES_MAX: Final = 64 << 20
# Kafka answers after 1.5 s at the latest if there is nothing new.
CLAIM_SECONDS: Final = 3.0


class LogPlace(NamedTuple):
    """A place of a log that is asked for."""

    topic_id: str
    partition: int
    offset: int


class SharedAnswer(Protocol):
    """Kafka's answer for one place."""

    @property
    def size_bytes(self) -> int:
        """Its memory now."""

    @property
    def is_whole(self) -> bool:
        """Whether nobody has found it damaged."""


Answer = TypeVar("Answer", bound=SharedAnswer)


class Sharer(Protocol):
    """An action of the worker."""

    def tell(self) -> None:
        """Ask again: another action has got an answer, or none. Any thread calls this."""


class Taken(NamedTuple, Generic[Answer]):
    """What an action gets: answers; or the places to ask Kafka for, and until when others ask for the rest."""

    found: dict[LogPlace, Answer]
    claimed: Collection[LogPlace]
    until: float


class _Claim(NamedTuple):
    member: Sharer
    until: float


class _Position(NamedTuple):
    offset: int
    at: float


@dataclass(slots=True)
class _Kept(Generic[Answer]):
    answer: Answer
    at: float
    wanted_by: set[Sharer]


class SharedFetches(Generic[Answer]):
    """The answers of one worker."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = Lock()
        self._positions: dict[Sharer, dict[tuple[str, int], _Position]] = {}  # by topic id and partition
        self._claims: dict[LogPlace, _Claim] = {}
        self._kept: dict[LogPlace, _Kept[Answer]] = {}  # the oldest first

    @property
    def size_bytes(self) -> int:
        """The bytes of all answers that are kept."""
        return sum(each.answer.size_bytes for each in tuple(self._kept.values()))

    def join(self, member: Sharer) -> None:
        """Share with this action from now on."""
        with self._lock:
            self._positions.setdefault(member, {})

    def leave(self, member: Sharer) -> None:
        """Share no more. Nobody waits for its answers any longer."""
        with self._lock:
            self._positions.pop(member, None)
            self._claims = {place: claim for place, claim in self._claims.items() if claim.member is not member}
            for each in self._kept.values():
                each.wanted_by.discard(member)
            self._forget_unwanted()
            others = list(self._positions)
        _tell(others)

    def is_alone(self, member: Sharer) -> bool:
        """Whether nobody else shares."""
        with self._lock:
            return not self._positions.keys() - {member}

    def take(self, member: Sharer, places: Collection[LogPlace], now: float, *, may_claim: bool) -> Taken[Answer]:
        """The answers for some of the places, or the places to ask for. Whoever claims places has to `settle` them.

        Without `may_claim` nothing is claimed.
        """
        with self._lock:
            self._stand_at(member, places, now)
            self._forget_old(now)
            found = {at: kept.answer for at in places if (kept := self._kept.get(at)) and kept.answer.is_whole}
            for place in found:
                self._kept[place].wanted_by.discard(member)
            self._forget_unwanted()
            if found:
                return Taken(found, (), inf)
            claims = {place: claim for place in places if (claim := self._claims.get(place)) and claim.until > now}
            claimed = [place for place in places if place not in claims] if may_claim else []
            self._claims.update(dict.fromkeys(claimed, _Claim(member, now + CLAIM_SECONDS)))
            return Taken({}, claimed, min((each.until for each in claims.values()), default=inf))

    def settle(
        self, member: Sharer, places: Iterable[LogPlace], answers: Mapping[LogPlace, Answer], now: float
    ) -> None:
        """Give up claims, keep the answers that others may want, and tell all others."""
        with self._lock:
            for place in places:
                if (claim := self._claims.get(place)) and claim.member is member:
                    del self._claims[place]
            for place, answer in answers.items():
                wanted_by = {
                    other for other in self._positions if other is not member and self._nears(other, place, now)
                }
                if wanted_by:
                    self._kept[place] = _Kept(answer, now, wanted_by)
            self._forget_old(now)
            others = [each for each in self._positions if each is not member]
        _tell(others)

    def _stand_at(self, member: Sharer, places: Iterable[LogPlace], now: float) -> None:
        """Note where an action reads. It needs no answer of an earlier place any more."""
        positions = self._positions.get(member, {})  # of one that has left, nobody remembers it
        positions.update({(at.topic_id, at.partition): _Position(at.offset, now) for at in places})
        for place, kept in self._kept.items():
            stands = positions.get((place.topic_id, place.partition))
            if stands is not None and stands.offset > place.offset:
                kept.wanted_by.discard(member)

    def _nears(self, member: Sharer, place: LogPlace, now: float) -> bool:
        """Whether an action that has asked a moment ago may come to this place."""
        stands = self._positions[member].get((place.topic_id, place.partition))
        return stands is not None and stands.offset <= place.offset and now - stands.at < KEPT_SECONDS

    def _forget_unwanted(self) -> None:
        self._kept = {place: kept for place, kept in self._kept.items() if kept.wanted_by}

    def _forget_old(self, now: float) -> None:
        """Forget what nobody came for in time, and the oldest answers beyond the limit of memory."""
        self._kept = {place: kept for place, kept in self._kept.items() if now - kept.at < KEPT_SECONDS}
        surplus = self.size_bytes - self._bytes_max
        for place in list(self._kept):
            if surplus <= 0:
                break
            surplus -= self._kept.pop(place).answer.size_bytes


def _tell(members: Iterable[Sharer]) -> None:
    for each in members:
        each.tell()
