"""Durations, sizes, names and secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.base.secrets import Secret
from pipeline.config.base.values import parse_duration, parse_size
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("15s", 15), ("1h30m", 5400), ("1d", 86400), (1500, 1.5), ("1.5s", 1.5)]
)
def test_durations_as_emqx_writes_them(text: object, seconds: float) -> None:
    """Numbers without a unit are milliseconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 parsecs", "s5", -1, True])
def test_refuses_what_is_no_duration(text: object) -> None:
    """The message says what was found."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("5mb", 5 << 20), ("256KB", 256 << 10), ("1gb", 1 << 30), (77, 77), ("12", 12)]
)
def test_sizes_are_binary(text: object, size: int) -> None:
    """5mb is 5 * 1024 * 1024 bytes, in either case."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "mb", "5 parsecs"])
def test_refuses_what_is_no_size(text: str) -> None:
    """The message gives examples."""
    with pytest.raises(ValueError, match="5mb"):
        parse_size(text)


def test_secret_from_a_file_and_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trailing line break, which editors add, is no part of the secret."""
    (tmp_path / "key").write_text("hush\n")
    monkeypatch.setenv("TIDEGATE_TEST_SECRET", "quiet")

    assert Secret(f"file://{tmp_path}/key").reveal() == "hush"
    assert Secret("${TIDEGATE_TEST_SECRET}").reveal() == "quiet"


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message names the variable or the file."""
    with pytest.raises(ConfigError, match="TIDEGATE_TEST_NOT_SET"):
        Secret("${TIDEGATE_TEST_NOT_SET}").reveal()
    with pytest.raises(ConfigError, match="nowhere"):
        Secret(f"file://{tmp_path}/nowhere").reveal()
