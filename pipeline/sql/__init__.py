"""The rule language: SQL text to a compiled Program, and a Program and an Event to rows.

    text ─ lexer ─▶ tokens ─ parser ─▶ nodes ─ compiler, statements ─▶ Python ─ program ─▶ evaluate(event) ─▶ rows

`values` says what a value is, `functions` holds one declaration per function. Nothing here does I/O or reads a clock.
"""

from pipeline.sql.program import Program, compile_statement, share_payload
from pipeline.sql.runtime.event import Context, Event
from pipeline.sql.runtime.jsontext import from_json, to_json, to_text
from pipeline.sql.runtime.values import UNDEFINED, Bits, Row, Text, Undefined

__all__ = [
    "UNDEFINED", "Bits", "Context", "Event", "Program", "Row", "Text", "Undefined",
    "compile_statement", "from_json", "share_payload", "to_json", "to_text",
]  # fmt: skip
