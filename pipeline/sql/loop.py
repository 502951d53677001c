"""One loop over the columns of a fetch for all rules that match a topic: from the bytes of a record to the line of a row.

A Record, an Event, a dictionary of columns, a list of rows and their bookkeeping cost several times what the statement
itself costs. A loop needs none of them. It is made of the same expressions as `Program.evaluate`, so both give the same.

    for each record
        for each rule                 fields, WHERE, row, line
            add the line to a text, and a mark; None as the mark if WHERE is false

The loop does nothing else, because all that is done for each record is most of what a record costs. Whoever calls it gives
it records that these rules match, and does the rest for many records at once (pipeline/rule/line_batch.py): groups,
offsets, counts, limits.

A loop has no failures of its own: an error, whatever it is, ends it at that record, which is then evaluated with
`Program.evaluate`. That knows the cause of a dead letter. The lines before it count. It also ends behind the record with which
its lines take more than there is room for, because a device may choose how long a row becomes.

If other actions of the worker read the same records, their payloads are decoded already (pipeline/rule/shared.py). Then
another form of the same loop takes the structs in the place of the payloads.

A statement has no loop if it is FOREACH, if it waits for another process, or if it must not be evaluated twice.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import islice
from textwrap import indent
from typing import Any, Final, NamedTuple

from pipeline.columns import HEADERS, KEYS, OFFSETS, TIMESTAMPS, VALUES
from pipeline.record import MESSAGE_EVENT, UNKNOWN, Record, id_of, is_known, properties_of
from pipeline.sql.compilation.loops import READ_AT_ONCE, LoopCompiler, LoopedStatement, looped
from pipeline.sql.compilation.statements import names_in
from pipeline.sql.program import NAMESPACE, Program
from pipeline.sql.runtime.event import Event
from pipeline.sql.runtime.jsontext import DEEP_BYTES_MIN, may_be_deep
from pipeline.sql.runtime.shape import Shape
from pipeline.sql.runtime.values import Row

# The fields of a record in a loop, and their columns.
FIELDS: Final = {"offset": OFFSETS, "timestamp": TIMESTAMPS, "key": KEYS, "value": VALUES, "headers": HEADERS}
# What the loop has of a record in addition, if its payload is decoded already.
DECODED: Final = "struct"
_FRAME: Final = """\
def loop(topic, partition, columns, decode, text, mark, room):
{rows}
    for {fields} in zip(*columns):
{body}
        if len(text) > room:
            return
