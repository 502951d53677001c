"""What can happen to the objects of an aggregated action, in every format."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial

from tests.faults.damages import rows
from tests.faults.damages.made import FORMATS
from tests.faults.damages.scene import Family, Scene, Thing

OBJECTS = Family()


@OBJECTS.kind()
def deleted(scene: Scene) -> None:
    """Somebody tidied up."""
    scene.remove(scene.one(scene.data_keys()))


@OBJECTS.kind()
def all_deleted(scene: Scene) -> None:
    """A lifecycle rule that has not the ledger's prefix."""
    for key in scene.data_keys():
        scene.remove(key)


@OBJECTS.kind()
def truncated(scene: Scene) -> None:
    """A copy that broke off."""
    key = scene.one(scene.data_keys())
    body = scene.objects[key].body
    scene.write(key, body[: scene.chance.randrange(1, len(body))])


@OBJECTS.kind()
def emptied(scene: Scene) -> None:
    """A file of no bytes."""
    scene.write(scene.one(scene.data_keys()), b"")


@OBJECTS.kind()
def emptied_frame(scene: Scene) -> None:
    """A file that a tool opened and closed."""
    scene.write(scene.one(scene.data_keys()), rows.empty_frame(scene.action))


@OBJECTS.kind()
def magic_alone(scene: Scene) -> None:
    """The first four bytes and no more."""
    key = scene.one(scene.data_keys())
    scene.write(key, scene.objects[key].body[:4])


@OBJECTS.kind()
def longer(scene: Scene) -> None:
    """Something appended."""
    key = scene.one(scene.data_keys())
    scene.write(key, scene.objects[key].body + scene.one([b"\n", b"\0", b"x" * 100]))  # type: ignore[arg-type, operator]


@OBJECTS.kind()
def byte_flipped(scene: Scene) -> None:
    """One bit on a disk."""
    key = scene.one(scene.data_keys())
    body = bytearray(scene.objects[key].body)
    body[scene.chance.randrange(len(body))] ^= 1 << scene.chance.randrange(8)
    scene.write(key, bytes(body))


@OBJECTS.kind()
def noise(scene: Scene) -> None:
    """As many bytes, of something else."""
    key = scene.one(scene.data_keys())
    scene.write(key, scene.chance.randbytes(len(scene.objects[key].body)))


def _two(scene: Scene) -> tuple[str, str]:
    first = scene.one(scene.data_keys())
    others = [key for key in scene.data_keys() if scene.objects[key].body != scene.objects[first].body]
    return first, scene.one(others)


@OBJECTS.kind()
def swapped(scene: Scene) -> None:
    """Two objects with each other's content, and their own metadata."""
    first, second = _two(scene)
    bodies = scene.objects[first].body, scene.objects[second].body
    scene.write(first, bodies[1])
    scene.write(second, bodies[0])


@OBJECTS.kind()
def swapped_with_metadata(scene: Scene) -> None:
    """Two objects under each other's name."""
    first, second = _two(scene)
    one, other = scene.objects[first], scene.objects[second]
    scene.write(first, *other)
    scene.write(second, *one)


@OBJECTS.kind()
def metadata_swapped(scene: Scene) -> None:
    """Two objects with each other's metadata."""
    first, second = _two(scene)
    one, other = scene.objects[first], scene.objects[second]
    scene.write(first, one.body, other.metadata)
    scene.write(second, other.body, one.metadata)


@OBJECTS.kind()
def of_another_action(scene: Scene) -> None:
    """An object of another action in the place of one of ours."""
    other = scene.one([name for name in FORMATS if name != scene.action])
    key = scene.one(Scene(scene.objects, other, scene.partition, scene.chance).data_keys())
    scene.write(scene.one(scene.data_keys()), *scene.objects[key])


@OBJECTS.kind()
def of_another_partition(scene: Scene) -> None:
    """An object of another partition in the place of one of ours."""
    key = scene.one(Scene(scene.objects, scene.action, 1 - scene.partition, scene.chance).data_keys())
    scene.write(scene.one(scene.data_keys()), *scene.objects[key])


@OBJECTS.kind()
def renamed(scene: Scene) -> None:
    """An object under another name."""
    key = scene.one(scene.data_keys())
    thing = scene.objects[key]
    scene.remove(key)
    scene.write(f"{key.rpartition('/')[0]}/x-9-9-9.{scene.action}", *thing)


@OBJECTS.kind()
def copied(scene: Scene) -> None:
    """An object under a second name of the same action: whoever reads with a wildcard reads its rows twice."""
    key = scene.one(scene.data_keys())
    scene.write(f"{key.rpartition('/')[0]}/x-9-9-9.{scene.action}", *scene.objects[key])


@OBJECTS.kind()
def copied_without_metadata(scene: Scene) -> None:
    """The same, by a tool that forgets metadata."""
    key = scene.one(scene.data_keys())
    scene.write(f"{key.rpartition('/')[0]}/x-9-9-9.{scene.action}", scene.objects[key].body, {})


