"""What a damage works on: the objects of a bucket as values, which partition of which action is hit, and a seed.

A damage is a function that changes the objects of a scene; it says in its docstring what somebody did. The registry of its
family gives its name. Whether `--deep` is needed to find it is its `deep`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pipeline.upload import ledger
from pipeline.upload.ledger import Entry
from tests.faults.damages.made import TOPIC


class Thing(NamedTuple):
    """An object's bytes and its metadata."""

    body: bytes
    metadata: dict[str, str]


@dataclass
class Scene:
    """A bucket, of which one partition of one action is to be hit."""

    objects: dict[str, Thing]
    action: str
    partition: int
    chance: random.Random
    hit: list[str] = field(default_factory=list)  # what was changed, for whoever reads a failure

    # --- What is there

    @property
    def root(self) -> str:
        """What the keys of the action's ledger begin with."""
        return f"{ledger.ROOT}/{self.action}/"

    def ledger_keys(self) -> list[str]:
        """The partition's ledger, in order, the beginning last."""
        return sorted(
            key
            for key in self.objects
            if key.startswith(f"{self.root}{TOPIC}/") and key.split("/")[-2] == str(self.partition)
        )

    def entry_keys(self) -> list[str]:
        """Its entries."""
        return [key for key in self.ledger_keys() if not key.endswith(ledger.START)]

    def entry_keys_with_objects(self) -> list[str]:
        """Those that name objects."""
        return [key for key in self.entry_keys() if self.entry(key)["objects"]]

    def start_key(self) -> str:
        """Its beginning."""
        return self.ledger_keys()[-1]

    def rules_keys(self) -> list[str]:
        """The texts of the action's versions."""
        return sorted(key for key in self.objects if key.startswith(f"{self.root}rules/"))

    def data_keys(self) -> list[str]:
        """The partition's objects."""
        place = f"{TOPIC}/{self.partition}/"
        return sorted(
            key
            for key, thing in self.objects.items()
            if thing.metadata.get("tidegate-action") == self.action
            and thing.metadata.get("tidegate-place", "").startswith(place)
        )

    def data_keys_by_offset(self) -> list[str]:
        """The same, those of the first records first."""
        return sorted(
            self.data_keys(), key=lambda key: int(self.objects[key].metadata["tidegate-place"].rpartition("/")[2])
        )

    def entry(self, key: str) -> dict[str, Any]:
        """What an entry says."""
        found: dict[str, Any] = json.loads(self.objects[key].body)
        return found

    # --- What can be done to it

    def one(self, keys: list[str]) -> str:
        """One of these."""
        return self.chance.choice(keys)

    def write(self, key: str, body: bytes, metadata: dict[str, str] | None = None) -> None:
        """An object with other bytes; with its metadata as it was unless there is another."""
        before = self.objects.get(key)
        self.objects[key] = Thing(body, dict(metadata if metadata is not None else before.metadata if before else {}))
        self.hit.append(key)

    def remove(self, key: str) -> None:
        """An object that is gone."""
        del self.objects[key]
        self.hit.append(key)

    def say(self, key: str, fields: dict[str, Any]) -> None:
        """An entry or a beginning that says something else, as a careful person writes it: in the form that it had."""
        self.write(key, json.dumps(fields, indent=2, sort_keys=True).encode())

    def relink(self, key: str, entry: Entry) -> None:
        """An entry that was changed by somebody who knows the format, and all after it that name it."""
        keys = self.entry_keys()
        self.write(key, entry.encode())
        previous = entry
        for after in keys[keys.index(key) + 1 :]:
            previous = replace(ledger.read_entry(self.objects[after].body), previous=previous.digest)
            self.write(after, previous.encode())


@dataclass(frozen=True)
class Damage:
    """One kind of damage. `deep`: only whoever reads the objects can know."""

    name: str
    do: Callable[[Scene], None]
    deep: bool = False


@dataclass
class Family:
    """Damages of one sort."""

    kinds: list[Damage] = field(default_factory=list)

    def kind(self, *, deep: bool = False) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
        """Register a damage."""

        def register(do: Callable[[Scene], None]) -> Callable[[Scene], None]:
            self.kinds.append(Damage(do.__name__, do, deep))
            return do

        return register

    def add(self, name: str, do: Callable[[Scene], None], *, deep: bool = False) -> None:
        """Register a damage that is one of many alike."""
        self.kinds.append(Damage(name, do, deep))

    def __iter__(self) -> Iterator[Damage]:
        return iter(self.kinds)
