"""One answer of Kafka serves all actions of a worker that come to its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.stream.sharing.fetches import (
    CLAIM_SECONDS,
    KEPT_ANSWERS_MAX,
    KEPT_SECONDS,
    Advice,
    LogPlace,
    SharedFetches,
)

KEPT_BYTES_MAX = 10
ASK: Advice[Any] = Advice({})


@dataclass
class Answer:
    """An answer that says for which place it is, with so many records from there on."""

    place: LogPlace
    size_bytes: int = 3
    is_whole: bool = True
    records: int = 1

    @property
    def next_offset(self) -> int:
        """The offset behind its records."""
        return self.place.offset + self.records


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
    """The fetches of so many actions, all of which have asked for offset 0 at time 0, and got nothing."""
    shared: SharedFetches[Answer] = SharedFetches(KEPT_BYTES_MAX)
    actions = [Action() for _ in range(count)]
    for action in actions:
        shared.join(action)
        shared.take(action, [at(0)], 0.0)
        shared.settle(action, [at(0)], {}, 0.0)
        action.told = 0
    return shared, actions


def answered(shared: SharedFetches[Answer], action: Action, *places: LogPlace, now: float) -> None:
    """Kafka answers an action, whatever others have claimed."""
    shared.settle(action, places, {place: Answer(place) for place in places}, now)


def test_one_asks_and_the_others_get_its_answer() -> None:
    """Of several actions at one place, the first asks Kafka; the others are told, and take its answer."""
    shared, (one, two, three) = shared_by(3)

    assert shared.take(one, [at(0)], 1.0) == ASK
    assert shared.take(two, [at(0)], 1.0) == Advice({}, 1.0 + CLAIM_SECONDS)
    answered(shared, one, at(0), now=1.5)

    assert (one.told, two.told, three.told) == (0, 1, 0)
    for action in (two, three):
        assert shared.take(action, [at(0)], 1.5).found == {at(0): Answer(at(0))}


def test_whoever_wants_anything_else_too_asks_for_all_of_it() -> None:
    """An action never waits for others if they have not asked for all that it wants."""
    shared, (one, two) = shared_by(2)
    shared.take(one, [at(0)], 1.0)

    assert shared.take(two, [at(0), at(0, partition=1)], 1.0) == ASK


def test_whoever_may_not_claim_holds_up_nobody() -> None:
    """An action that only looks for answers of others claims nothing."""
    shared, (one, two) = shared_by(2)

    assert shared.take(one, [at(0)], 1.0, may_claim=False) == ASK
    assert shared.take(two, [at(0)], 1.0) == ASK


def test_what_is_kept_comes_before_what_must_be_asked_for() -> None:
    """An action gets at once what others have got, whatever else it wants."""
    shared, (one, two) = shared_by(2)
    answered(shared, one, at(0), now=1.0)

    assert shared.take(two, [at(0), at(0, partition=1)], 1.0).found == {at(0): Answer(at(0))}


def test_whoever_is_not_answered_does_not_hold_up_the_others() -> None:
    """A claim ends after a while, with an answer that has nothing to share, and with the action."""
    shared, (one, two) = shared_by(2)
    shared.take(one, [at(0)], 1.0)
    assert shared.take(two, [at(0)], 1.0 + CLAIM_SECONDS) == ASK

    shared.take(one, [at(5)], 5.0)
    shared.settle(one, [at(5)], {}, 5.0)
    assert shared.take(two, [at(5)], 5.0) == ASK

    assert shared.take(one, [at(5)], 5.0).wait_until
    shared.leave(two, 5.0)
    assert one.told
    assert shared.take(one, [at(5)], 5.0) == ASK
    assert shared.is_alone(one)


def test_a_late_answer_ends_nobody_elses_claim() -> None:
    """An action that was given up meanwhile settles its own claims alone."""
    shared, (one, two, three) = shared_by(3)
    shared.take(one, [at(0)], 1.0)
    shared.take(two, [at(0)], 1.0 + CLAIM_SECONDS)

    shared.settle(one, [at(0)], {}, 2.0 + CLAIM_SECONDS)

    assert shared.take(three, [at(0)], 2.0 + CLAIM_SECONDS).wait_until == 1.0 + 2 * CLAIM_SECONDS


def test_an_action_does_not_wait_for_itself() -> None:
    """An action that asks again, because the partition has moved to another broker, asks Kafka again."""
    shared, (one, _) = shared_by(2)
    shared.take(one, [at(0)], 1.0)

    assert shared.take(one, [at(0)], 1.1) == ASK


def test_an_action_that_asks_for_nothing_holds_no_memory() -> None:
    """Answers wait for an action that stands still only for a moment, and later ones do not wait for it."""
    shared, (one, _) = shared_by(2)
    shared.take(one, [at(0)], 1.0)
    answered(shared, one, at(0), now=1.0)
    assert shared.size_bytes == 3

    shared.take(one, [at(5)], 1.0 + KEPT_SECONDS)
    assert shared.size_bytes == 0

    answered(shared, one, at(5), now=1.0 + KEPT_SECONDS)
    assert shared.size_bytes == 0


def test_an_answer_waits_for_nobody_who_is_behind_it() -> None:
    """An answer goes when all have passed it."""
    shared, (one, two) = shared_by(2)
    answered(shared, one, at(0), now=1.0)
    shared.take(one, [at(1)], 1.0)
    assert shared.size_bytes == 3

    shared.take(two, [at(1)], 1.0)

    assert shared.size_bytes == 0


def test_an_answer_serves_whoever_is_in_the_midst_of_it() -> None:
    """An action that has begun elsewhere gets the answer of another one, which is kept until all are at its end."""
    shared, (one, two) = shared_by(2)
    shared.take(two, [at(2)], 1.0)
    shared.settle(one, [at(0)], {at(0): Answer(at(0), records=5)}, 1.0)
    shared.take(one, [at(5)], 1.0)

    assert shared.take(two, [at(4)], 1.0).found == {at(4): Answer(at(0), records=5)}
    assert not shared.take(two, [at(5)], 1.0).found
    assert shared.size_bytes == 0


def test_nothing_is_kept_for_whoever_is_at_the_end_of_an_answer() -> None:
    """An action that needs none of its records does not keep it."""
    shared, (one, two) = shared_by(2)
    shared.take(two, [at(5)], 1.0)
    shared.settle(one, [at(0)], {at(0): Answer(at(0), records=5)}, 1.0)

    assert shared.size_bytes == 0


def test_the_oldest_answers_go_at_the_limit_of_memory() -> None:
    """All answers together stay below the limit, and an action that comes for one that has gone asks Kafka."""
    shared, (one, two) = shared_by(2)
    for offset in range(4):
        answered(shared, one, at(offset), now=1.0 + offset / 10)

    assert shared.size_bytes == 9
    assert shared.take(two, [at(0)], 1.5) == ASK
    assert shared.take(two, [at(1)], 1.5).found


def test_small_answers_have_a_limit_too() -> None:
    """A partition keeps a few answers, however small they are."""
    shared, (one, two) = shared_by(2)
    for offset in range(KEPT_ANSWERS_MAX + 1):
        shared.settle(one, [at(offset)], {at(offset): Answer(at(offset), size_bytes=0)}, 1.0)

    assert shared.take(two, [at(0)], 1.5) == ASK
    assert shared.take(two, [at(1)], 1.5).found


def test_an_answer_that_is_damaged_is_asked_for_again() -> None:
    """Nobody gets an answer in which somebody has found a wrong checksum."""
    shared, (one, two) = shared_by(2)
    shared.settle(one, [at(0)], {at(0): Answer(at(0), is_whole=False)}, 1.0)

    assert shared.take(two, [at(0)], 1.0) == ASK


def test_a_topic_that_was_created_again_is_another_one() -> None:
    """An offset of the new topic never gets records of the old one."""
    shared, (one, two) = shared_by(2)
    answered(shared, one, at(0), now=1.0)

    assert shared.take(two, [at(0, topic_id="two")], 1.0) == ASK


def test_whoever_has_left_shares_nothing() -> None:
    """An action that could not be ended in time asks Kafka, and nothing is kept for it."""
    shared, (one, two) = shared_by(2)
    shared.leave(two, 1.0)
    shared.take(two, [at(0)], 1.0)
    answered(shared, one, at(0), now=1.0)

    assert shared.is_alone(one)
    assert shared.is_alone(two)
    assert shared.size_bytes == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # the action
            st.sampled_from(["ask", "answer", "fail", "leave", "join"]),
            st.lists(st.tuples(st.sampled_from(["one", "two"]), st.integers(0, 1), st.integers(0, 3)), min_size=1),
            st.floats(0.0, 2.0),  # the time that passes
        ),
        max_size=60,
    )
)
def test_whatever_comes_actions_get_what_they_ask_for(
    steps: list[tuple[int, str, list[tuple[str, int, int]], float]],
) -> None:
    """An action gets answers for its places, or waits for others that have asked for all of them; memory is bounded."""
    shared, actions = shared_by(3)
    now = 1.0
    claims: dict[tuple[Action, LogPlace], float] = {}
    for number, step, wanted, seconds in steps:
        action, now = actions[number], now + seconds
        if step == "ask":
            places = [LogPlace(*each) for each in dict.fromkeys(wanted)]
            found, until = shared.take(action, places, now)
            assert all(answer.place == place and place in places for place, answer in found.items())
            if until:
                of_others = [
                    [end for (who, claimed), end in claims.items() if claimed == place and who is not action]
                    for place in places
                ]
                assert now < until <= now + CLAIM_SECONDS
                assert all(max(ends, default=now) > now for ends in of_others)
            elif not found:
                action.claimed.update(places)
                claims.update({(action, place): now + CLAIM_SECONDS for place in places})
        elif step in {"leave", "join"}:
            shared.leave(action, now) if step == "leave" else shared.join(action)
        else:
            answers = {place: Answer(place) for place in action.claimed if step == "answer"}
            shared.settle(action, action.claimed, answers, now)
        if step in {"leave", "answer", "fail"}:
            action.claimed.clear()
            claims = {claim: end for claim, end in claims.items() if claim[0] is not action}
        assert shared.size_bytes <= KEPT_BYTES_MAX