for _name, _place in {
    "with_a_suffix": "{key}.part",
    "with_another_extension": "{folder}/x-9-9-9.old",
    "in_a_folder_below": "{folder}/backup/x",
    "at_the_top": "{top}/copy of x",
}.items():

    def _copied_as(scene: Scene, place: str = _place, keep: bool = True) -> None:
        """An object under a second name that the action never writes."""
        key = scene.one(scene.data_keys())
        copy = place.format(key=key, folder=key.rpartition("/")[0], top=key.partition("/")[0])
        scene.write(copy, scene.objects[key].body, scene.objects[key].metadata if keep else {})

    OBJECTS.add(f"copied_{_name}", _copied_as)
    OBJECTS.add(f"copied_{_name}_without_metadata", partial(_copied_as, keep=False))


@OBJECTS.kind()
def part_of_a_copy(scene: Scene) -> None:
    """A copy that broke off, beside the object, with its metadata."""
    key = scene.one(scene.data_keys())
    thing = scene.objects[key]
    scene.write(f"{key}.part", thing.body[:-1], thing.metadata)


@OBJECTS.kind()
def copied_as_of_another_action(scene: Scene) -> None:
    """A copy whose metadata names another action than its writer."""
    key = scene.one(scene.data_keys())
    thing = scene.objects[key]
    scene.write(f"{key}.part", thing.body, {**thing.metadata, "tidegate-action": "another"})


@OBJECTS.kind()
def rows_of_ours_in_a_new_object(scene: Scene) -> None:
    """An object that says it is of offsets that are entered."""
    key = scene.one(scene.data_keys())
    thing = scene.objects[key]
    body = rows.write(scene.action, rows.read(scene.action, thing.body)[:1])
    scene.write(f"{key.rpartition('/')[0]}/x-9-9-9.{scene.action}", body, {**thing.metadata, "tidegate-rows": "1"})


@OBJECTS.kind()
def packed(scene: Scene) -> None:
    """The content of an object, compressed by whoever thought that nobody had."""
    key = scene.one(scene.data_keys())
    scene.write(key, gzip.compress(scene.objects[key].body))


# --- Rows


def _with_rows(change: Callable[[Scene, list[rows.Row]], list[rows.Row]]) -> Callable[[Scene], None]:
    """An object with other rows and the metadata that it had. One has more than one row."""

    def do(scene: Scene) -> None:
        key = scene.one([each for each in scene.data_keys() if int(scene.objects[each].metadata["tidegate-rows"]) > 1])
        before = rows.read(scene.action, scene.objects[key].body)
        after = change(scene, [dict(row) for row in before])
        scene.write(key, rows.write(scene.action, after))
        assert rows.read(scene.action, scene.objects[key].body) != before

    return do


def _dropped(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    del found[scene.chance.randrange(len(found))]
    return found


def _doubled(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    at = scene.chance.randrange(len(found))
    return [*found[: at + 1], *found[at:]]


def _altered(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    found[scene.chance.randrange(len(found))]["text"] = "häuschen, 2"
    return found


def _altered_number(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    row = scene.chance.choice(found)
    row["n"] = type(row["n"])(int(row["n"]) ^ 1)
    return found


def _reordered(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    return found[::-1]


def _replaced_by_its_neighbour(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    found[0] = dict(found[1])
    return found


def _column_renamed(scene: Scene, found: list[rows.Row]) -> list[rows.Row]:
    return [{("m" if name == "n" else name): value for name, value in row.items()} for row in found]


for _name, _change in {
    "row_dropped": _dropped,
    "row_doubled": _doubled,
    "row_altered": _altered,
    "row_altered_number": _altered_number,
    "rows_reordered": _reordered,
    "row_replaced_by_its_neighbour": _replaced_by_its_neighbour,
    "column_renamed": _column_renamed,
}.items():
    OBJECTS.add(_name, _with_rows(_change))


# --- Metadata


@OBJECTS.kind()
def metadata_removed(scene: Scene) -> None:
    """A copy by a tool that forgets metadata."""
    key = scene.one(scene.data_keys())
    scene.write(key, scene.objects[key].body, {})


@OBJECTS.kind()
def metadata_of_all_removed(scene: Scene) -> None:
    """A bucket restored from a disk."""
    for key in scene.data_keys():
        scene.write(key, scene.objects[key].body, {})


def _metadata(name: str, change: Callable[[str], str | None]) -> Callable[[Scene], None]:
    def do(scene: Scene) -> None:
        key = scene.one(scene.data_keys())
        thing = scene.objects[key]
        metadata = dict(thing.metadata)
        value = change(metadata.pop(name)) if name in metadata else "1"  # a name that nobody wrote
        scene.objects[key] = Thing(thing.body, metadata if value is None else {**metadata, name: value})
        scene.hit.append(f"{key} {name}={value}")

    return do


def _other_text(value: str) -> str:
    head, last = value[:-1], value[-1]
    return head + ("1" if last != "1" else "2")


# All that the product may write; see test_damages.py.
METADATA = (
    "tidegate-action", "tidegate-place", "tidegate-topic-id", "tidegate-epoch", "tidegate-rows", "tidegate-last",
    "tidegate-digest", "tidegate-sha256", "tidegate-version", "tidegate-revision", "tidegate-seal",
)  # fmt: skip
for _name in METADATA:
    OBJECTS.add(f"metadata_forged {_name}", _metadata(_name, _other_text))
    OBJECTS.add(f"metadata_without {_name}", _metadata(_name, lambda value: None))
