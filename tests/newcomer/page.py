"""What a page tells its reader to do: the files to write, and the commands to give, in the order of the page."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"# (\S+\.yaml)\n")


@dataclass(frozen=True)
class File:
    """A block whose first line names the file that it is."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A line of a shell block, as it stands there."""

    line: str

    @property
    def words(self) -> list[str]:
        """Without the comment and the `&`."""
        words = shlex.split(self.line, comments=True)
        return words[:-1] if self.in_background else words

    @property
    def in_background(self) -> bool:
        return shlex.split(self.line, comments=True)[-1] == "&"


def steps(page: str, heading: str) -> list[File | Command]:
    """The steps under the heading. Raises ValueError if the page has no such heading."""
    _, found, rest = page.partition(f"\n## {heading}\n")
    if not found:
        raise ValueError(f"no heading {heading!r}")
    section = rest.partition("\n## ")[0]
    return [step for language, text in _BLOCK.findall(section) for step in _of_block(language, text)]


def _of_block(language: str, text: str) -> list[File | Command]:
    if language == "yaml":
        return [File(name[1], text)] if (name := _NAME.match(text)) else []
    return [Command(line) for line in text.splitlines() if shlex.split(line, comments=True)]
