"""Finds the columns of a message from which a field of a row was made, from the text of its rule. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.record import MESSAGE_COLUMNS as COLUMNS
from pipeline.record import names_events
from pipeline.sql.compilation.compiler import MESSAGE_COLUMNS
from pipeline.sql.compilation.statements import DEFAULT_ITEM
from pipeline.sql.syntax.nodes import Call, Field, Path, Star, Statement, inside

# Functions with results that do not depend on the message.
_BY_CHANCE: Final = ("uuid", "random", "mongo")
_DEPTH_MAX: Final = 20


def of_messages(statement: Statement) -> bool:
    """Whether any source of the statement is a topic filter of messages."""
    return not all(map(names_events, statement.sources))


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
    if takes_all(statement):
        named |= COLUMNS
    if statement.do is None:
        named |= own_names(statement)
    return frozenset(named - {""})


def own_names(statement: Statement) -> frozenset[str]:
    """The names that a statement gives itself, anywhere in it."""
    fields = [each for each in (*statement.fields, *(statement.do or ())) if isinstance(each, Field)]
    return _items(statement) | {each.alias.root for each in fields if each.alias is not None}


def takes_all(statement: Statement) -> bool:
    """Whether the rows have all columns. The rows of FOREACH without DO have them."""
    selected = statement.fields if statement.do is None else statement.do
    return any(isinstance(each, Star) for each in selected) or (statement.collect and statement.do is None)


def gives_many_rows_a_key(names: frozenset[str], statement: Statement) -> bool:
    """Whether all rows that FOREACH makes from one message have the same values in these fields."""
    items = _items(statement)
    for name in names:
        found = _selected(name, statement)
        if name in items or (found is not None and items & set(_columns(found.value))):
            return False
    return statement.collect


def _items(statement: Statement) -> frozenset[str]:
    """The names that an element of FOREACH may have."""
    if not statement.collect:
        return frozenset()
    collection = statement.fields[-1]
    alias = collection.alias if isinstance(collection, Field) else None
    return frozenset({DEFAULT_ITEM, alias.root if alias else DEFAULT_ITEM})


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
    if statement.do is None and name in _items(statement):
        return frozenset({"payload"})
    field = _selected(name, statement)
    if field is None:
        return frozenset({name}) if takes_all(statement) or depth else frozenset()
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
