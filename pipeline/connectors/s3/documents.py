"""The XML documents that a store answers with, read as the texts of their elements.

A proxy may answer in the store's place, with anything at all. So nothing raises: what is not XML has no texts, and one that
breaks off has those before the break. A document type is refused with all that follows it, since S3 has none and entities
can make gigabytes of a few bytes. What a namespace's prefix stands for does not matter.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import Final, NamedTuple
from xml.parsers import expat

DOCUMENT_BYTES_MAX: Final = 4 << 20  # a page of a listing has 1,000 keys of at most 1,024 bytes, each escaped
DEPTH_MAX: Final = 32


class Text(NamedTuple):
    """The text of an element that has no others in it, with the names of this one and of the one around it."""

    around: str
    name: str
    text: str


class _Texts:
    """What expat calls while it reads."""

    def __init__(self) -> None:
        self.found: list[Text] = []
        self._open: list[str] = []
        self._pieces: list[str] = []
        self._is_leaf = False

    def start(self, name: str, attributes: object) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise ValueError("expected a document of S3, found elements in elements in elements")
        self._open.append(name.rpartition(":")[2])
        self._pieces.clear()
        self._is_leaf = True

    def characters(self, piece: str) -> None:
        self._pieces.append(piece)

    def end(self, name: str) -> None:
        own = self._open.pop()
        if self._is_leaf:
            self.found.append(Text(self._open[-1] if self._open else "", own, "".join(self._pieces).strip()))
        self._is_leaf = False

    def doctype(self, *args: object) -> None:
        raise ValueError("expected a document of S3, found a document type")


def texts(document: bytes) -> list[Text]:
    """The texts of a document in their order, as far as it can be read."""
    heard = _Texts()
    parser = expat.ParserCreate()
    parser.StartElementHandler = heard.start
    parser.CharacterDataHandler = heard.characters
    parser.EndElementHandler = heard.end
    parser.StartDoctypeDeclHandler = heard.doctype
    # Not XML; an encoding that there is not; what `_Texts` refuses.
    with suppress(expat.ExpatError, LookupError, ValueError):
        parser.Parse(document[:DOCUMENT_BYTES_MAX], True)
    return heard.found


def text_of(document: bytes, name: str) -> str:
    """The text of the first element of this name; empty when there is none."""
    return next((found.text for found in texts(document) if found.name == name), "")


def completion(tags: list[str]) -> bytes:
    """The document that completes an upload of parts with these ETags."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag, quote=False)}</ETag></Part>"
        for number, tag in enumerate(tags, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
