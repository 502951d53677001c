"""Decides which item is next: addresses take turns, and so do the users of each address.

So a busy address, or a busy device at an address, does not delay the others. If there is no room, the address with the
most items gives way to an address with fewer, and at one address a user does.

Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Queueing(Generic[Item]):
    """Items in turn. Each is in it once."""

    def __init__(self, items_max: int) -> None:
        self._items_max = items_max
        self._count = 0
        self._addresses: dict[str, dict[str, deque[Item]]] = {}  # the last one served goes to the end, in both
        self._waiting: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count

    def waiting(self, address: str) -> int:
        """The number of waiting items of this address."""
        return self._waiting.get(address, 0)

    def put(self, address: str, user: str, item: Item, address_max: int) -> Item | None:
        """Add an item. Returns the item without a place: none, another item that gives way, or `item` itself."""
        gone: Item | None = None
        if self.waiting(address) >= address_max:
            gone = self._give_way(address, 1 + self._waiting_of_user(address, user))
        elif self._count >= self._items_max:
            heaviest = max(self._waiting, key=self._waiting.__getitem__)
            gone = self._give_way(heaviest, 0) if self._waiting[heaviest] > self.waiting(address) + 1 else None
        else:
            self._add(address, user, item)
            return None
        if gone is None:
            return item
        self._add(address, user, item)
        return gone

    def _waiting_of_user(self, address: str, user: str) -> int:
        return len(self._addresses.get(address, {}).get(user, ()))

    def _add(self, address: str, user: str, item: Item) -> None:
        self._addresses.setdefault(address, {}).setdefault(user, deque()).append(item)
        self._waiting[address] = self.waiting(address) + 1
        self._count += 1

    def _give_way(self, address: str, more_than: int) -> Item | None:
        """The newest item of the user with the most items, if it has more than this number."""
        users = self._addresses[address]
        most = max(users, key=lambda each: len(users[each]))
        if len(users[most]) <= more_than:
            return None
        gone = users[most][-1]
        self.remove(address, most, gone)
        return gone

    def take(self, may: Callable[[str], bool]) -> Item | None:
        """Take the next item of an address that may have a turn, or None if no address may."""
        address = next((each for each in self._addresses if may(each)), None)
        if address is None:
            return None
        users = self._addresses[address]
        user = next(iter(users))
        item = users[user][0]
        self.remove(address, user, item)
        if user in users:
            users[user] = users.pop(user)
        if address in self._addresses:
            self._addresses[address] = self._addresses.pop(address)
        return item

    def remove(self, address: str, user: str, item: Item) -> None:
        """Remove an item, if it waits."""
        users = self._addresses.get(address, {})
        if item not in users.get(user, ()):
            return
        users[user].remove(item)
        self._count -= 1
        self._waiting[address] -= 1
        if not users[user]:
            del users[user]
        if not users:
            del self._addresses[address], self._waiting[address]

    def addresses(self) -> list[str]:
        """The addresses with items."""
        return list(self._addresses)
