"""What the rows of one record may take, as multiples of its payload: a reckoning, before any row is made.

`SELECT payload AS a, payload AS b` holds it twice. A row of FOREACH holds what its fields read of the payload, and all rows
together hold the elements once. So whoever makes rows can stop where they would take too much memory, without looking at each
value. What is reckoned is rather too high than too low.

This file knows the tree of a statement and does not know values.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.sql.syntax import nodes as n

DEFAULT_ITEM: Final = "item"


class Weight(NamedTuple):
    """How often each row may hold the payload, and how often all rows of a record do together."""

    row: int
    record: int


def weight_of(tree: n.Statement) -> Weight:
    """The weight of a statement's rows."""
    if not tree.collect:
        return Weight(sum(_reads(field, {"payload"}) for field in tree.fields), 0)
    of_payload = {"payload"} | {_name(field) for field in tree.fields if _reads(field, {"payload"})}
    item = _name(tree.fields[-1]) if isinstance(tree.fields[-1], n.Field) and tree.fields[-1].alias else DEFAULT_ITEM
    if tree.do is None:
        return Weight(len(of_payload) + 1, 1)
    of_item = {item}
    return Weight(
        sum(_reads(field, of_payload - of_item) for field in tree.do), sum(_reads(field, of_item) for field in tree.do)
    )


def _reads(field: n.Field | n.Star, names: set[str]) -> int:
    """How often a field holds values of these names. `*` holds all."""
    if isinstance(field, n.Star):
        return len(names)
    return sum(isinstance(each, n.Path) and each.root in names for each in n.inside(field.value))


def _name(field: n.Field | n.Star) -> str:
    """The name under which a field can be read again."""
    if isinstance(field, n.Star):
        return "payload"
    key = field.alias or field.value
    key = key.path if isinstance(key, n.Slice) else key
    return key.root if isinstance(key, n.Path) else ""
