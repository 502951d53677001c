"""Finds the columns of a message from which a field of a row was made, from the text of its rule. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.record import MESSAGE_COLUMNS as COLUMNS
from pipeline.sql.compilation.compiler import MESSAGE_COLUMNS
from pipeline.sql.syntax.nodes import Call, Field, Path, Star, Statement, inside

# Functions with results that do not depend on the message.
_BY_CHANCE: Final = ("uuid", "random", "mongo")
_DEPTH_MAX: Final = 20


def of_messages(statement: Statement) -> bool:
    """Whether any source of the statement is a topic filter of messages."""
    return any(not source.startswith("$events/") for source in statement.sources)


def columns_read(statement: Statement) -> frozenset[str]:
    """All columns that a statement names."""
    return frozenset(_columns(statement))


def columns_of(name: str, statement: Statement) -> frozenset[str]:
    """The columns from which a field of the rows is made. Empty if the field is a constant or does not exist."""
    return _origin(name, statement, 0)


def output_names(statement: Statement) -> frozenset[str]:
    """The fields of the rows, as far as the statement names them."""
    selected = statement.fields if statement.do is None else statement.do
    named = {_name_of(each) for each in selected if isinstance(each, Field)}
    if any(isinstance(each, Star) for each in selected) or (statement.collect and statement.do is None):
        named |= COLUMNS
    return frozenset(named - {""})


def gives_many_rows_a_key(names: frozenset[str], statement: Statement) -> bool:
    """Whether all rows that FOREACH makes from one message have the same values in these fields."""
    if not statement.collect or statement.do is None:
        return False
    collection = statement.fields[-1]
    item = collection.alias.root if isinstance(collection, Field) and collection.alias else "item"
    for name in names:
        found = _selected(name, statement)
        if name in {item, "item"} or (found is not None and {item, "item"} & set(_columns(found.value))):
            return False
    return True


def _selected(name: str, statement: Statement) -> Field | None:
    """The field with this name, or the last of several."""
    selected = [*statement.fields, *(statement.do or ())]
    named = [each for each in selected if isinstance(each, Field) and _name_of(each) == name]
    return named[-1] if named else None


def _name_of(field: Field) -> str:
    if field.alias is not None:
        return field.alias.root
    return field.value.root if isinstance(field.value, Path) else ""


def _origin(name: str, statement: Statement, depth: int) -> frozenset[str]:
    field = _selected(name, statement)
    if field is None and statement.collect and statement.do is None and not depth:
        return frozenset({"payload"})  # fields of an item, which is itself a row
    if field is None:
        takes_all = any(isinstance(each, Star) for each in (*statement.fields, *(statement.do or ())))
        return frozenset({name}) if takes_all or depth else frozenset()
    found: set[str] = set()
    for column in _columns(field.value):
        own = column == name or depth > _DEPTH_MAX
        found |= {column} if own else _origin(column, statement, depth + 1)
    return frozenset(found)


def _columns(node: Any) -> Iterator[str]:
    """The columns that a part of a statement reads."""
    for each in inside(node):
        if isinstance(each, Path):
            yield each.root
        elif isinstance(each, Call):
            yield from MESSAGE_COLUMNS.get(each.name, ())
            if each.name.startswith(_BY_CHANCE):
                yield "id"  # another value for each message, like its id
