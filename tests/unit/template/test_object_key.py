"""Keys of aggregated uploads."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError, RenderError
from pipeline.template import Missing
from pipeline.template.object_key import KeyTemplate, aggregated_key, key_pattern, literal_prefix

INSTANT_MS = 1_745_308_323_000  # 2025-04-22T07:52:03Z


def make(text: str, *, interval_seconds: float = 1.0, missing: Missing = "undefined") -> KeyTemplate:
    return KeyTemplate(text, action="act", node="plant7", interval_seconds=interval_seconds, missing=missing)


def key(text: str, row: dict[str, object] | None = None, *, interval_seconds: float = 1.0) -> str:
    """The whole key of a chunk of partition 3 that begins at offset 42 in epoch 1."""
    template = make(text, interval_seconds=interval_seconds)
    return template.location(template.group(row or {}, INSTANT_MS), partition="3", offset=42, epoch=1)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/${partition}/${offset}/${epoch}.jsonl", "a/3/42/1.jsonl"),
        ("a/${partition}-${offset}.jsonl.gz", "a/3-42-1.jsonl.gz"),
        ("a.b/x.jsonl", "a.b/x-3-42-1.jsonl"),
        ("a/", "a/3-42-1"),
        ("a", "a-3-42-1"),
        ("a/${datetime.YYYY}", "a/2025-3-42-1"),
        ("a/${sequence}-${epoch}-${partition}", "a/42-1-3"),
    ],
)
def test_names_partition_offset_and_epoch(text: str, expected: str) -> None:
    """What a template lacks of the three is put before its extension."""
    assert key(text) == expected


@pytest.mark.parametrize(
    ("placeholder", "expected"),
    [
        ("${datetime.rfc3339utc}", "2025-04-22T07_52_03Z"),
        ("${datetime.unix}", "1745308323"),
        ("${datetime.YYYY}/${datetime.utc.MM}/${datetime.DD}", "2025/04/22"),
        ("${datetime.hh}${datetime.mm}${datetime.ss}", "075203"),
        ("${datetime.DOY}", "112"),
        ("${datetime.utc.hh}-${datetime_until.utc.ss}", "07-04"),
        ("${datetime.local.YYYY}${datetime_until.local.ss}", "202504"),
        ("${datetime_until.rfc3339utc}/${datetime_until.unix}", "2025-04-22T07_52_04Z/1745308324"),
        ("${datetime_until.ss}", "04"),
        ("${action}.${node}", "act.plant7"),
    ],
)
def test_renders_the_window(placeholder: str, expected: str) -> None:
    """Time placeholders are those of the window's start; a colon becomes an underscore."""
    assert key(placeholder + "/${partition}${offset}${epoch}") == expected + "/3421"


def test_a_time_of_the_record_goes_into_the_key_in_a_named_zone() -> None:
    """Not the window's: the row's own, wherever the clock is; half past eleven in the evening is tomorrow in Berlin."""
    text = "day=${ts | date('%Y-%m-%d/%H', 'Europe/Berlin', 's')}/${partition}${offset}${epoch}"

    assert key(text, {"ts": 1_767_223_800}) == "day=2026-01-01/00/3421"
    assert key(text, {"ts": 1_767_223_799 - 3600}) == "day=2025-12-31/23/3421"


def test_window_is_floored_to_the_interval() -> None:
    """Rows of one interval share a group, whenever in it they arrived."""
    template = make("${datetime.hh}${datetime.mm}", interval_seconds=1800)

    assert template.group({}, INSTANT_MS) == template.group({}, INSTANT_MS - 22 * 60_000)
    assert template.group({}, INSTANT_MS) != template.group({}, INSTANT_MS + 8 * 60_000)


@pytest.mark.parametrize(
    "text",
    ["${datetime}", "${datetime.YY}", "${datetime.mars.YYYY}", "${datetime.utc.unix}", "${datetime.local.rfc3339}"],
)
def test_refuses_unknown_time_formats(text: str) -> None:
    """A time format that does not exist is refused when the action is made, and the known ones are listed."""
    with pytest.raises(ConfigError, match="rfc3339utc"):
        make(text)


def test_equal_but_different_values_are_different_groups() -> None:
    """1, 1.0 and True are one dictionary key in Python and three texts."""
    template = make("${v}")

    assert len({template.group({"v": value}, 0) for value in (1, 1.0, True, "1", "true")}) == 3


@pytest.mark.parametrize("forged", ["~o", "${offset}", "3-42-1", "~p~e"])
def test_a_value_cannot_pass_for_an_offset(forged: str) -> None:
    """Whatever a device puts into a field stays text."""
    assert key("${v}/${partition}-${offset}-${epoch}", {"v": forged}) == f"{forged}/3-42-1"


def test_missing_value_follows_the_policy() -> None:
    """The default is the text that EMQX prints; dead_letter makes it an error."""
    assert key("${gone}/${partition}${offset}${epoch}") == "undefined/3421"
    with pytest.raises(RenderError):
        make("${gone}", missing="dead_letter").group({}, 0)


def test_a_bucket_of_the_rows_own_is_part_of_the_group() -> None:
    """Rows of two buckets never share an object, though their keys are the same; what is no bucket's name is refused."""
    template = KeyTemplate("x", action="act", node="n", interval_seconds=1, missing="undefined", bucket="iot-${site}")

    groups = [template.group({"site": site}, INSTANT_MS) for site in ("a", "b", "a")]

    assert groups[0] == groups[2] != groups[1]
    assert [template.location(group, partition="3", offset=42, epoch=1) for group in groups[:2]] == [
        ("iot-a", "x-3-42-1"),
        ("iot-b", "x-3-42-1"),
    ]
    for wrong in ({"site": "a/b"}, {"site": "UPPER"}, {"site": ""}, {}):
        with pytest.raises(RenderError):
            template.group(wrong, INSTANT_MS)


@pytest.mark.parametrize(
    "text",
    [
        "a/${g}/x.jsonl",
        "${g}",
        "day=${ts | date('%Y-%m-%d', 'UTC', 's')}/x.jsonl",
        "a/${% if g == 'A' %}one${% else %}two${% endif %}/x",
        "a ${ b }/${g}.${datetime.hh}",
        "(a+)[b]/${partition}-${offset}.e${epoch}.jsonl",
        "${$}/${g | replace('}', '{')}",
    ],
)
def test_keys_look_like_their_template(text: str) -> None:
    """Whoever lists a bucket finds every key of an action by its prefix and its shape, and few others."""
    key = aggregated_key(text)
    row = {"g": "A", "ts": 1_700_000_000}

    made = KeyTemplate(text, action="a", node="n", interval_seconds=60, missing="undefined")
    _, rendered = made.location(made.group(row, 0), partition="3", offset=5, epoch=0)

    assert rendered.startswith(literal_prefix(key))
    assert key_pattern(key).fullmatch(rendered)
    assert not key_pattern(key).fullmatch(f"other{rendered}") or not literal_prefix(key)
