"""The places of settings in the file of a configuration, also inside a statement of several lines. Opens no file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.config.text.yaml_text import Place, YamlNode

# The pieces of a line of a scalar, one for each character of its text.
_PLAIN: Final = re.compile(".", re.DOTALL)
_PIECES: Final = {
    "'": re.compile("''|.", re.DOTALL),
    '"': re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|.", re.DOTALL),
}
_BLANKS: Final = ("", *"ntrvfNLP_ \t")  # after a backslash
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
        within = _within(node, line, column, self.lines) if found and line else None
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


def _within(node: YamlNode, line: int, column: int, lines: Sequence[str]) -> Place | None:
    """The place in the file for a place in a scalar, or None if there is no such place.

    YAML changes only blanks: the indentation and the ends of lines. So all other characters are counted in both texts.
    """
    text = node.text or ""
    before = text.split("\n")[: line - 1]
    if len(before) < line - 1 or line > text.count("\n") + 1:
        return None
    offset = sum(len(each) + 1 for each in before) + column - 1
    wanted, places = _solid(text[:offset]), list(_places(node, lines))
    if len(places) < _solid(text):
        return None
    if wanted < _solid(text):
        return places[wanted]
    return places[wanted - 1]._replace(column=places[wanted - 1].column + 1) if wanted else None


def _solid(text: str) -> int:
    return sum(not each.isspace() for each in text)


def _places(node: YamlNode, lines: Sequence[str]) -> Iterator[Place]:
    """The places of a scalar's characters, without blanks, and of some characters after it."""
    first = node.place.line + (node.style in {"|", ">"})
    for number in range(first, min(node.last_line, len(lines)) + 1):
        start = node.place.column - 1 + (node.style in {"'", '"'}) if number == node.place.line else 0
        for found in _PIECES.get(node.style or "", _PLAIN).finditer(lines[number - 1], start):
            if not (_escaped(found[0]) if node.style == '"' else found[0]).isspace():
                yield Place(number, found.start() + 1)


def _escaped(piece: str) -> str:
    """The character of a piece of a text in double quotes; a blank for a backslash that ends a line."""
    if not piece.startswith("\\"):
        return piece
    return chr(int(piece[2:], 16)) if len(piece) > 2 else " " if piece[1:] in _BLANKS else piece[1:]


def path_of(dotted: str) -> list[str | int]:
    """The parts of `rules.hot.actions[1]`."""
    return [int(number) if number else name for number, name in _PART.findall(dotted)]
