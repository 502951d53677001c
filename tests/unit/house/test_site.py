"""mkdocs.yml lists every page of the manual once, so that nobody has to find one by chance."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_page_has_its_place() -> None:
    """The pages in the navigation of the docs site are those of docs/, each once."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]

    assert sorted(re.findall(r"- ([\w-]+\.md)$", navigation, re.M)) == sorted(
        path.name for path in (ROOT / "docs").glob("*.md")
    )
