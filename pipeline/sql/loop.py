"""One loop over the columns of a fetch for all rules that match a topic: from the bytes of a record to the line of a row.

A Record, an Event, a dictionary of columns, a list of rows and their bookkeeping cost several times what the statement
itself costs. A loop needs none of them. It is made of the same expressions as `Program.evaluate`, so both give the same.

    for each record
        not of this topic's rules?    leave: whoever called goes on with another loop
        for each rule                 fields, WHERE, row, line, group
        append the lines to their groups
        an error, whatever it is      leave: this record is evaluated with `Program.evaluate`

So a loop has no failures of its own: what it cannot do without an error is done the other way, which knows the cause of
a dead letter. Nothing is appended before all rules have made their lines, so such a record leaves nothing behind.

A statement has no loop if it is FOREACH, if it waits for another process, or if it must not be evaluated twice.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any, Final, NamedTuple

from pipeline.record import CLIENTID_FROM, MESSAGE_EVENT, UNKNOWN, Record, id_of, properties_of
from pipeline.sql.compilation.loops import READ_AT_ONCE, LoopCompiler, LoopedStatement, looped
from pipeline.sql.program import NAMESPACE, Program
from pipeline.sql.runtime.event import Event
from pipeline.sql.runtime.jsontext import DEEP_BYTES_MIN
from pipeline.sql.runtime.shape import Shape
from pipeline.sql.runtime.values import Row

# What the name of a group and its three columns take.
GROUP_BYTES: Final = 512


class Target(NamedTuple):
    """Where the lines of a group go: their text, and the functions that note the end and the offset of a line."""

    data: bytearray
    ended: Callable[[int], None]
    came: Callable[[int], None]


class LoopEnd(NamedTuple):
    """Where a loop has stopped: at the record with this offset, which is `taken` or not.

    `room`: the bytes that may still be made. `unmatched` counts records that no rule matches, and `without` counts the
    records of each rule from which it made no row.
    """

    offset: int
    taken: bool
    room: int
    unmatched: int
    without: tuple[int, ...]


Loop = Callable[..., LoopEnd]

_FRAME: Final = """\
def loop(records, topic, partition, mine, programs, targets, filtered, room):
    unmatched = {zeros} = 0
    group = window = None
    for offset, timestamp, key, value, headers in records:
        try:
            name, of_topic = headers[0]
            if name != 'topic' or (found := programs[of_topic]) is not mine:
                if name != 'topic' or found:
                    return LoopEnd(offset, False, room, unmatched, ({counts},))
                unmatched += 1
                filtered(offset)
                continue
{body}
        except Exception:
            return LoopEnd(offset, False, room, unmatched, ({counts},))
        if room <= 0:
            break
    return LoopEnd(offset, True, room, unmatched, ({counts},))
"""
_NAMED: Final = "named = dict(headers)"
_EVENT: Final = """\
record = Record(topic, partition, offset, timestamp, key, value, headers)
event = Event(columns_of(record), timestamp, record)"""
_ROW: Final = """\
row = {row}
line_{i} = {line}
{group}"""
_GROUP_OF_ROW: Final = "group_{i} = group_of(row, timestamp)"
_GROUP_OF_WINDOW: Final = """\
if timestamp // INTERVAL != window:
    newest, window = group_of(row, timestamp), timestamp // INTERVAL
group_{i} = newest"""
_APPEND: Final = """\
if group_{i} is not group:
    data, ended, came = targets[group_{i}]
    group = group_{i}
    room -= GROUP_BYTES
