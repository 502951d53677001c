"""Objects under the keys of an action that no action wrote: they are said, they are nobody's fault, and they stay."""

from __future__ import annotations

from agents.operate.verify_direct import Note
from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.seal import sealed
from tests.faults.damages.bench import copy_of, findings, kinds, made, scene_of, verified, verified_direct
from tests.faults.damages.made import DIRECT


def notes(reports: list[object]) -> list[str]:
    """The remarks among these reports."""
    return [each.text for each in reports if isinstance(each, Note)]


def test_what_nobody_wrote_is_said() -> None:
    """The objects below the prefix are counted in one remark; empty ones, as consoles make them for folders, are not."""
    store = copy_of(made())
    for name in ("lines/A/x.lines.gz", "lines/readme.txt", "lines/x-9-9-9.lines"):
        store.place("lake", name, b"theirs", {})
    store.place("lake", "lines/", b"", {})
    store.place("lake", "elsewhere.txt", b"theirs", {})

    reports = verified(store, "lines", deep=True, sweep=True)

    assert kinds(reports) == set()
    assert notes(list(reports)) == [
        "3 objects below lines/ are not of this action, the first is lines/A/x.lines.gz: "
        "a reader of everything below this prefix reads them too"
    ]
    assert store.removed == []


def test_what_nobody_wrote_is_said_of_direct_upload() -> None:
    """A name that the action may have written is a finding, and any other name is a remark."""
    store = copy_of(made())
    store.place("lake", f"{DIRECT}/readme.txt", b"theirs", {})

    reports = verified_direct(store, deep=True)

    assert kinds(reports) == set()
    assert f"1 objects below {DIRECT}/ are not of this action" in notes(list(reports))[0]


def test_a_copy_is_never_swept_by_its_name() -> None:
    """A copy under a name that no worker writes is somebody's own: a person decides."""
    store = copy_of(made())
    scene = scene_of(store, "lines", 0, 1)
    key = scene.data_keys()[0]
    store.place("lake", f"{key}.part", *scene.objects[key])

    found = findings(verified(store, "lines", deep=True, sweep=True))

    assert [(each.kind, each.key) for each in found] == [("orphan", f"{key}.part")]
    assert store.removed == []


def test_the_same_rows_of_another_action_are_its_own() -> None:
    """Two actions with one rule below one prefix write the same bytes, and neither is a copy of the other."""
    store = copy_of(made())
    scene = scene_of(store, "lines", 0, 1)
    body, metadata = scene.objects[scene.data_keys()[0]]
    key, ours = "lines/another/x-0-0-0.lines", {**metadata, "tidegate-action": "another"}
    headers = sealed(key, {METADATA_PREFIX + name: text for name, text in ours.items()})
    store.place("lake", key, body, {name.removeprefix(METADATA_PREFIX): text for name, text in headers.items()})

    reports = verified(store, "lines", deep=True)

    assert (kinds(reports), notes(list(reports))) == (set(), [])
