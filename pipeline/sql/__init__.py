"""The rule language compiles SQL text into a Program. A Program makes rows from an Event.

    text ─ syntax.lexer ─▶ tokens ─ syntax.parser ─▶ nodes ─ compilation ─▶ Python ─ program ─▶ evaluate(event) ─▶ rows
                                                                               └─ calls functions, runtime

`syntax` makes a tree from the text, `compilation` makes Python from the tree, `runtime` has the functions that this
Python calls, `functions` has one declaration for each SQL function, and `program` combines them. `runtime.values`
defines the values. Only `runtime.sandbox`,
which runs jq in a child process, does I/O and reads a clock.
"""

from pipeline.sql.program import Program, compile_statement, share_payload
from pipeline.sql.runtime.event import Context, Event
from pipeline.sql.runtime.jsontext import from_json, to_json, to_text
from pipeline.sql.runtime.values import UNDEFINED, Bits, Row, Text, Undefined

__all__ = [
    "UNDEFINED", "Bits", "Context", "Event", "Program", "Row", "Text", "Undefined",
    "compile_statement", "from_json", "share_payload", "to_json", "to_text",
]  # fmt: skip
