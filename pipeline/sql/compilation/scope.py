"""What a name means at one point of a statement: the output so far, over what lies below it, over the event's columns.

All of this is known when the rule is compiled, because the fields of a statement are fixed. A Scope maps each key of
the output to the Python local that holds its value, or to a tree of locals for keys made of nested aliases, so a row
is one dict display at the end and no look-up happens per record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.sql.compilation.codegen import Code, mapping, py

# A local's name, or the nested map of such.
Tree = str | dict[str, Any]


@dataclass(slots=True)
class Scope:
    """Outputs by key. `merged`: an output hides what lies below even when undefined (WHERE, INCASE and the items of
    FOREACH); otherwise it gives way (fields). `below` is None where the event's columns follow."""

    below: Scope | None = None
    merged: bool = False
    star: bool = False
    outputs: dict[str, Tree] = field(default_factory=dict)
    # How `payload` came into the output: "" not at all, "raw" as it is, "alias" by AS payload, "path" by AS payload.x
    payload: str = ""

    def as_merged(self) -> Scope:
        """The same outputs as WHERE sees them."""
        return Scope(self.below, True, self.star, self.outputs, self.payload)


def tree_code(tree: Tree, label: int) -> Code:
    """The value of an output."""
    if isinstance(tree, str):
        return py("x", label, x=tree)
    return mapping([(key, tree_code(inner, label)) for key, inner in tree.items()], label)


def grow(outputs: dict[str, Tree], keys: list[str], local: str) -> bool:
    """Notes that `local` is the value at a path of keys. False when a local is in the way: then a run-time put is
    needed."""
    level: dict[str, Any] = outputs
    for key in keys[:-1]:
        inner = level.setdefault(key, {})
        if isinstance(inner, str):
            return False
        level = inner
    level[keys[-1]] = local
    return True
