"""Writes the manual's chapter on functions from their declarations, so that the two cannot differ.

`docs/rule-language.md` holds this text between two marks. `python -m pipeline.sql.manual FILE` writes it there. A test checks
that the text is current, and runs every example on `EXAMPLE_EVENT`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from pipeline.sql.functions import FUNCTIONS, THEMES, Declaration
from pipeline.sql.runtime.event import Context, Event
from pipeline.sql.runtime.schemas import build

BEGIN: Final = "<!-- functions: written by pipeline/sql/manual.py -->"
END: Final = "<!-- end of functions -->"

EXAMPLE_COLUMNS: Final[dict[str, Any]] = {
    "event": "message.publish",
    "id": "0005F1A2B3C4D5E6F40500000A1B2C3D",
    "topic": "plant/7/up",
    "qos": 1,
    "clientid": "pump-1",
    "username": "eve",
    "peerhost": "192.0.2.10",
    "flags": {"dup": False, "retain": True},
    "payload": b'{"list":[1,2,300],"nothing":null,"place":{"room":"boiler"}}',
}
EXAMPLE_NOW_MS: Final = 1_708_671_600_123


EXAMPLE_SCHEMA: Final = '{"type": "object", "properties": {"x": {"type": "integer"}}}'


def example_context() -> Context:
    """The context of the examples, with a JSON Schema called `point`."""
    return Context(schemas={"point": build("json", EXAMPLE_SCHEMA)})


def example_event() -> Event:
    """The event of the manual's examples."""
    return Event(dict(EXAMPLE_COLUMNS), EXAMPLE_NOW_MS, ("mqtt.messages", 0, 0))


def functions_chapter() -> str:
    """All functions, by theme, as Markdown."""
    parts = [BEGIN, "", f"There are {len(FUNCTIONS)} functions.", ""]
    for theme in THEMES:
        name = theme.__name__.rpartition(".")[2]
        declared = [function for function in FUNCTIONS.values() if function.theme == name]
        heading, _, rest = (theme.__doc__ or "").strip().partition("\n")
        parts += [f"### {heading.rstrip('.')} ({len(declared)})", "", *_paragraphs(rest)]
        for function in declared:
            parts += _entry(function)
    return "\n".join([*parts, END])


def _paragraphs(text: str) -> list[str]:
    return [line for paragraph in text.strip().split("\n\n") if paragraph for line in (" ".join(paragraph.split()), "")]


def _entry(function: Declaration) -> list[str]:
    signatures = "<br>".join(f"`{signature.text}`" for signature in function.signatures)
    examples = [f"- `{call}` → `{result}`" for call, result in function.examples]
    return [f"#### {function.name}", "", signatures, "", function.doc, "", *examples, ""]


def replaced(page: str) -> str:
    """`page` with the current chapter between the marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + functions_chapter() + tail


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(replaced(target.read_text(encoding="utf-8")), encoding="utf-8")
