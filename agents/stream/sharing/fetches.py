"""What the actions of one worker fetch from Kafka, so that one answer serves all of them.

Each action has its own consumer group, its own positions and its own thread. They share only Kafka's answers, by place: the
topic's id, the partition and the offset that was asked for. An action that wants the records at some places gets one of these:

1. the answers for them that are kept, if there are any;
2. the advice to wait, if others have just asked Kafka for all of these places;
3. the advice to ask Kafka for all of them, as it would alone. These are its claims, until it settles them.

So an action that is alone at a place, or behind the others, fetches for itself. A claim holds up others for CLAIM_SECONDS at
most, so a connection that hangs delays its own action alone.

An answer also serves an action whose place is in the midst of it. Otherwise two actions whose answers once began at other
offsets would never share again. It is kept while another action is on its way there: it has asked for a place before the
answer's end, within KEPT_SECONDS. There are limits for the answers of a partition, and for the bytes of all. So an action that
stands still holds up nobody and no memory. A place never gets another content: a topic that was created again has another id.

All methods may be called by any thread, and none of them waits. The time is an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import inf
from threading import Lock
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

KEPT_SECONDS: Final = 5.0
KEPT_ANSWERS_MAX: Final = 16  # of one partition
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
    def next_offset(self) -> int:
        """The offset behind its records."""

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


class Advice(NamedTuple, Generic[Answer]):
    """What an action gets: answers; or the time until which it waits to be told, and then asks again; or neither."""

    found: Mapping[LogPlace, Answer]
    wait_until: float | None = None


class _Timed(NamedTuple, Generic[Answer]):
    answer: Answer
    at: float


class _Log(Generic[Answer]):
    """One partition: where each action reads, and claims and answers by offset."""

    def __init__(self) -> None:
        self.positions: dict[Sharer, tuple[int, float]] = {}  # the offset, and when it was asked for
        self.claims: dict[int, tuple[Sharer, float]] = {}  # until then
        self.answers: dict[int, _Timed[Answer]] = {}  # the oldest first

    def answer(self, offset: int) -> Answer | None:
        """The answer that is kept for an offset, perhaps from an earlier one on."""
        for begin, (answer, _) in reversed(self.answers.items()):
            if begin <= offset < answer.next_offset and answer.is_whole:
                return answer
        return None

    def claimed_until(self, member: Sharer, offset: int, now: float) -> float | None:
        """When the claim of another action ends. None if there is none."""
        claimant, until = self.claims.get(offset, (member, now))
        return until if claimant is not member and until > now else None

    def is_awaited(self, answer: Answer, member: Sharer, now: float) -> bool:
        """Whether an action besides `member` is on its way to an answer, or in the midst of it."""
        return any(
            each is not member and at < answer.next_offset and now - asked_at < KEPT_SECONDS
            for each, (at, asked_at) in self.positions.items()
        )

    def forget(self, now: float) -> None:
        """Forget whoever asks no more, and from the oldest answer on those that are old, passed by all, or too many."""
        self.positions = {each: place for each, place in self.positions.items() if now - place[1] < KEPT_SECONDS}
        first = min((offset for offset, _ in self.positions.values()), default=inf)
        while self.answers:
            offset, (answer, at) = next(iter(self.answers.items()))
            if now - at < KEPT_SECONDS and answer.next_offset > first and len(self.answers) <= KEPT_ANSWERS_MAX:
                break
            del self.answers[offset]


class SharedFetches(Generic[Answer]):
    """The answers of one worker."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = Lock()
        self._members: set[Sharer] = set()
        self._waiting: set[Sharer] = set()
        self._logs: dict[tuple[str, int], _Log[Answer]] = {}  # by topic id and partition

    @property
    def size_bytes(self) -> int:
        """The bytes of all answers that are kept."""
        with self._lock:
            return self._size_bytes()

    def join(self, member: Sharer) -> None:
        """Share with this action from now on."""
        with self._lock:
            self._members.add(member)

    def leave(self, member: Sharer, now: float) -> None:
        """Share no more. Nobody waits for its answers any longer."""
        with self._lock:
            self._members.discard(member)
            self._waiting.discard(member)
            for log in self._logs.values():
                log.positions.pop(member, None)
                log.claims = {offset: claim for offset, claim in log.claims.items() if claim[0] is not member}
            self._forget(now)
            told = self._told()
        _tell(told)

    def is_alone(self, member: Sharer) -> bool:
        """Whether this action shares with nobody."""
        with self._lock:
            return member not in self._members or len(self._members) == 1

    def take(
        self, member: Sharer, places: Collection[LogPlace], now: float, *, may_claim: bool = True
    ) -> Advice[Answer]:
        """What to do to get records at these places. Whoever gets neither answers nor a time asks Kafka, and settles them.

        Without `may_claim` nothing is claimed, and so Kafka must not be asked.
        """
        with self._lock:
            logs = [self._stand_at(member, place, now) for place in places]
            pairs = list(zip(places, logs, strict=True))
            if found := {at: answer for at, log in pairs if (answer := log.answer(at.offset)) is not None}:
                return Advice(found)
            ends = [log.claimed_until(member, at.offset, now) for at, log in pairs]
            if until := _earliest(ends):
                self._waiting.add(member)
                return Advice({}, until)
            if may_claim:
                for at, log in pairs:
                    log.claims[at.offset] = member, now + CLAIM_SECONDS
            return Advice({})

    def settle(
        self, member: Sharer, places: Iterable[LogPlace], answers: Mapping[LogPlace, Answer], now: float
    ) -> None:
        """Give up claims, keep the answers that others are on their way to, and tell whoever waits."""
        with self._lock:
            for place in places:
                log = self._log(place)
                if log.claims.get(place.offset, (None, now))[0] is member:
                    del log.claims[place.offset]
                if (answer := answers.get(place)) and log.is_awaited(answer, member, now):
                    log.answers.pop(place.offset, None)
                    log.answers[place.offset] = _Timed(answer, now)
            self._forget(now)
            told = self._told()
        _tell(told)

    def _log(self, place: LogPlace) -> _Log[Answer]:
        return self._logs.setdefault((place.topic_id, place.partition), _Log())

    def _stand_at(self, member: Sharer, place: LogPlace, now: float) -> _Log[Answer]:
        """Note where an action reads. What all have passed is not kept any more."""
        log = self._log(place)
        if member in self._members:
            log.positions[member] = place.offset, now
        log.forget(now)
        return log

    def _forget(self, now: float) -> None:
        """Forget what nobody comes for, and the oldest answers beyond the limit of memory."""
        for log in self._logs.values():
            log.forget(now)
        self._logs = {at: log for at, log in self._logs.items() if log.positions or log.answers or log.claims}
        surplus = self._size_bytes() - self._bytes_max
        while surplus > 0:
            oldest = min((log for log in self._logs.values() if log.answers), key=_begins_at)
            surplus -= oldest.answers.pop(next(iter(oldest.answers))).answer.size_bytes

    def _size_bytes(self) -> int:
        return sum(kept.answer.size_bytes for log in self._logs.values() for kept in log.answers.values())

    def _told(self) -> set[Sharer]:
        """Those that wait, who are told now."""
        told, self._waiting = self._waiting, set()
        return told


def _begins_at(log: _Log[Answer]) -> float:
    """The time of its oldest answer."""
    return next(iter(log.answers.values())).at


def _earliest(ends: Iterable[float | None]) -> float | None:
    """The first of the times, if there is a time everywhere."""
    found = list(ends)
    times = [end for end in found if end is not None]
    return min(times) if times and len(times) == len(found) else None


def _tell(members: Iterable[Sharer]) -> None:
    for each in members:
        each.tell()
