"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.main import COMMANDS
from pipeline.cli.manual import manual

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_is_that_of_the_commands() -> None:
    """docs/cli.md is up to date; if this fails: python -m pipeline.cli.manual > docs/cli.md."""
    assert PAGE.read_text(encoding="utf-8") == manual()


def test_the_page_has_each_command() -> None:
    """Each command has a part with its options."""
    text = manual()

    assert [name for name in COMMANDS if f"\n## tidegate {name}\n" not in text] == []
    assert "### tidegate dead-letter redrive" in text
    assert "| `--plan` |" in text
    assert "| PLACES |  | Places of dead letters, as partition:offset. Default: all. |" in text