"""
_NAMED: Final = "named = dict(headers)"
_EVENT: Final = """\
record = Record(topic, partition, offset, timestamp, key, value, headers)
event = Event(columns_of(record), timestamp, record)"""
_LINE: Final = "text += {line}\nmark(True)"
_LINE_OF_GROUP: Final = "group = group_of(row, timestamp)\ntext += {line}\nmark(group)"
_NO_LINE: Final = "mark(None)"


@dataclass(frozen=True, slots=True)
class LineForm:
    """How rows become lines of groups. `line` is Python code for the line of `row`, with names of `names`.

    `group_of(row, timestamp)`: the group of a row. `interval_ms`: if only the time decides it, the length of a window.
    """

    line: str
    names: Mapping[str, Any]
    group_of: Callable[[Row, int], Any]
    interval_ms: int | None


def has_loop(programs: Sequence[Program]) -> bool:
    """Whether these programs, which match the same topic, can have a loop. They decode payloads together."""
    one = len({program.shape for program in programs}) == 1
    return one and not any(each.tree.collect or each.waits or not each.repeatable for each in programs)


class MadeLines(NamedTuple):
    """The lines of some records in one text, because many small texts cost more than to make them.

    `marks` has for each record one mark of each rule: None if it has no line, else True. If rows decide the group, it is the
    group of the row.
    """

    text: bytearray
    marks: list[Any]

    def each(self) -> list[Any]:
        """The line of each mark, or None. If rows decide the group, a tuple of the line and its group."""
        lines = BytesIO(self.text)  # for which only \n ends a line
        return [mark and (next(lines) if mark is True else (next(lines), mark)) for mark in self.marks]

    def begin(self, marks: int) -> MadeLines:
        """The first marks, and their lines."""
        kept = self.marks[:marks]
        return MadeLines(bytearray().join(islice(BytesIO(self.text), len(list(filter(None, kept))))), kept)


class CompiledLoop:
    """One form of a loop. `reads`: the columns that it needs. `source`: its code, for people."""

    def __init__(self, body: ast.Module, namespace: Mapping[str, Any], rules: int) -> None:
        names = names_in(body.body)
        fields = [name for name in FIELDS if name in names]
        self.reads = [FIELDS[name] for name in fields]
        fields += [DECODED] if DECODED in names else []
        if not fields:
            fields, self.reads = ["offset"], [OFFSETS]
        rows = "\n".join(f"    row_{number} = {{}}" for number in range(rules))
        text = indent(ast.unparse(body), " " * 8)
        self.source = _FRAME.format(rows=rows, fields=", ".join([*fields, ""]), body=text)
        own = dict(namespace)
        exec(compile(self.source, "<loop>", "exec"), own)
        self._run: Callable[..., None] = own["loop"]
        self._rules = rules

    def run(self, topic: str, partition: int, columns: Sequence[Sequence[Any]], decode: Any, room: int) -> MadeLines:
        """The lines of records, up to the first error, or until they have more than `room` bytes."""
        made = MadeLines(bytearray(), [])
        try:
            self._run(topic, partition, columns, decode, made.text, made.marks.append, room)
        except Exception:  # whatever it is, the other way finds the cause
            made = made.begin(len(made.marks) // self._rules * self._rules)
        return made


class Loop:
    """The loop of some rules. `reads`: the columns that it needs. `source`: its code, for people.

    `decodes`: whether it decodes payloads; then it needs these `keys` of them.
    """

    def __init__(self, form: LineForm, body: ast.Module, namespace: dict[str, Any], shape: Shape, rules: int) -> None:
        self.form = form
        self.keys, self.decodes = shape.keys, "decode" in names_in(body.body)
        self._body, self._namespace, self._rules = body, namespace, rules
        self._whole = CompiledLoop(body, namespace, rules)
        self.reads, self.source = self._whole.reads, self._whole.source
        self._payloads = self.reads.index(VALUES) if VALUES in self.reads else None
        self._decode_plain, self._decode = shape.decode, _decoder(shape)

    @cached_property
    def of_decoded(self) -> CompiledLoop:
        """The form that takes decoded payloads, which have at least `keys`."""
        return CompiledLoop(_Decoded().visit(copy.deepcopy(self._body)), self._namespace, self._rules)

    def lines_of_decoded(
        self, topic: str, partition: int, columns: Sequence[Sequence[Any]], payloads: Sequence[Any], room: int
    ) -> MadeLines:
        """The same as `lines`. `columns` are those that `of_decoded` reads."""
        return self.of_decoded.run(topic, partition, [*columns, payloads], None, room)

    def lines(
        self, topic: str, partition: int, columns: Sequence[Sequence[Any]], room: int, *, plain: bool = False
    ) -> MadeLines:
        """The lines of records that these rules match, up to the first error, or until they have more than `room` bytes.

        `columns` are those that the loop `reads`.

        `plain`: whether all payloads are known to be plain (see Columns).
        """
        plain = plain or (self._payloads is not None and _are_plain(columns[self._payloads]))
        return self._whole.run(topic, partition, columns, self._decode_plain if plain else self._decode, room)


class _Decoded(ast.NodeTransformer):
    """Replaces the decoding of a payload by the decoded one."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`decode(value)`, wherever it is."""
        self.generic_visit(node)
        is_decode = isinstance(node.func, ast.Name) and node.func.id == "decode"
        return ast.Name(DECODED, ast.Load()) if is_decode else node


