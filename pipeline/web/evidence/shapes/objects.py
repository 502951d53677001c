"""The answers about objects: a folder, one object, its first rows."""

from __future__ import annotations

from typing import Literal

# Python 3.11's own TypedDict does not tell pydantic which fields may be absent.
from typing_extensions import TypedDict


class FolderObject(TypedDict):
    """An object in a folder."""

    key: str
    size: int
    modified: str


class ObjectPage(TypedDict):
    """A page of a folder. `next` is the token of the next page."""

    bucket: str
    prefix: str
    folders: list[str]
    objects: list[FolderObject]
    next: str | None


class LedgerEntry(TypedDict):
    """An entry of the ledger: one cut of a partition. `gone`: offsets that Kafka had deleted before they were read."""

    first: int
    next: int
    epoch: int
    revision: int
    version: str
    records: int
    filtered: int
    dead_lettered: int
    absent: int
    gone: int
    rows: int
    objects: int
    replayed: bool


class PlacedEntry(TypedDict):
    """An entry at its key. One that cannot be read says so in `problem`."""

    key: str
    entry: LedgerEntry | None
    problem: str


class LedgerPage(TypedDict):
    """Entries of one partition, the newest first. `before` is the offset that asks for the next page."""

    topic: str
    topic_id: str
    partition: int
    data: list[PlacedEntry]
    before: int | None


class RowsFrom(TypedDict):
    """Where the rows of an object come from: the records of a partition from `first` to `last`, which is included."""

    topic: str | None
    partition: int | None
    first: int | None
    last: int | None


class ObjectHead(RowsFrom):
    """What the store and the object's own metadata say of an object. Unknown facts are null."""

    bucket: str
    key: str
    size: int
    modified: str
    etag: str
    content_type: str
    version: str | None
    revision: int | None
    sha256: str | None
    rows: int | None


class ObjectDetails(ObjectHead):
    """One object, the rules that made it, and the entry of the ledger over its rows. Unknown facts are null."""

    rules: dict[str, str] | None
    entry: LedgerEntry | None
    named: bool
    unchanged: bool | None
    ledger_problem: str


Form = Literal["json_lines", "json", "csv", "parquet", "text", "binary"]
Compression = Literal["none", "gzip", "zstd"]


class ObjectPreview(TypedDict):
    """The first rows of an object. What cannot be read says so in `problem`."""

    form: Form
    compression: Compression
    columns: list[str]
    rows: list[list[str | None]]
    text: str | None
    cut: bool
    problem: str | None
