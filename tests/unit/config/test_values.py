"""Durations, sizes, names and secrets."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import KafkaConfig
from pipeline.config.base.environment import resolve
from pipeline.config.base.secrets import Secret
from pipeline.config.base.values import duration_text, parse_duration, parse_size, size_text
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("15s", 15), ("1h30m", 5400), ("1d", 86400), (1500, 1.5), ("1.5s", 1.5)]
)
def test_durations_as_emqx_writes_them(text: object, seconds: float) -> None:
    """EMQX's durations are read, and numbers without a unit are milliseconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "5", "5 parsecs", "s5", -1, True, math.nan, math.inf, 10**30, None, "1s" * 300, "٣s"),
        *("10001w", "9" * 300 + "w", 10**16, resolve("${N}", {"N": "９"}), resolve("${N}", {"N": "9" * 30})),
    ],
)
def test_refuses_what_is_no_duration(text: object) -> None:
    """The error says what was expected."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("5mb", 5 << 20), ("256KB", 256 << 10), ("1gb", 1 << 30), (77, 77), ("12", 12)]
)
def test_sizes_are_binary(text: object, size: int) -> None:
    """5mb is 5 * 1024 * 1024 bytes, in upper and lower case."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "mb", "5 parsecs", -5, True, 1.5, None, "9" * 500, 1 << 54, "99999999gb", "9" * 300 + "gb"]
)
def test_refuses_what_is_no_size(text: object) -> None:
    """The error gives examples."""
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@given(st.floats(0, 1e9) | st.integers(0, 10**6).map(lambda number: number / 1000))
def test_a_duration_is_read_back_from_its_text(seconds: float) -> None:
    """A duration that is written and read is exactly equal."""
    assert parse_duration(duration_text(seconds)) == seconds


@given(st.integers(0, 1 << 53))
def test_a_size_is_read_back_from_its_text(size: int) -> None:
    """A size that is written and read is exactly equal."""
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30, "30s"), (0.01, "10ms"), (86400, "1d"), (5400, "90m"), (0, "0s"), (math.inf, "infinity"), (0.0015, "1.5ms")],
)
def test_durations_have_the_largest_unit_that_divides_them(seconds: float, text: str) -> None:
    """A duration is written as a person would write it."""
    assert duration_text(seconds) == text


def test_a_variable_may_hold_a_number_of_milliseconds() -> None:
    """A text without a unit is milliseconds only if it comes from the environment."""
    data = {"bootstrap_servers": "k", "session_timeout": "${TIME}"}

    assert KafkaConfig.model_validate(data, context={"environment": {"TIME": "5000"}}).session_timeout == 5
    with pytest.raises(ValidationError):
        KafkaConfig.model_validate({"bootstrap_servers": "k", "session_timeout": "5000"})


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A}", {"A": ""}, ""),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-}", {}, ""),
        ("a${A}b${B:-c}", {"A": "1"}, "a1bc"),
        ("${A}", {"A": "${B}", "B": "no"}, "${B}"),
    ],
)
def test_references_are_those_of_a_shell(text: str, environment: dict[str, str], expected: str) -> None:
    """A reference is replaced once, and the value of a variable is not searched for references."""
    assert resolve(text, environment) == expected


@pytest.mark.parametrize(
    "secret", ["sesame", "a${b", "${A}-sesame", "${A:-sesame}", "file://${A}/sesame", "x file:///sesame"]
)
def test_a_clear_secret_is_never_its_own_text(secret: str) -> None:
    """str and repr show neither a clear secret nor the default of a reference."""
    assert "sesame" not in f"{Secret(secret)} {Secret(secret)!r}"
    assert str(Secret("${A}")) == "${A}"
    assert str(Secret("file:///run/key")) == "file:///run/key"
    assert Secret("a${b").reveal({}) == "a${b"


def test_secret_from_a_file_and_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trailing line break in a secret's file does not belong to the secret."""
    (tmp_path / "key").write_text("hush\n")
    monkeypatch.setenv("TIDEGATE_TEST_SECRET", "quiet")

    assert Secret(f"file://{tmp_path}/key").reveal() == "hush"
    assert Secret("${TIDEGATE_TEST_SECRET}").reveal() == "quiet"


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error names the missing variable or file."""
    with pytest.raises(ConfigError, match="TIDEGATE_TEST_NOT_SET"):
        Secret("${TIDEGATE_TEST_NOT_SET}").reveal()
    with pytest.raises(ConfigError, match="nowhere"):
        Secret(f"file://{tmp_path}/nowhere").reveal()
