"""docs/ledger-format.md and docs/record-headers.md list what the program writes."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from ingress import dead_letter as of_ingress
from pipeline import dead_letter, record, redriven
from pipeline.redriven import Failure, RecordPlace
from pipeline.upload.ledger import Entry, Start, StoredObject
from pipeline.upload.typed_fields import FORMAT

DOCS = Path(__file__).parents[2] / "docs"


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_page_of_the_ledger_has_every_field() -> None:
    """Fields of entries, of their objects and of starts are listed, and the example is of this format."""
    text = _page("ledger-format.md")
    named = set(re.findall(r"`(\w+)`", text))
    (example,) = (json.loads(found) for found in re.findall(r"```json\n(.*?)```", text, re.S))

    assert {each.name for shape in (Entry, StoredObject, Start) for each in fields(shape)} - named == set()
    assert example["format"] == FORMAT
    assert example.keys() - {"format"} == {each.name for each in fields(Entry)} - {"original", "columns"}


def test_the_example_of_an_entry_adds_up() -> None:
    """The example keeps the sums that the page promises."""
    (text,) = re.findall(r"```json\n(.*?)```", _page("ledger-format.md"), re.S)
    entry = json.loads(text)

    assert entry["records"] + entry["absent"] + len(entry["missing"]) == entry["next"] - entry["first"]
    assert sum(each["rows"] for each in entry["objects"]) == entry["rows"]


def test_the_page_of_headers_has_every_header() -> None:
    """Headers of messages, events, redriven records and dead letters are listed, and no others."""
    of_records = {
        record.TOPIC, record.QOS, record.RETAIN, record.DUP, record.ID, record.USERNAME, record.PEERHOST, record.PROPERTIES,
        record.CORRELATION_DATA, record.METRICS, record.TRACEPARENT, record.CLIENTID_FROM, record.EVENT, redriven.REDRIVEN,
    }  # fmt: skip
    failure = Failure("p", "a", "r", 1, RecordPlace("t", 0, 1, "id"), "run")
    of_letters = {name for name, _ in dead_letter.headers_of(failure, "cause", "error", "ledger")} | {
        dead_letter.VALUE_LEFT_OUT, dead_letter.SIZE, of_ingress.CAUSE, of_ingress.ERROR, of_ingress.SOURCE, of_ingress.SHA256,
    }  # fmt: skip

    rows = [line.split("|")[1] for line in _page("record-headers.md").splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == of_records | of_letters
    assert f"`{dead_letter.MARK}`" in _page("record-headers.md")
