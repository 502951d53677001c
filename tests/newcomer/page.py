"""What a page tells its reader to do: files to write or to change, commands to give, questions to DuckDB, in its order."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"# (\S+\.yaml)\n")
_PART = re.compile(r"# (\S+\.yaml), with these (\w+)\n")
_QUERY = re.compile(r"^SELECT .*?;$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class File:
    """A block whose first line names the file that it is."""

    name: str
    text: str


@dataclass(frozen=True)
class Part:
    """A block whose first line names the file in which it replaces a section."""

    name: str
    section: str
    text: str

    def put_into(self, whole: str) -> str:
        """The file with the section replaced. Raises ValueError if it has none."""
        changed, times = re.subn(
            rf"^{self.section}:.*?(?=^\w|\Z)", lambda _: self.text, whole, flags=re.DOTALL | re.MULTILINE
        )
        if times != 1:
            raise ValueError(f"expected one section {self.section} in {self.name}, found {times}")
        return changed


@dataclass(frozen=True)
class Query:
    """A SELECT for DuckDB, as it stands there."""

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


Step = File | Part | Command | Query


def steps(page: str, heading: str) -> list[Step]:
    """The steps under the heading. Raises ValueError if the page has no such heading."""
    _, found, rest = page.partition(f"\n## {heading}\n")
    if not found:
        raise ValueError(f"no heading {heading!r}")
    section = rest.partition("\n## ")[0]
    return [step for language, text in _BLOCK.findall(section) for step in _of_block(language, text)]


def _of_block(language: str, text: str) -> list[Step]:
    if language == "yaml" and (part := _PART.match(text)):
        return [Part(part[1], part[2], text[part.end() :])]
    if language == "yaml":
        return [File(name[1], text)] if (name := _NAME.match(text)) else []
    if language == "":
        return [Query(found) for found in _QUERY.findall(text) if "s3://" in found]
    if language != "sh":
        return []
    return [Command(line) for line in text.splitlines() if shlex.split(line, comments=True)]
