"""The pages by which a store lists keys, and uploads in parts that are under way.

A page that is not whole is an error and never a short page: whoever reads a listing to its end concludes that nothing follows.
Keys are asked for in URL encoding, because XML cannot carry every character of a key. Pure.

Source: AWS, "Amazon S3 API Reference", ListObjectsV2 and ListMultipartUploads.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from pipeline.errors import RetryableError


class Upload(NamedTuple):
    """A multipart upload under way."""

    key: str
    id: str
    begun: datetime


class UploadPage(NamedTuple):
    """Uploads, and the query of the page behind this one; none when this is the last."""

    uploads: list[Upload]
    following: dict[str, str] | None


def keys_query(prefix: str, after: str, keys_max: int) -> dict[str, str]:
    """The query of the page of keys that begin with `prefix` and sort after `after`."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(keys_max), "prefix": prefix}
    return query | ({"start-after": after} if after else {})


def keys_of(document: bytes) -> tuple[list[str], bool]:
    """The keys of a page, and whether there are more. Raises RetryableError for what is not a whole page."""
    page = _Page(document, "ListBucketResult")
    return [page.key(each, "Key") for each in page.all("Contents")], page.is_truncated


def uploads_query(prefix: str) -> dict[str, str]:
    """The query of the first page of uploads whose keys begin with `prefix`."""
    return {"uploads": "", "encoding-type": "url", "prefix": prefix}


def uploads_of(document: bytes) -> UploadPage:
    """The uploads of a page. Raises RetryableError for what is not a whole page."""
    page = _Page(document, "ListMultipartUploadsResult")
    uploads = [
        Upload(page.key(each, "Key"), page.text(each, "UploadId"), page.time(each, "Initiated"))
        for each in page.all("Upload")
    ]
    if not page.is_truncated:
        return UploadPage(uploads, None)
    root = page.root
    return UploadPage(
        uploads,
        {"key-marker": page.key(root, "NextKeyMarker"), "upload-id-marker": page.text(root, "NextUploadIdMarker")},
    )


class _Page:
    """A document, read by the names of its elements whatever their namespace."""

    def __init__(self, document: bytes, name: str) -> None:
        if b"<!DOCTYPE" in document:  # S3 has none, and entities can make gigabytes of a few bytes
            raise RetryableError("expected a listing, found a document type", reason="listing")
        try:
            self.root = ElementTree.fromstring(document)
        except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last two: an unknown encoding
            raise RetryableError(
                f"expected a listing, found no whole XML document: {error}", reason="listing"
            ) from None
        if self.root.tag.rpartition("}")[2] != name:
            raise RetryableError(f"expected a {name}, found {self.root.tag[:100]}", reason="listing")
        self._encoded = self.text(self.root, "EncodingType") == "url"
        self.is_truncated = self.text(self.root, "IsTruncated") == "true"

    def all(self, name: str) -> list[ElementTree.Element]:
        """The elements of this name, in their order."""
        return self.root.findall(f"{{*}}{name}")

    def text(self, element: ElementTree.Element, name: str) -> str:
        """The text of the element of this name; empty without one."""
        return element.findtext(f"{{*}}{name}") or ""

    def key(self, element: ElementTree.Element, name: str) -> str:
        """A key as it is, also if the store encoded it."""
        text = self.text(element, name)
        return unquote_plus(text) if self._encoded else text

    def time(self, element: ElementTree.Element, name: str) -> datetime:
        """A time, in ISO 8601. Raises RetryableError for another text."""
        text = self.text(element, name)
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise RetryableError(f"expected a time in {name}, found {text[:40]!r}", reason="listing") from None
        return found
