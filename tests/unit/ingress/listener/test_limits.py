"""How much of a listener one client or one address may take, as values: no clock, no socket."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from ingress.listener.limits.allowance import BURST_SECONDS, OVER_SECONDS_MAX, Allowance
from ingress.listener.limits.guesses import (
    DELAY_SECONDS_MAX,
    FORGET_SECONDS,
    REMEMBERED_MAX,
    WRONG_BURST,
    Guesses,
    Recent,
)
from ingress.listener.limits.memory import Memory
from ingress.listener.limits.queueing import Queueing
from ingress.listener.limits.seats import PATIENCE_SECONDS, Seat, Seats, network
from ingress.listener.limits.told import LINES_MAX, LINES_OF_ADDRESS_MAX, MINUTE_SECONDS, Told
from ingress.listener.limits.topics import TOPICS_MAX, TOPICS_OF_ONE_MAX, TOPICS_OF_ONE_MIN, TopicCount
from ingress.listener.notices import Notices

# --- Packets without a message


def test_a_burst_is_free_and_what_is_beyond_it_has_to_wait() -> None:
    """A client may send ten seconds' worth at once, and then waits."""
    allowance = Allowance(10, now=0.0)

    waits = [allowance.spend(int(10 * BURST_SECONDS), 0.0), allowance.spend(5, 0.0), allowance.spend(10, 0.5)]

    assert waits == [0.0, 0.5, 1.0]
    assert not allowance.is_used_up


def test_the_last_packet_of_a_burst_is_free_and_the_next_is_not() -> None:
    """Nobody is held back who has not gone beyond the limit, and a new client has used up nothing."""
    allowance = Allowance(1, now=0.0)

    assert not allowance.is_used_up
    assert allowance.spend(int(BURST_SECONDS), 0.0) == 0.0
    assert allowance.spend(1, 0.0) == 1.0


@pytest.mark.parametrize(("silence", "expected"), [(0.0, True), (5.0, False)])
def test_who_goes_on_too_long_has_used_it_up(silence: float, expected: bool) -> None:
    """A client that is held back for half a minute has used up its limit, and a pause starts a new count."""
    allowance, now = Allowance(10, now=0.0), 0.0
    used_up = []
    while now < OVER_SECONDS_MAX * 2:
        now += allowance.spend(150, now) + silence
        used_up.append(allowance.is_used_up)

    assert any(used_up) is expected


# --- Remembered topics


def test_a_client_forgets_its_topics_when_it_or_all_have_many() -> None:
    """A client keeps many topics alone, and a few while all clients together have too many."""
    topics = TopicCount()
    alone = [topics.is_enough(own) for own in (0, TOPICS_OF_ONE_MAX - 1, TOPICS_OF_ONE_MAX)]
    topics.count = TOPICS_MAX
    crowded = [topics.is_enough(own) for own in (0, TOPICS_OF_ONE_MIN - 1, TOPICS_OF_ONE_MIN)]

    assert alone == [False, False, True]
    assert crowded == [False, False, True]


# --- Seats


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_whose_connection_it_is(host: str, expected: str) -> None:
    """An IPv4 address, however it is written, or the network of an IPv6 address."""
    assert network(host) == expected


@dataclass
class Newcomers:
    """Connections at one listener, by name; `ended` are those that had to give way."""

    places: Seats
    ended: list[str] = field(default_factory=list)

    def come(self, address: str, name: str, now: float = 0.0) -> Seat | str:
        return self.places.take(address, lambda: self.ended.append(name), now)

    def log_in(self, address: str, name: str) -> Seat:
        place = self.come(address, name)
        assert isinstance(place, Seat)
        self.places.logged_in(place)
        return place


def test_one_address_has_so_many_places() -> None:
    """The others have theirs; a place that is left is free again, and only once."""
    come = Newcomers(Seats(10, 2))
    first = come.log_in("a", "1")
    come.come("a", "2")
    refused = come.come("a", "3")
    other = come.come("b", "4")
    come.places.leave(first)
    come.places.leave(first)

    assert refused == "address_limit"
    assert isinstance(other, Seat)
    assert isinstance(come.come("a", "5"), Seat)
    assert come.come("a", "6") == "address_limit"
    assert (len(come.places), come.ended) == (3, [])


