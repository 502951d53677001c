"""One answer of Kafka serves all actions of a worker that come to its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from agents.stream.shared_fetches import CLAIM_SECONDS, KEPT_SECONDS, LogPlace, SharedFetches

SHARED_BYTES_MAX = 10


@dataclass
class Answer:
    """An answer that says for which place it is."""

    place: LogPlace
    size_bytes: int = 3
    is_whole: bool = True


@dataclass(eq=False)
class Action:
    """An action that counts how often it was told to ask again."""

    told: int = 0
    claimed: set[LogPlace] = field(default_factory=set)

    def tell(self) -> None:
        """Count."""
        self.told += 1


def at(offset: int, *, partition: int = 0, topic_id: str = "one") -> LogPlace:
    """A place."""
    return LogPlace(topic_id, partition, offset)


def shared_by(count: int) -> tuple[SharedFetches[Answer], list[Action]]:
    """The fetches of so many actions, all of which have asked for offset 0."""
    shared: SharedFetches[Answer] = SharedFetches(SHARED_BYTES_MAX)
    actions = [Action() for _ in range(count)]
    for action in actions:
        shared.join(action)
        shared.take(action, [at(0)], 0.0, may_claim=False)
    return shared, actions


def test_one_asks_and_the_others_get_its_answer() -> None:
    """Of several actions at one place, the first asks Kafka; the others are told, and take its answer."""
    shared, (one, two, three) = shared_by(3)

    assert shared.take(one, [at(0)], 1.0, may_claim=True).claimed == [at(0)]
    assert shared.take(two, [at(0)], 1.0, may_claim=True) == ({}, [], 1.0 + CLAIM_SECONDS)
    shared.settle(one, [at(0)], {at(0): Answer(at(0))}, 1.5)

    assert (one.told, two.told, three.told) == (0, 1, 1)
    for action in (two, three):
        assert shared.take(action, [at(0)], 1.5, may_claim=True).found == {at(0): Answer(at(0))}
    assert shared.size_bytes == 0


def test_whoever_is_not_answered_does_not_hold_up_the_others() -> None:
    """A claim ends after a while, with the action, and with an answer that has nothing to share."""
    shared, (one, two) = shared_by(2)
    shared.take(one, [at(0)], 1.0, may_claim=True)
    assert shared.take(two, [at(0)], 1.0 + CLAIM_SECONDS, may_claim=True).claimed == [at(0)]

    shared.take(one, [at(5)], 5.0, may_claim=True)
    shared.settle(one, [at(5)], {}, 5.0)
    assert shared.take(two, [at(5)], 5.0, may_claim=True).claimed == [at(5)]

    shared.leave(two)
    assert shared.take(one, [at(5)], 5.0, may_claim=True).claimed == [at(5)]
    assert shared.is_alone(one)


def test_an_action_that_asks_for_nothing_holds_no_memory() -> None:
    """Answers wait for an action that stands still only for a moment, and later ones do not wait for it."""
    shared, (one, _) = shared_by(2)
    shared.take(one, [at(0)], 1.0, may_claim=True)
    shared.settle(one, [at(0)], {at(0): Answer(at(0))}, 1.0)
    assert shared.size_bytes == 3

    shared.take(one, [at(5)], 1.0 + KEPT_SECONDS, may_claim=True)
    assert shared.size_bytes == 0

    shared.settle(one, [at(5)], {at(5): Answer(at(5))}, 1.0 + KEPT_SECONDS)
    assert shared.size_bytes == 0


def test_an_answer_waits_for_nobody_who_is_behind_it() -> None:
    """An answer goes when all others have passed it."""
    shared, (one, two) = shared_by(2)
    shared.settle(one, [], {at(0): Answer(at(0))}, 1.0)
    assert shared.size_bytes == 3

    shared.take(two, [at(1)], 1.0, may_claim=True)

    assert shared.size_bytes == 0


def test_the_oldest_answers_go_at_the_limit_of_memory() -> None:
    """All answers together stay below the limit, and an action that comes for one that has gone asks Kafka."""
    shared, (one, two) = shared_by(2)
    shared.settle(one, [], {at(offset): Answer(at(offset)) for offset in range(4)}, 1.0)

    assert shared.size_bytes == 9
    assert shared.take(two, [at(0)], 1.0, may_claim=True).claimed == [at(0)]
    assert shared.take(two, [at(1)], 1.0, may_claim=True).found


def test_an_answer_that_is_damaged_is_asked_for_again() -> None:
    """Nobody gets an answer in which somebody has found a wrong checksum."""
    shared, (one, two) = shared_by(2)
    shared.settle(one, [], {at(0): Answer(at(0), is_whole=False)}, 1.0)

    assert shared.take(two, [at(0)], 1.0, may_claim=True).claimed == [at(0)]


def test_a_topic_that_was_created_again_is_another_one() -> None:
    """An offset of the new topic never gets records of the old one."""
    shared, (one, two) = shared_by(2)
    shared.settle(one, [], {at(0): Answer(at(0))}, 1.0)

    taken = shared.take(two, [at(0, topic_id="two")], 1.0, may_claim=True)

    assert taken == ({}, [at(0, topic_id="two")], inf)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # the action
            st.sampled_from(["ask", "answer", "fail", "leave"]),
            st.lists(st.tuples(st.sampled_from(["one", "two"]), st.integers(0, 1), st.integers(0, 3)), min_size=1),
            st.floats(0.0, 2.0),  # the time that passes
        ),
        max_size=60,
    )
)
def test_whatever_comes_actions_get_what_they_ask_for(
    steps: list[tuple[int, str, list[tuple[str, int, int]], float]],
) -> None:
    """An action gets answers for its places alone, one asks Kafka for a place at a time, and memory is bounded."""
    shared, actions = shared_by(3)
    now = 1.0
    claims: dict[LogPlace, tuple[Action, float]] = {}
    for number, step, wanted, seconds in steps:
        action, now = actions[number], now + seconds
        if step == "ask":
            places = [LogPlace(*each) for each in dict.fromkeys(wanted)]
            taken = shared.take(action, places, now, may_claim=not action.claimed)
            assert all(answer.place == place and place in places for place, answer in taken.found.items())
            for place in taken.claimed:
                assert place not in claims or claims[place][1] <= now
                claims[place] = action, now + CLAIM_SECONDS
            action.claimed.update(taken.claimed)
            assert taken.found or taken.claimed or action.claimed or taken.until > now
        elif step == "leave":
            shared.leave(action)
            action.claimed.clear()
            claims = {place: claim for place, claim in claims.items() if claim[0] is not action}
        else:
            answers = {place: Answer(place) for place in action.claimed if step == "answer"}
            shared.settle(action, action.claimed, answers, now)
            action.claimed.clear()
            claims = {place: claim for place, claim in claims.items() if claim[0] is not action}
        assert shared.size_bytes <= SHARED_BYTES_MAX
