"""The answers about dead letters: a page of them, and one with its record."""

from __future__ import annotations

from typing import Annotated, Any

# Python 3.11's own TypedDict does not tell pydantic which fields may be absent.
from pydantic import Field
from typing_extensions import TypedDict

Base64Bytes = TypedDict("Base64Bytes", {"$b64": str})
TextOrBytes = str | Base64Bytes  # a text, or bytes that are not one


class LetterOrigin(TypedDict):
    """The place of the record in Kafka."""

    topic: str
    partition: int
    offset: int


class ListedLetter(TypedDict):
    """A dead letter in a list. `row`: which of the rule's rows failed."""

    place: str
    arrived: int
    key: TextOrBytes
    action: str
    rule: str
    source: str
    cause: str
    error: str
    row: int | None
    origin: LetterOrigin | None
    value_bytes: int
    copies: int
    settled: bool


class WholeLetter(ListedLetter):
    """A dead letter with its record. `fields` are the record's as rules see them, or null if none can read it."""

    whole: bool
    headers: dict[str, TextOrBytes]
    value: TextOrBytes
    value_cut: bool
    fields: Annotated[dict[str, Any], Field(description="The fields of the event, as rules can read them.")] | None


class LetterGroup(TypedDict):
    """So many letters have the same action, rule and cause."""

    action: str
    rule: str
    cause: str
    count: int


class PageMeta(TypedDict):
    """Which page of a list this is."""

    page: int
    limit: int
    count: int
    hasnext: bool


class Letters(TypedDict):
    """A page of letters, and the number of all letters that were asked for, in groups."""

    data: list[ListedLetter]
    meta: PageMeta
    groups: list[LetterGroup]
