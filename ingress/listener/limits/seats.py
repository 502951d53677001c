"""Limits the places for connections: for all addresses together, and for each address.

A connection has its place from the first moment, before TLS and CONNECT. If all places are taken, the oldest connection
that has not logged in gives way: after some seconds, or if its address has more such connections than the new one's. So
silent connections cannot keep others out.

Pure: the caller gives the time.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

PATIENCE_SECONDS: Final = 2.0  # time for a login while others wait for a place
IPV6_NETWORK_BITS: Final = 64  # the network that one customer has at least

Full = Literal["limit", "address_limit"]


def network(host: str) -> str:
    """The owner of an address: an IPv4 address itself, or the /64 network of an IPv6 address. Any other text stays unchanged."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))


class Seat:
    """The place of one connection. `give_way` ends the connection."""

    __slots__ = ("address", "give_way", "since")

    def __init__(self, address: str, give_way: Callable[[], None], since: float) -> None:
        self.address = address
        self.give_way = give_way
        self.since = since


class Seats:
    """The places of one listener. `address_max` None: one address may have all of them."""

    def __init__(self, total_max: int, address_max: int | None) -> None:
        self._total_max = total_max
        self._address_max = address_max
        self._taken: set[Seat] = set()
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[Seat, None] = {}  # connections that have not logged in, the oldest first
        self._waiting_of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, address: str, give_way: Callable[[], None], now: float) -> Seat | Full:
        """Take a place. Returns it, or the reason why there is none."""
        if self._address_max is not None and self._of_address[address] >= self._address_max:
            return "address_limit"
        if len(self) >= self._total_max and not self._make_way(address, now):
            return "limit"
        place = Seat(address, give_way, now)
        self._taken.add(place)
        self._of_address[address] += 1
        self._waiting[place] = None
        self._waiting_of[address] += 1
        return place

    def logged_in(self, place: Seat) -> None:
        """Note that a connection has logged in, and no longer gives way."""
        if place in self._waiting:
            del self._waiting[place]
            _less(self._waiting_of, place.address)

    def leave(self, place: Seat) -> None:
        """Free a place."""
        if place in self._taken:
            self.logged_in(place)
            self._taken.remove(place)
            _less(self._of_address, place.address)

    def _make_way(self, newcomer: str, now: float) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        is_late = now - oldest.since >= PATIENCE_SECONDS
        if not is_late and self._waiting_of[oldest.address] <= self._waiting_of[newcomer] + 1:
            return False
        self.leave(oldest)
        oldest.give_way()
        return True


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
