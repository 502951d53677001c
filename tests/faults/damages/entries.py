"""What can happen to a ledger: objects of it gone, doubled, swapped, renamed, spoilt, and others put between them."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.faults.damages.made import TOPIC
from tests.faults.damages.scene import Family, Scene

LEDGER = Family()


# --- Gone


@LEDGER.kind()
def ledger_gone(scene: Scene) -> None:
    """The whole ledger of a partition."""
    for key in scene.ledger_keys():
        scene.remove(key)


@LEDGER.kind()
def ledgers_and_rules_gone(scene: Scene) -> None:
    """Everything that the action has under _tidegate."""
    for key in [key for key in scene.objects if key.startswith(scene.root)]:
        scene.remove(key)


@LEDGER.kind()
def entries_gone(scene: Scene) -> None:
    """All entries, and the beginning is left."""
    for key in scene.entry_keys():
        scene.remove(key)


@LEDGER.kind()
def start_gone(scene: Scene) -> None:
    """The beginning."""
    scene.remove(scene.start_key())


@LEDGER.kind()
def first_entry_gone(scene: Scene) -> None:
    """The first entry."""
    scene.remove(scene.entry_keys()[0])


@LEDGER.kind()
def middle_entry_gone(scene: Scene) -> None:
    """One between others."""
    scene.remove(scene.one(scene.entry_keys()[1:-1]))


@LEDGER.kind()
def last_entries_gone(scene: Scene) -> None:
    """The last entry that names objects, and what comes after it."""
    last = scene.entry_keys_with_objects()[-1]
    for key in [key for key in scene.entry_keys() if key >= last]:
        scene.remove(key)


@LEDGER.kind()
def last_half_gone(scene: Scene) -> None:
    """A bucket restored from an old copy, but for its objects."""
    keys = scene.entry_keys()
    for key in keys[len(keys) // 2 :]:
        scene.remove(key)


@LEDGER.kind()
def last_entry_gone(scene: Scene) -> None:
    """The last entry, whatever it says."""
    scene.remove(scene.entry_keys()[-1])


# --- Doubled, swapped, under other names


@LEDGER.kind()
def entries_swapped(scene: Scene) -> None:
    """Two entries under each other's name."""
    first, second = scene.chance.sample(scene.entry_keys(), 2)
    one, other = scene.objects[first], scene.objects[second]
    scene.write(first, *other)
    scene.write(second, *one)


@LEDGER.kind()
def entry_doubled(scene: Scene) -> None:
    """An entry under a second name, of a later epoch."""
    key = scene.one(scene.entry_keys())
    found = scene.entry(key)
    scene.write(f"{key.rpartition('/')[0]}/{found['first']:020}.{found['epoch'] + 7:06}.json", *scene.objects[key])


@LEDGER.kind()
def entry_renamed(scene: Scene) -> None:
    """An entry under the name of another offset."""
    key = scene.one(scene.entry_keys())
    thing = scene.objects[key]
    scene.remove(key)
    scene.write(f"{key.rpartition('/')[0]}/{scene.entry(_other(scene, key))['first'] + 1:020}.000000.json", *thing)


def _other(scene: Scene, key: str) -> str:
    return scene.one([each for each in scene.entry_keys() if each != key])


@LEDGER.kind()
def entry_of_another_action(scene: Scene) -> None:
    """An entry of another action's ledger in the place of ours."""
    other = "gzip" if scene.action != "gzip" else "lines"
    key = scene.one(Scene(scene.objects, other, scene.partition, scene.chance).entry_keys())
    scene.write(scene.one(scene.entry_keys()), scene.objects[key].body)


@LEDGER.kind()
def entry_of_another_partition(scene: Scene) -> None:
    """An entry of the other partition, under the name that it has there."""
    theirs = Scene(scene.objects, scene.action, 1 - scene.partition, scene.chance)
    key = scene.one(theirs.entry_keys())
    scene.write(f"{scene.start_key().rpartition('/')[0]}/{key.rpartition('/')[2]}", *scene.objects[key])


@LEDGER.kind()
def ledger_of_another_partition(scene: Scene) -> None:
    """The ledger of the other partition in the place of ours, whole."""
    theirs = Scene(scene.objects, scene.action, 1 - scene.partition, scene.chance)
    ours = scene.start_key().rpartition("/")[0]
    for key in scene.ledger_keys():
        scene.remove(key)
    for key in theirs.ledger_keys():
        scene.write(f"{ours}/{key.rpartition('/')[2]}", *scene.objects[key])


@LEDGER.kind()
def ledger_copied(scene: Scene) -> None:
    """The ledger under a second partition, or a second topic, which has no objects."""
    elsewhere = scene.one([f"{TOPIC}/-/9", f"other/-/{scene.partition}", f"{TOPIC}/id/{scene.partition}"])
    for key in scene.ledger_keys():
        scene.write(f"{scene.root}{elsewhere}/{key.rpartition('/')[2]}", *scene.objects[key])


@LEDGER.kind()
def entry_beyond_the_end(scene: Scene) -> None:
    """An entry of offsets that nobody has read."""
    last = scene.entry(scene.entry_keys()[-1])
    first = last["next"] + 50
    entry = {
        **last,
        "first": first,
        "next": first + 1,
        "records": 1,
        "filtered": 1,
        "rows": 0,
        "objects": [],
        "absent": 0,
    }
    prefix = scene.entry_keys()[-1].rpartition("/")[0]
    scene.say(f"{prefix}/{first:020}.{last['next_epoch']:06}.json", {**entry, "dead_lettered": 0, "clean": False})


