"""The places of settings in the file of a configuration, also inside a statement of several lines. Opens no file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.config.text.yaml_text import Place, YamlNode

_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Places:
    """The places in one file. They do not count for the equality of configurations."""

    name: str = ""
    root: YamlNode | None = None
    lines: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Places)

    def __hash__(self) -> int:
        return 0

    def of(self, path: Sequence[str | int], line: int = 0, column: int = 0) -> str:
        """`file:line:column` of a setting, or of the deepest one around it; empty if there is no file.

        With `line` and `column`, a place in the setting's text, the result is that place in the file if it can be
        known.
        """
        if self.root is None:
            return self.name
        place, node, found = self._find(path)
        within = self._within(node, line, column) if found and line else None
        shown = within or place
        return f"{self.name}:{shown.line}:{shown.column}"

    def _find(self, path: Sequence[str | int]) -> tuple[Place, YamlNode, bool]:
        assert self.root is not None
        place, node = self.root.place, self.root
        for part in path:
            if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                place = node.place
            elif part in node.keys:
                place, node = node.keys[str(part)]
            else:
                return place, node, False
        return place, node, True

    def _within(self, node: YamlNode, line: int, column: int) -> Place | None:
        """The place in the file for a place in a scalar, or None if the text differs from its joined lines."""
        text = node.text
        if text is None:
            return None
        first = node.place.line + (1 if node.style in {"|", ">"} else 0)
        rows = [self.lines[number - 1] for number in range(first, node.last_line + 1) if number <= len(self.lines)]
        if node.style == "|":
            pieces = text.split("\n")
            if line > len(pieces) or line > len(rows) or not rows[line - 1].endswith(pieces[line - 1]):
                return None
            return Place(first + line - 1, len(rows[line - 1]) - len(pieces[line - 1]) + column)
        return None if line > 1 else self._folded(text.rstrip("\n"), rows, first, node, column)

    def _folded(self, text: str, rows: list[str], first: int, node: YamlNode, column: int) -> Place | None:
        """The place in a scalar whose lines YAML joined with spaces."""
        begin = node.place.column - 1 + (1 if node.style in {"'", '"'} else 0) if node.style != ">" else 0
        left = column - 1
        for number, row in enumerate(rows):
            start = begin if number == 0 and begin else len(row) - len(row.lstrip())
            piece = row[start:].rstrip()[: len(text)]  # quotes and brackets may follow the text
            if not piece or not text.startswith(piece):
                return None
            if left <= len(piece):
                return Place(first + number, start + left + 1)
            text, left = text[len(piece) + 1 :], left - len(piece) - 1
        return None


def path_of(dotted: str) -> list[str | int]:
    """The parts of `rules.hot.actions[1]`."""
    return [int(number) if number else name for number, name in _PART.findall(dotted)]