def _are_plain(payloads: Sequence[bytes | None]) -> bool:
    """Whether all are surely valid UTF-8, and cannot nest too deeply. It costs less to look at many than at each."""
    try:
        return max(map(len, payloads)) <= DEEP_BYTES_MIN and b"".join(payloads).isascii()  # type: ignore[arg-type]
    except TypeError:  # null
        return False


def _decoder(shape: Shape) -> Callable[[bytes], Any]:
    """Decodes any payload."""
    decode = shape.decode

    def decoded(payload: bytes) -> Any:
        if payload.isascii() and (len(payload) <= DEEP_BYTES_MIN or not may_be_deep(payload)):
            return decode(payload)
        return Event({"payload": payload}, 0, ()).narrow(shape)

    return decoded


def loop_of(
    programs: Sequence[tuple[str, Program]],
    form: LineForm,
    *,
    node: str,
    columns: frozenset[str] | None,
    columns_of: Callable[[Record], dict[str, Any]],
) -> Loop:
    """The loop of these programs, which come with their rule ids. See `has_loop`.

    `columns` are those that any rule of the action reads, None for all. `columns_of` gives them for a record, for
    statements that need an Event.
    """
    shape = programs[0][1].shape
    namespace = {**NAMESPACE, **_NAMES, **form.names, "node": node, "columns_of": columns_of}
    namespace |= {"SHAPE": shape, "group_of": form.group_of, "CONTEXT": programs[0][1].context}
    statements = []
    for number, (rule_id, program) in enumerate(programs):
        namespace[f"rule_{number}"] = rule_id
        compiler = LoopCompiler(program.text, program.tree, namespace, number)
        statements.append(looped(compiler, program.tree))
    return Loop(form, ast.parse(_body(statements, form, columns)), namespace, shape, len(programs))


# What the code of a loop names, besides what the functions of rules name.
_NAMES: Final[dict[str, Any]] = {
    "UNKNOWN": UNKNOWN,
    "is_known": is_known,
    "MESSAGE_EVENT": MESSAGE_EVENT,
    "id_of": id_of,
    "properties_of": properties_of,
    "Record": Record,
    "Event": Event,
}


def _body(statements: Sequence[LoopedStatement], form: LineForm, columns: frozenset[str] | None) -> str:
    """The code for one record: its fields, then the row and the line of each rule."""
    names = set[str]().union(*(each.names for each in statements))
    read = [name for name in READ_AT_ONCE if columns is None or name in columns]
    code = [_NAMED] if read or "named" in names else []
    code += [f"column_{name} = {READ_AT_ONCE[name]}" for name in read]
    code += [source for name, source in (("event", _EVENT), ("p", "p = None")) if name in names]
    for number, statement in enumerate(statements):
        code += _made(number, statement, form, "event" in names)
    return "\n".join(code)


def _made(number: int, statement: LoopedStatement, form: LineForm, with_event: bool) -> list[str]:
    """The code that adds the line of one rule, or None if WHERE is false."""
    draws, (before, where, after, row) = statement
    add = _LINE_OF_GROUP if form.interval_ms is None else _LINE
    line = [_row(number, row), add.format(line=form.line)]
    code = [f"event.columns['metadata'] = {{'rule_id': rule_{number}}}"] if with_event else []
    code += map(ast.unparse, [*draws, *before])
    then = [*map(ast.unparse, after), *line]
    if where is None:
        return code + then
    return [
        *code,
        f"if {ast.unparse(where)}:",
        *(indent(each, "    ") for each in then),
        "else:",
        indent(_NO_LINE, "    "),
    ]


def _row(number: int, row: ast.expr) -> str:
    """The code that makes the row: a new one, or in the dict of the last one if it always has the same fields."""
    if not isinstance(row, ast.Dict) or not all(isinstance(key, ast.Constant) for key in row.keys):
        return f"row = {ast.unparse(row)}"
    fields = zip(row.keys, row.values, strict=True)
    puts = [f"row[{ast.unparse(key)}] = {ast.unparse(value)}" for key, value in fields if key]
    return "\n".join([f"row = row_{number}", *puts])
