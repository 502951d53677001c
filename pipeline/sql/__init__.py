"""The rule language: SQL text to a compiled Program, and a Program and an Event to rows.

    text ─ syntax.lexer ─▶ tokens ─ syntax.parser ─▶ nodes ─ compilation ─▶ Python ─ program ─▶ evaluate(event) ─▶ rows
                                                                               └─ calls functions, runtime

`syntax` is text and its tree, `compilation` makes Python of the tree, `runtime` is what that Python calls while it runs,
`functions` has one declaration for each SQL function, `program` puts them together. `runtime.values` says what a value is.
Nothing here does I/O or reads a clock.
"""

from pipeline.sql.program import Program, compile_statement, share_payload
from pipeline.sql.runtime.event import Context, Event
from pipeline.sql.runtime.jsontext import from_json, to_json, to_text
from pipeline.sql.runtime.values import UNDEFINED, Bits, Row, Text, Undefined

__all__ = [
    "UNDEFINED", "Bits", "Context", "Event", "Program", "Row", "Text", "Undefined",
    "compile_statement", "from_json", "share_payload", "to_json", "to_text",
]  # fmt: skip
