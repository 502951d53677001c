"""The pages of a store's listings of keys, and of uploads in parts under way.

An incomplete page is an error and never a short page, because a reader of a listing concludes from its end that nothing follows.
Keys are asked for in URL encoding, because XML cannot carry every character of a key. Pure.

Source: AWS, "Amazon S3 API Reference", ListObjectsV2 and ListMultipartUploads.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from pipeline.connectors.s3.documents import read
from pipeline.errors import RetryableError


class Upload(NamedTuple):
    """A multipart upload under way."""

    key: str
    id: str
    begun: datetime


class KeyPage(NamedTuple):
    """Keys in order, and whether more follow."""

    keys: list[str]
    more: bool


class ListedObject(NamedTuple):
    """An object in a listing."""

    key: str
    size_bytes: int
    modified: str  # ISO 8601, on the store's clock; empty if the store does not say


class FolderPage(NamedTuple):
    """Folders (prefixes that end with /) and objects in order, and the token of the next page, or None on the last page."""

    folders: list[str]
    objects: list[ListedObject]
    following: str | None


class UploadPage(NamedTuple):
    """Uploads, and the query of the next page, or None on the last page."""

    uploads: list[Upload]
    following: dict[str, str] | None


def keys_query(prefix: str, after: str, keys_max: int) -> dict[str, str]:
    """The query of the page of keys that begin with `prefix` and sort after `after`."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(keys_max), "prefix": prefix}
    return query | ({"start-after": after} if after else {})


def keys_of(document: bytes) -> KeyPage:
    """The keys of a page. Raises RetryableError for an incomplete page."""
    page = _Page(document, "ListBucketResult")
    return KeyPage([page.key(each, "Key") for each in page.all("Contents")], page.is_truncated)


def folder_query(prefix: str, token: str, count: int) -> dict[str, str]:
    """The query of a page of what is directly below `prefix`. `token`: that of the page before; empty: the first page."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(count), "prefix": prefix, "delimiter": "/"}
    return query | ({"continuation-token": token} if token else {})


def folder_of(document: bytes) -> FolderPage:
    """The folders and objects of a page. Raises RetryableError for an incomplete page."""
    page = _Page(document, "ListBucketResult")
    objects = [
        ListedObject(page.key(each, "Key"), _size(each.get("Size", "")), each.get("LastModified", ""))
        for each in page.all("Contents")
    ]
    folders = [page.key(each, "Prefix") for each in page.all("CommonPrefixes")]
    return FolderPage(folders, objects, page.own.get("NextContinuationToken", "") if page.is_truncated else None)


def uploads_query(prefix: str) -> dict[str, str]:
    """The query of the first page of uploads whose keys begin with `prefix`."""
    return {"uploads": "", "encoding-type": "url", "prefix": prefix}


def uploads_of(document: bytes) -> UploadPage:
    """The uploads of a page. Raises RetryableError for an incomplete page."""
    page = _Page(document, "ListMultipartUploadsResult")
    uploads = [
        Upload(page.key(each, "Key"), each.get("UploadId", ""), _time(each.get("Initiated", "")))
        for each in page.all("Upload")
    ]
    if not page.is_truncated:
        return UploadPage(uploads, None)
    markers = {
        "key-marker": page.key(page.own, "NextKeyMarker"),
        "upload-id-marker": page.own.get("NextUploadIdMarker", ""),
    }
    return UploadPage(uploads, markers)


class _Page:
    """A whole document of this name. `own` are the texts that stand in no other element. Raises RetryableError for another."""

    def __init__(self, document: bytes, name: str) -> None:
        self._document = found = read(document)
        if not found.is_whole:
            shown = document[:100].decode("utf-8", "replace")
            raise RetryableError(f"expected a listing, found no whole XML document: {shown!a}", reason="listing")
        if found.root != name:
            raise RetryableError(f"expected a {name}, found {found.root[:100]}", reason="listing")
        self.own = next(iter(found.elements(name)), {})
        truncated = self.own.get("IsTruncated", "")
        if truncated not in {"true", "false"}:
            raise RetryableError(
                f"expected a page that says whether it is truncated, found {truncated!a}", reason="listing"
            )
        self.is_truncated = truncated == "true"
        self._encoded = self.own.get("EncodingType") == "url"

    def all(self, name: str) -> list[dict[str, str]]:
        """The elements with this name, in order."""
        return self._document.elements(name)

    def key(self, element: Mapping[str, str], name: str) -> str:
        """A key, decoded if the store encoded it."""
        text = element.get(name, "")
        return unquote_plus(text) if self._encoded else text


def _size(text: str) -> int:
    """A size in bytes. Raises RetryableError for another text."""
    if not (text.isascii() and text.isdecimal()):
        raise RetryableError(f"expected a number in Size, found {text[:40]!a}", reason="listing")
    return int(text)


def _time(text: str) -> datetime:
    """A time, in ISO 8601. Raises RetryableError for another text."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise RetryableError(f"expected a time in Initiated, found {text[:40]!a}", reason="listing") from None
