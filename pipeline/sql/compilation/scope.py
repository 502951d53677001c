"""The meaning of a name at one point of a statement: an output so far, else an output of the scope below, else a
column.

All of this is known when the rule is compiled, because the fields of a statement are fixed. A Scope maps each key of the output
to the Python local that holds its value, or to a tree of locals if aliases are nested. So a row is one dict display at the end,
without look-ups for each record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.sql.compilation.codegen import Code, mapping, py

# The name of a local, or a nested map of such names.
Tree = str | dict[str, Any]


@dataclass(slots=True)
class Scope:
    """Outputs by key. If `merged`, an output hides what is below even if it is undefined (WHERE, INCASE and the items
    of FOREACH). Otherwise an undefined output hides nothing (fields). If `below` is None, the columns of the event
    follow."""

    below: Scope | None = None
    merged: bool = False
    star: bool = False
    outputs: dict[str, Tree] = field(default_factory=dict)
    # How `payload` came into the output: "" not at all, "raw" unchanged, "alias" by AS payload or AS payload.x, "path" by
    # a path without alias. WHERE, INCASE and DO read the message's payload below "raw" and "alias", but not below "path".
    payload: str = ""
    # Whether an aliased payload replaces the message's for later fields (the fields of FOREACH).
    replaces: bool = False

    def as_merged(self) -> Scope:
        """The same outputs as WHERE sees them."""
        return Scope(self.below, True, self.star, self.outputs, self.payload)


def tree_code(tree: Tree, label: int) -> Code:
    """The value of an output."""
    if isinstance(tree, str):
        return py("x", label, x=tree)
    return mapping([(key, tree_code(inner, label)) for key, inner in tree.items()], label)


def grow(outputs: dict[str, Tree], keys: list[str], local: str) -> bool:
    """Note that `local` is the value at a path of keys.

    Returns False if another local is on this path; then the value must be put at run time.
    """
    level: dict[str, Any] = outputs
    for key in keys[:-1]:
        inner = level.setdefault(key, {})
        if isinstance(inner, str):
            return False
        level = inner
    level[keys[-1]] = local
    return True