def test_who_says_nothing_gives_way_to_other_addresses() -> None:
    """The oldest of an address with many that have not logged in; who has logged in stays."""
    come = Newcomers(Seats(4, None))
    come.log_in("a", "in")
    for name in ("silent 1", "silent 2", "silent 3"):
        come.come("a", name)

    assert come.come("a", "another of a") == "limit"
    assert isinstance(come.come("b", "newcomer"), Seat)
    assert come.ended == ["silent 1"]
    assert len(come.places) == 4


def test_a_login_has_its_time_before_it_gives_way() -> None:
    """Two seconds, then even to one of its own address; when all have logged in, nobody gives way."""
    come = Newcomers(Seats(1, None))
    come.come("b", "slow")
    early = come.come("a", "early", PATIENCE_SECONDS - 0.1)
    late = come.come("b", "late", PATIENCE_SECONDS)
    assert isinstance(late, Seat)
    come.places.logged_in(late)

    assert early == "limit"
    assert come.ended == ["slow"]
    assert come.come("c", "last", 100.0) == "limit"


# --- Memory


@dataclass(eq=False)
class Holding:
    """Something that holds bytes until it has to give up."""

    gave_up: bool = False

    def give_up(self) -> None:
        self.gave_up = True


def test_who_holds_most_gives_up_at_the_address_that_holds_most() -> None:
    """One address cannot make another give up, and a small one of its own stays."""
    memory, small, large, other = Memory(100), Holding(), Holding(), Holding()
    memory.hold(other, "b", 40)
    memory.hold(small, "a", 10)
    memory.hold(large, "a", 50)
    before = large.gave_up
    memory.hold(small, "a", 20)

    assert not before
    assert (small.gave_up, large.gave_up, other.gave_up) == (False, True, False)
    assert memory.held_bytes == 60


def test_what_is_given_back_is_free() -> None:
    """The newest size counts, and 0 is nothing; a thing that is larger than all of it gives up itself."""
    memory, first, huge = Memory(100), Holding(), Holding()
    for size_bytes in (90, 10, 0, 50):
        memory.hold(first, "a", size_bytes)
    held = memory.held_bytes
    memory.hold(huge, "b", 101)

    assert held == memory.held_bytes == 50
    assert (first.gave_up, huge.gave_up) == (False, True)


# --- What the log is told


def test_a_client_and_reason_is_told_once_a_minute() -> None:
    """Another reason, another client and another minute are news."""
    told = Told()
    asked = [
        ("d1", "topic", 0.0),
        ("d1", "topic", 59.0),
        ("d1", "quota", 59.0),
        ("d2", "topic", 59.0),
        ("d1", "topic", 60.0),
    ]

    assert [told.is_new(client, reason, "a", now) for client, reason, now in asked] == [True, False, True, True, True]


def test_the_log_has_a_bounded_number_of_lines() -> None:
    """One address leaves half of them to others. What was left out is told when the minute is over, once."""
    told = Told()
    of_one = sum(told.is_new(f"d{n}", "topic", "a", 1.0) for n in range(LINES_MAX * 2))
    of_all = of_one + sum(told.is_new(f"e{n}", "topic", f"b{n}", 1.0) for n in range(LINES_MAX * 2))

    assert (of_one, of_all) == (LINES_OF_ADDRESS_MAX, LINES_MAX)
    assert [told.left_out(now) for now in (2.0, 1.0 + MINUTE_SECONDS, 1.0 + MINUTE_SECONDS)] == [0, LINES_MAX * 3, 0]


async def test_a_customer_with_many_addresses_of_ipv6_does_not_hide_the_others() -> None:
    """The addresses of a /64 network are one."""
    notices = Notices("devices")
    with capture_logs() as lines:
        for number in range(LINES_MAX):
            notices.refused("credentials", f"2001:db8::{number:x}", "wrong")
        notices.refused("credentials", "2001:db8:1::1", "wrong")

    assert len(lines) == LINES_OF_ADDRESS_MAX + 1


# --- Wrong passwords


def test_a_wrong_password_waits_longer_each_time() -> None:
    """Of one address and user; another user of that address begins anew, and so does a minute without one."""
    guesses = Guesses()
    delays = [guesses.wrong("a", "anna", float(n)) for n in range(6)]

    assert delays == [1.0, 2.0, 4.0, DELAY_SECONDS_MAX, DELAY_SECONDS_MAX, DELAY_SECONDS_MAX]
    assert guesses.wrong("a", "berta", 6.0) == guesses.wrong("b", "anna", 6.0) == 1.0
    assert guesses.wrong("a", "anna", 5.0 + FORGET_SECONDS) == 1.0


