"""What can happen to the objects of a direct action, one row each, as far as the bucket alone can tell.

An object that was deleted is not among them: nothing tells that there was one.
"""

from __future__ import annotations

from tests.faults.damages.made import DIRECT
from tests.faults.damages.scene import Family, Scene, Thing

SINGLE = Family()


def _keys(scene: Scene) -> list[str]:
    return sorted(key for key in scene.objects if key.startswith(f"{DIRECT}/"))


def _two(scene: Scene) -> tuple[str, str]:
    first, second = scene.chance.sample(_keys(scene), 2)
    return first, second


@SINGLE.kind()
def truncated(scene: Scene) -> None:
    """A copy that broke off."""
    key = scene.one(_keys(scene))
    scene.write(key, scene.objects[key].body[:-3])


@SINGLE.kind()
def emptied(scene: Scene) -> None:
    """A file of no bytes."""
    scene.write(scene.one(_keys(scene)), b"")


@SINGLE.kind()
def copied_with_a_suffix(scene: Scene) -> None:
    """A copy beside the object, under a name that the action never writes."""
    key = scene.one(_keys(scene))
    scene.write(f"{key}.part", *scene.objects[key])


@SINGLE.kind()
def copied_as_of_another_action(scene: Scene) -> None:
    """A copy whose metadata names another action than its writer."""
    key = scene.one(_keys(scene))
    thing = scene.objects[key]
    scene.write(f"{key}.part", thing.body, {**thing.metadata, "tidegate-action": "another"})


@SINGLE.kind()
def longer(scene: Scene) -> None:
    """Something appended."""
    key = scene.one(_keys(scene))
    scene.write(key, scene.objects[key].body + b"\n")


@SINGLE.kind(deep=True)
def byte_flipped(scene: Scene) -> None:
    """One bit on a disk."""
    key = scene.one(_keys(scene))
    body = bytearray(scene.objects[key].body)
    body[scene.chance.randrange(len(body))] ^= 1 << scene.chance.randrange(8)
    scene.write(key, bytes(body))


@SINGLE.kind(deep=True)
def noise(scene: Scene) -> None:
    """As many bytes, of something else."""
    key = scene.one(_keys(scene))
    scene.write(key, scene.chance.randbytes(len(scene.objects[key].body)))


@SINGLE.kind(deep=True)
def swapped(scene: Scene) -> None:
    """Two objects with each other's content, and their own metadata."""
    first, second = _two(scene)
    bodies = scene.objects[first].body, scene.objects[second].body
    scene.write(first, bodies[1])
    scene.write(second, bodies[0])


@SINGLE.kind()
def swapped_with_metadata(scene: Scene) -> None:
    """Two objects under each other's name."""
    first, second = _two(scene)
    one, other = scene.objects[first], scene.objects[second]
    scene.write(first, *other)
    scene.write(second, *one)


@SINGLE.kind()
def renamed(scene: Scene) -> None:
    """An object under another name."""
    key = scene.one(_keys(scene))
    thing = scene.objects[key]
    scene.remove(key)
    scene.write(f"{DIRECT}/elsewhere/1.json", *thing)


@SINGLE.kind()
def copied(scene: Scene) -> None:
    """A row under a second name."""
    scene.write(f"{DIRECT}/elsewhere/1.json", *scene.objects[scene.one(_keys(scene))])


@SINGLE.kind()
def copied_without_metadata(scene: Scene) -> None:
    """The same, by a tool that forgets metadata."""
    scene.write(f"{DIRECT}/elsewhere/1.json", scene.objects[scene.one(_keys(scene))].body, {})


@SINGLE.kind()
def metadata_removed(scene: Scene) -> None:
    """A copy by a tool that forgets metadata."""
    key = scene.one(_keys(scene))
    scene.write(key, scene.objects[key].body, {})


def _forged(name: str, *, gone: bool) -> None:
    def do(scene: Scene) -> None:
        key = scene.one(_keys(scene))
        body, metadata = scene.objects[key]
        others = {each: text for each, text in metadata.items() if each != name}
        before = metadata.get(name, "0")
        other = before[:-1] + ("1" if before[-1] != "1" else "2")
        scene.objects[key] = Thing(body, others if gone and name in metadata else {**others, name: other})
        scene.hit.append(key)

    SINGLE.add(f"metadata_{'without' if gone else 'forged'} {name}", do)


METADATA = (
    "tidegate-revision",
    "tidegate-place",
    "tidegate-topic-id",
    "tidegate-size",
    "tidegate-sha256",
    "tidegate-seal",
)
for _name in METADATA:
    _forged(_name, gone=False)
    _forged(_name, gone=True)
_forged("tidegate-action", gone=True)
