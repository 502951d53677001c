"""docs/operations.md names what the program names."""

from __future__ import annotations

from pathlib import Path

from pipeline.upload.ledger_check import MEANINGS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_every_finding_is_explained() -> None:
    """The page explains each finding in the words of `tidegate verify`."""
    text = PAGE.read_text(encoding="utf-8")

    assert [kind for kind, meaning in MEANINGS.items() if f"| `{kind}` | {meaning}" not in text] == []