def test_an_address_that_was_wrong_too_often_is_checked_later() -> None:
    """Fifty at once, then five a second; others are not touched."""
    guesses = Guesses()
    for _ in range(int(WRONG_BURST)):
        assert not guesses.wait_seconds("a", 0.0)
        guesses.checked("a", 0.0)

    assert guesses.wait_seconds("a", 0.0) == pytest.approx(0.2)
    assert guesses.wait_seconds("b", 0.0) == 0
    assert guesses.wait_seconds("a", 0.21) == 0


def test_what_is_remembered_is_bounded() -> None:
    """The oldest is forgotten first, and what is noted again is new."""
    recent: Recent[int, str] = Recent()
    for number in range(REMEMBERED_MAX):
        recent.note(number, "x")
    recent.note(0, "again")
    recent.note(-1, "new")

    assert (recent.get(0), recent.get(1), recent.get(-1)) == ("again", None, "new")


# --- Who is next


def test_addresses_and_their_users_take_turns() -> None:
    """However many one of them sends."""
    queue: Queueing[str] = Queueing(100)
    for address, user, count in (("a", "x", 4), ("a", "y", 1), ("b", "z", 2)):
        for number in range(count):
            queue.put(address, user, f"{address}{user}{number}", 100)

    order = [queue.take(lambda address: True) for _ in range(8)]

    assert order == ["ax0", "bz0", "ay0", "bz1", "ax1", "ax2", "ax3", None]
    assert len(queue) == 0


def test_the_address_with_most_gives_way_when_there_is_no_room() -> None:
    """Its user with most, the newest of that. One with as many as the others is told to come again."""
    queue: Queueing[str] = Queueing(4)
    for number in range(3):
        queue.put("a", "x", f"x{number}", 100)
    queue.put("a", "y", "y0", 100)

    assert queue.put("b", "z", "z0", 100) == "x2"
    assert queue.put("a", "w", "w0", 100) == "w0"
    assert queue.put("b", "z", "z1", 100) == "x1"
    assert queue.put("b", "z", "z2", 100) == "z2"
    assert (len(queue), queue.waiting("a"), queue.waiting("b")) == (4, 2, 2)


def test_an_address_may_have_fewer_waiting_than_all() -> None:
    """Its user with most gives way to one that has fewer; the same user is told to come again."""
    queue: Queueing[str] = Queueing(100)
    for number in range(3):
        queue.put("a", "x", f"x{number}", 3)

    assert queue.put("a", "x", "x3", 3) == "x3"
    assert queue.put("a", "y", "y0", 3) == "x2"
    assert queue.put("a", "y", "y1", 3) == "y1"
    assert queue.put("b", "z", "z0", 3) is None


def test_an_address_that_may_not_have_a_turn_is_passed_over() -> None:
    """And who does not wait any more is not found."""
    queue: Queueing[str] = Queueing(4)
    queue.put("a", "x", "1", 100)
    queue.put("b", "y", "2", 100)
    queue.put("b", "y", "3", 100)
    queue.remove("b", "y", "2")
    queue.remove("b", "y", "2")

    assert queue.take(lambda address: address != "a") == "3"
    assert queue.take(lambda address: address != "a") is None
    assert queue.addresses() == ["a"]


def test_who_sends_what_is_allowed_is_never_held_back() -> None:
    """A client that sends exactly its number, at once or spread over each second, stays at the limit for as long as it likes."""
    allowance = Allowance(8, now=0.0)
    allowance.spend(int(8 * BURST_SECONDS), 0.0)

    waits = [allowance.spend(8, float(second)) for second in range(1, 100)]
    waits += [allowance.spend(1, 99 + eighth / 8) for eighth in range(1, 400)]

    assert waits == [0.0] * (99 + 399)
    assert not allowance.is_used_up


def test_a_quiet_second_starts_a_new_count() -> None:
    """After a second without packets, beyond its waits, a client has the whole time again."""
    allowance = Allowance(10, now=0.0)
    allowance.spend(int(10 * BURST_SECONDS) + 5, 0.0)
    allowance.spend(300, 1.5)

    allowance.spend(10, OVER_SECONDS_MAX + 0.5)
    early = allowance.is_used_up
    allowance.spend(10, OVER_SECONDS_MAX + 1.5)

    assert (early, allowance.is_used_up) == (False, True)
