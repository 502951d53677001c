"""Dead letters, as the API shows them: pages, one letter as a whole, and the event of a letter to try a rule on.

The topic is read from its beginning for each page, because a copy or a mark may come long after its letter. `SEARCH_SECONDS`
bounds that; `tidegate dead-letter` has no bound.
"""

from __future__ import annotations

import base64
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from heapq import nlargest
from typing import Any, Final

from pipeline import dead_letter
from pipeline.config import Config
from pipeline.connectors.kafka.letters import FoundLetter, Wanted, letters
from pipeline.connectors.kafka.reader import Bound, batches, ranges
from pipeline.dead_letter import Letter
from pipeline.errors import NotFoundError, RecordError
from pipeline.record import Record, event_columns, is_message, message_reader
from pipeline.rule_trial import Sample, to_vector
from pipeline.sql.runtime.values import text_of
from pipeline.web.answers import RequestError
from pipeline.web.evidence.shapes.letters import LetterGroup, Letters, ListedLetter, PageMeta, TextOrBytes, WholeLetter

SEARCH_SECONDS: Final = 15.0
PAGED_MAX: Final = 10_000  # letters up to the end of the last page
SHOWN_BYTES: Final = 64 * 1024  # of a value
ERROR_MAX: Final = 2_000  # characters
_PLACE: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


def wanted_by(fields: Mapping[str, Any]) -> Wanted:
    """What a query or a body selects. Raises RequestError."""
    places = fields.get("places") or []
    if not isinstance(places, list) or not all(isinstance(each, str) and _PLACE.fullmatch(each) for each in places):
        raise RequestError("BAD_REQUEST", "places: expected a list of partition:offset, such as 3:42")
    texts: dict[str, str | None] = {}
    for name in ("action", "rule", "cause", "clientid"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise RequestError("BAD_REQUEST", f"{name}: expected a text")
        texts[name] = value
    since = fields.get("since") or 0
    if not isinstance(since, int) or isinstance(since, bool) or since < 0:
        raise RequestError("BAD_REQUEST", "since: expected milliseconds since 1970")
    action = texts["action"]
    return Wanted(
        frozenset(places),
        action.removeprefix("s3:") if action is not None else None,
        texts["rule"],
        texts["cause"],
        texts["clientid"],
        since,
        fields.get("again") is True,
    )


def page(config: Config, wanted: Wanted, number: int, size: int) -> Letters:
    """One page, the newest arrivals first, and the number of letters by action, rule and cause. Blocks."""
    groups: Counter[tuple[str, str, str]] = Counter()

    def each() -> Iterator[tuple[int, int, int, ListedLetter]]:
        for found in within(letters(config, wanted, runs=False), SEARCH_SECONDS):
            letter = found.letter
            groups[letter.action or letter.source, letter.rule, letter.cause] += 1
            record = letter.record
            yield record.timestamp, record.partition, record.offset, facts(found)

    if number * size > PAGED_MAX:
        raise RequestError("BAD_REQUEST", f"expected a page within the first {PAGED_MAX:,} letters; narrow the search")
    newest = nlargest(number * size, each(), key=lambda one: one[:3])
    shown = [one[3] for one in newest[(number - 1) * size :]]
    count = groups.total()
    meta: PageMeta = {"page": number, "limit": size, "count": count, "hasnext": number * size < count}
    named: list[LetterGroup] = [
        {"action": action, "rule": rule, "cause": cause, "count": many}
        for (action, rule, cause), many in groups.most_common(100)
    ]
    return {"data": shown, "meta": meta, "groups": named}


def within(found: Iterator[FoundLetter], seconds: float) -> Iterator[FoundLetter]:
    """The letters, unless reading takes too long. Raises RequestError."""
    give_up = time.monotonic() + seconds
    for each in found:
        yield each
        if time.monotonic() > give_up:
            raise RequestError(
                "SERVICE_UNAVAILABLE",
                f"the dead letter topic cannot be read within {seconds:g} s; use `tidegate dead-letter list`",
            )


def one(config: Config, place: str) -> WholeLetter:
    """A whole letter: what happened, the headers and the value of the record, and its fields as rules see them. Blocks."""
    wanted = wanted_by({"places": [place], "again": True})
    found = next(within(letters(config, wanted, runs=False), SEARCH_SECONDS), None)
    if found is None:
        raise NotFoundError(f"no dead letter at {place[:40]!r}")
    record = found.letter.record
    value = record.value or b""
    try:
        fields = to_vector(columns(record, config.pipeline))
    except (RecordError, ValueError):
        fields = None  # no rule can read it either
    return {
        **facts(found),
        "whole": found.letter.whole,
        "headers": {name: _text(each) for name, each in dead_letter.original_headers(record)},
        "value": _text(value[:SHOWN_BYTES]),
        "value_cut": len(value) > SHOWN_BYTES,
        "fields": fields,
    }


def facts(found: FoundLetter) -> ListedLetter:
    """What happened."""
    letter = found.letter
    origin = letter.origin
    return {
        "place": letter.place,
        "arrived": letter.record.timestamp,
        "key": _text(letter.record.key or b""),
        "action": letter.action,
        "rule": letter.rule,
        "source": letter.source,
        "cause": letter.cause,
        "error": letter.error[:ERROR_MAX],
        "row": letter.failure.row if letter.failure else None,
        "origin": {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset} if origin else None,
        "value_bytes": len(letter.record.value or b""),
        "copies": found.copies,
        "settled": found.settled,
    }


def columns(record: Record, node: str) -> dict[str, Any]:
    """The fields of a letter's record as rules see them. Raises RecordError."""
    original = record._replace(headers=dead_letter.original_headers(record))
    return message_reader(None, node)(original) if is_message(original) else event_columns(original, node)


def sample(config: Config, place: str) -> Sample:
    """The event of a letter, at the place and time of its record. Blocks. Raises NotFoundError, RequestError or RecordError."""
    matched = _PLACE.fullmatch(place)
    if matched is None:
        raise RequestError("BAD_REQUEST", f"letter: expected partition:offset, found {place[:40]!r}")
    partition, offset = int(matched[1]), int(matched[2])
    topic, here = config.kafka.dead_letter_topic, Bound(offset=offset)
    spans = ranges(config.kafka, [topic], here, here._replace(offset=offset + 1), [partition])
    if not spans or spans[0].first != offset:
        raise NotFoundError(f"no dead letter at {place!r}")
    with closing(batches(config.kafka, spans[0])) as reading:
        records = next(reading, [])
    if not records:
        raise NotFoundError(f"no dead letter at {place!r}")
    record = records[0]
    letter = dead_letter.read(record)
    if not isinstance(letter, Letter):
        raise NotFoundError(f"no dead letter at {place!r}")
    if not letter.whole:
        raise RecordError(f"letter {place} holds only a part of the value, which was too large for it")
    fields = columns(record, config.pipeline)
    origin = letter.origin
    placed = record._replace(topic=origin.topic, partition=origin.partition, offset=origin.offset) if origin else record
    return Sample(fields, placed._replace(headers=dead_letter.original_headers(record)))


def _text(value: bytes) -> TextOrBytes:
    """The text of bytes, or the bytes in Base64 if they are not a text."""
    found = text_of(value)
    return found if isinstance(found, str) else {"$b64": base64.b64encode(value).decode()}