data += line_{i}
ended(len(data))
came(offset)
room -= len(line_{i})"""


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


def loop_of(
    programs: Sequence[tuple[str, Program]],
    form: LineForm,
    *,
    node: str,
    columns: frozenset[str] | None,
    columns_of: Callable[[Record], dict[str, Any]],
) -> tuple[Loop, str]:
    """The loop of these programs, which come with their rule ids, and its Python source for people. See `has_loop`.

    `columns` are those that any rule of the action reads, None for all. `columns_of` gives them for a record, for
    statements that need an Event.
    """
    namespace = {**NAMESPACE, **_names(programs[0][1].shape), **form.names, "node": node, "columns_of": columns_of}
    namespace |= {"group_of": form.group_of, "INTERVAL": form.interval_ms, "CONTEXT": programs[0][1].context}
    statements = []
    for number, (rule_id, program) in enumerate(programs):
        namespace[f"rule_{number}"] = rule_id
        compiler = LoopCompiler(program.text, program.tree, namespace, number)
        statements.append(looped(compiler, program.tree))
    counts = [f"without_{number}" for number in range(len(statements))]
    source = _FRAME.format(
        body=indent(_body(statements, form, columns), " " * 12),
        zeros=" = ".join(counts),
        counts=", ".join(counts),
    )
    exec(compile(source, "<loop>", "exec"), namespace)
    return namespace["loop"], source


def _names(shape: Shape) -> dict[str, Any]:
    """What the code of a loop names, besides what the functions of rules name."""
    return {
        "UNKNOWN": (CLIENTID_FROM, UNKNOWN),
        "MESSAGE_EVENT": MESSAGE_EVENT,
        "SHORT": DEEP_BYTES_MIN,
        "GROUP_BYTES": GROUP_BYTES,
        "SHAPE": shape,
        "decode": shape.decode,
        "narrowed": lambda value: Event({"payload": value}, 0, ()).narrow(shape),
        "id_of": id_of,
        "properties_of": properties_of,
        "Record": Record,
        "Event": Event,
        "LoopEnd": LoopEnd,
    }


def _body(statements: Sequence[LoopedStatement], form: LineForm, columns: frozenset[str] | None) -> str:
    """The code for one record: its fields, the row and line of each rule, and then all lines."""
    names = set[str]().union(*(each.names for each in statements))
    read = [name for name in READ_AT_ONCE if columns is None or name in columns]
    code = [_NAMED] if read or "named" in names else []
    code += [f"column_{name} = {READ_AT_ONCE[name]}" for name in read]
    code += [source for name, source in (("event", _EVENT), ("p", "p = None")) if name in names]
    if len(statements) == 1:
        append, no_line = [_APPEND.format(i=0)], ["without_0 += 1", "filtered(offset)"]
        return "\n".join([*code, *_made(0, statements[0], form, "event" in names, append, no_line)])
    for number, statement in enumerate(statements):
        code += _made(number, statement, form, "event" in names, [], [f"line_{number} = None"])
    for number, (_, selection) in enumerate(statements):
        none = None if selection.where is None else f"line_{number} is not None"
        code += _either(none, [_APPEND.format(i=number)], [f"without_{number} += 1"])
    if all(each.selection.where is not None for each in statements):
        lines = " is ".join(f"line_{number}" for number in range(len(statements)))
        code.append(f"if {lines} is None:\n    filtered(offset)")
    return "\n".join(code)


def _made(
    number: int, statement: LoopedStatement, form: LineForm, with_event: bool, and_then: list[str], no_line: list[str]
) -> list[str]:
    """The code that makes the line of one rule, with `and_then` behind it, or with `no_line` if WHERE is false."""
    draws, (before, where, after, row) = statement
    group = _GROUP_OF_ROW if form.interval_ms is None else _GROUP_OF_WINDOW
    line = _ROW.format(row=ast.unparse(row), line=form.line, group=group.format(i=number), i=number)
    code = [f"event.columns['metadata'] = {{'rule_id': rule_{number}}}"] if with_event else []
    code += map(ast.unparse, [*draws, *before])
    return code + _either(where, [*map(ast.unparse, after), line, *and_then], no_line)


def _either(condition: ast.expr | str | None, then: Sequence[str], otherwise: Sequence[str]) -> list[str]:
    """Code for both cases of a condition. Without a condition: the code `then`."""
    if condition is None:
        return list(then)
    test = condition if isinstance(condition, str) else ast.unparse(condition)
    return [
        f"if {test}:",
        *(indent(each, "    ") for each in then),
        "else:",
        *(indent(each, "    ") for each in otherwise),
    ]
