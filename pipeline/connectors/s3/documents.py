"""Reads the XML documents of a store: errors, listings and uploads in parts.

A proxy may answer instead of the store, with anything. So no document raises: a text that is not XML has no texts, and
a truncated document has the texts before its end and is not `whole`. A listing also draws conclusions from missing
elements, so it needs a whole document. A document type and everything after it is refused, because S3 has none and
entities can make gigabytes from a few bytes. Prefixes of namespaces are ignored.
"""

from __future__ import annotations

from html import escape
from typing import Final, NamedTuple
from xml.parsers import expat

DOCUMENT_BYTES_MAX: Final = (
    16 << 20
)  # a page of a listing has 1,000 keys of at most 1,024 bytes, each of which may be escaped
DEPTH_MAX: Final = 32


class Text(NamedTuple):
    """The text of an element without child elements, with the names of the element and of its parent.

    `number` identifies the parent: it is the same for all texts in one element.
    """

    around: str
    name: str
    text: str
    number: int


class Document(NamedTuple):
    """The texts of a document in order, as far as it can be read, and whether it was read to its end.

    `root` is the name of its outermost element; empty if there is none.
    """

    root: str
    texts: list[Text]
    is_whole: bool

    def text(self, name: str, *, around: str = "") -> str:
        """The text of the first element with this name, or an empty text. `around`: only within such an element."""
        found = (each.text for each in self.texts if each.name == name and around in ("", each.around))
        return next(found, "")

    def elements(self, name: str) -> list[dict[str, str]]:
        """The texts in each element of this name, by their own names."""
        found: dict[int, dict[str, str]] = {}
        for each in self.texts:
            if each.around == name:
                found.setdefault(each.number, {}).setdefault(each.name, each.text)
        return list(found.values())


class _Reading:
    """The handlers that expat calls while it reads."""

    def __init__(self) -> None:
        self.found: list[Text] = []
        self.root = ""
        self._open: list[tuple[str, int]] = []
        self._begun = 0
        self._pieces: list[str] = []
        self._is_leaf = False

    def start(self, name: str, attributes: object) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise ValueError("expected a document of S3, found elements that are nested too deeply")
        self._begun += 1
        own = name.rpartition(":")[2]
        self.root = self.root or own
        self._open.append((own, self._begun))
        self._pieces.clear()
        self._is_leaf = True

    def characters(self, piece: str) -> None:
        self._pieces.append(piece)

    def end(self, name: str) -> None:
        own, _ = self._open.pop()
        if self._is_leaf:
            around, number = self._open[-1] if self._open else ("", 0)
            self.found.append(Text(around, own, "".join(self._pieces), number))
        self._is_leaf = False

    def doctype(self, *args: object) -> None:
        raise ValueError("expected a document of S3, found a document type")


def read(document: bytes) -> Document:
    """Read as much of a document as possible."""
    heard = _Reading()
    parser = expat.ParserCreate()
    parser.StartElementHandler = heard.start
    parser.CharacterDataHandler = heard.characters
    parser.EndElementHandler = heard.end
    parser.StartDoctypeDeclHandler = heard.doctype
    try:
        parser.Parse(document[:DOCUMENT_BYTES_MAX], True)
    except (
        expat.ExpatError,
        LookupError,
        ValueError,
    ):  # not XML, an unknown encoding, or something that `_Reading` refuses
        return Document(heard.root, heard.found, is_whole=False)
    return Document(heard.root, heard.found, is_whole=len(document) <= DOCUMENT_BYTES_MAX)


def completion(tags: list[str]) -> bytes:
    """The document that completes an upload of parts with these ETags."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag, quote=False)}</ETag></Part>"
        for number, tag in enumerate(tags, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
