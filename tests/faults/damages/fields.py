"""A ledger whose objects are altered field by field, by somebody who writes them in the form that they had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.faults.damages.scene import Family, Scene

# What a person or a program writes in the place of a value.
ODD: Final[tuple[Any, ...]] = (None, "", "x", -1, 10**30, 1.5, True, [], {}, [1], {"a": 1})


def _altered(scene: Scene, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + scene.chance.choice((1, 7))
    if isinstance(value, str):
        return value[:-1] + ("1" if value[-1:] != "1" else "2")
    return value[1:] if value else [[0, 1]]


def _paths(fields: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in fields.items():
        yield (name,)
        if name == "objects" and value:
            yield from (("objects", each) for each in value[0])


def _at(scene: Scene, fields: dict[str, Any], path: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    if len(path) == 1:
        return fields, path[0]
    return scene.chance.choice(fields["objects"]), path[1]


Change = Callable[[Scene, dict[str, Any], str], None]


def _to_another(scene: Scene, fields: dict[str, Any], name: str) -> None:
    fields[name] = _altered(scene, fields[name])


def _to_odd(scene: Scene, fields: dict[str, Any], name: str) -> None:
    fields[name] = scene.chance.choice(
        [each for each in ODD if each != fields[name] or type(each) is not type(fields[name])]
    )


def _to_nothing(scene: Scene, fields: dict[str, Any], name: str) -> None:
    del fields[name]


def field_damages(example: Scene) -> Family:
    """One for each field that entries and beginnings have, in each way, at each end and in the middle."""
    found = Family()
    change: Change
    for how, change in {"altered": _to_another, "odd": _to_odd, "without": _to_nothing}.items():
        for path in _paths(example.entry(example.entry_keys_with_objects()[0])):
            for where in ("first", "middle", "last"):
                found.add(f"{where}_entry_{how} {'.'.join(path)}", _field_damage(where, path, change))
        for path in _paths(example.entry(example.start_key())):
            found.add(f"start_{how} {path[0]}", _field_damage("start", path, change))
    return found


def _field_damage(where: str, path: tuple[str, ...], change: Change) -> Callable[[Scene], None]:
    def do(scene: Scene) -> None:
        keys = scene.entry_keys_with_objects()
        candidates = {"first": keys[:1], "middle": keys[1:-1], "last": keys[-1:], "start": [scene.start_key()]}[where]
        key = scene.one(candidates)
        fields = scene.entry(key)
        change(scene, *_at(scene, fields, path))
        scene.say(key, fields)

    return do