@LEDGER.kind()
def entry_at_the_end(scene: Scene) -> None:
    """An entry where the next one will be, as somebody writes it who does not know our format well."""
    last = scene.entry(scene.entry_keys()[-1])
    prefix, first = scene.entry_keys()[-1].rpartition("/")[0], last["next"]
    fields = {"first": first, "next": first + 999, "records": 999, "rows": 999, "objects": []}
    scene.say(f"{prefix}/{first:020}.{last['next_epoch']:06}.json", {**last, **fields})


# --- Spoilt


def _spoilt(choose: Callable[[Scene], str], change: Callable[[Scene, bytes], bytes]) -> Callable[[Scene], None]:
    def do(scene: Scene) -> None:
        key = choose(scene)
        scene.write(key, change(scene, scene.objects[key].body))

    return do


def _flip(scene: Scene, body: bytes) -> bytes:
    changed = bytearray(body)
    changed[scene.chance.randrange(len(body))] ^= 1 << scene.chance.randrange(8)
    return bytes(changed)


SPOILERS: dict[str, Callable[[Scene, bytes], bytes]] = {
    "emptied": lambda scene, body: b"",
    "truncated": lambda scene, body: body[: scene.chance.randrange(1, len(body))],
    "byte_flipped": _flip,
    "not_utf_8": lambda scene, body: body.replace(b"a", b"\xff", 1),
    "noise": lambda scene, body: scene.chance.randbytes(len(body)),
    "a_list": lambda scene, body: b"[1]",
    "null": lambda scene, body: b"null",
    "no_fields": lambda scene, body: b"{}",
    "deep": lambda scene, body: b'{"first":' * 100_000 + b"1" + b"}" * 100_000,
    "long_number": lambda scene, body: b'{"first": ' + b"9" * 100_000 + b"}",
    "surrogate": lambda scene, body: body.replace(b'"', b'"\\ud800', 1),
    "in_one_line": lambda scene, body: json.dumps(json.loads(body)).encode(),
    "with_a_mark": lambda scene, body: b"\xef\xbb\xbf" + body,
    "first_twice": lambda scene, body: body.replace(b"{", b'{"first": 7, ', 1),
}
for _name, _change in SPOILERS.items():
    LEDGER.add(f"start_{_name}", _spoilt(lambda scene: scene.start_key(), _change))
    LEDGER.add(f"first_entry_{_name}", _spoilt(lambda scene: scene.entry_keys()[0], _change))
    LEDGER.add(f"middle_entry_{_name}", _spoilt(lambda scene: scene.one(scene.entry_keys()[1:-1]), _change))
    LEDGER.add(f"last_entry_{_name}", _spoilt(lambda scene: scene.entry_keys()[-1], _change))
    LEDGER.add(f"rules_{_name}", _spoilt(lambda scene: scene.one(scene.rules_keys()), _change))


@LEDGER.kind()
def rules_gone(scene: Scene) -> None:
    """The text of a version."""
    scene.remove(scene.one(scene.rules_keys()))


@LEDGER.kind()
def rules_swapped(scene: Scene) -> None:
    """Two versions under each other's name."""
    first, second = scene.rules_keys()
    one, other = scene.objects[first], scene.objects[second]
    scene.write(first, *other)
    scene.write(second, *one)


@LEDGER.kind()
def rule_changed(scene: Scene) -> None:
    """A careful hand that mends a rule where it is stored."""
    key = scene.one(scene.rules_keys())
    scene.write(key, scene.objects[key].body.replace(b">= ", b"> "))


# --- Foreign files


FOREIGN: dict[str, Callable[[Scene], str]] = {
    "in_the_ledger": lambda scene: f"{scene.start_key().rpartition('/')[0]}/notes.txt",
    "before_the_entries": lambda scene: f"{scene.start_key().rpartition('/')[0]}/.DS_Store",
    "after_all": lambda scene: f"{scene.start_key().rpartition('/')[0]}/~",
    "below": lambda scene: f"{scene.start_key().rpartition('/')[0]}/old/00000000000000000000.000000.json",
    "short_number": lambda scene: f"{scene.start_key().rpartition('/')[0]}/7.0.json",
    "odd_number": lambda scene: f"{scene.start_key().rpartition('/')[0]}/٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠.000000.json",
    "beside_the_partitions": lambda scene: f"{scene.start_key().rpartition('/')[0].rpartition('/')[0]}/x.json",
    "partition_with_a_zero": lambda scene: scene.start_key().replace(f"/{scene.partition}/", f"/0{scene.partition}/"),
    "beside_the_topics": lambda scene: f"{scene.root}README.md",
    "in_the_rules": lambda scene: f"{scene.root}rules/old.json",
}
for _name, _key in FOREIGN.items():

    def _foreign(scene: Scene, key: Callable[[Scene], str] = _key) -> None:
        scene.write(key(scene), b"{}", {})

    LEDGER.add(f"foreign_{_name}", _foreign)


@LEDGER.kind()
def field_more(scene: Scene) -> None:
    """A field that nobody knows."""
    key = scene.one(scene.ledger_keys())
    scene.say(key, {**scene.entry(key), "comment": "mended by hand"})


@LEDGER.kind()
def moved_to_another_topic(scene: Scene) -> None:
    """A whole ledger under the name of another topic."""
    for key in scene.ledger_keys():
        thing = scene.objects[key]
        scene.remove(key)
        scene.write(key.replace(f"/{TOPIC}/", "/another.topic/"), *thing)


@LEDGER.kind()
def moved_to_another_partition(scene: Scene) -> None:
    """A whole ledger under the number of another partition."""
    for key in scene.ledger_keys():
        thing = scene.objects[key]
        scene.remove(key)
        scene.write(key.replace(f"/{scene.partition}/", "/7/"), *thing)
