"""The facts about an expression that are known before a record comes: its type, the value of a literal, the steps of a
path.

The compiler omits checks that are not needed for a type, and compares with literals inline. `any` is always a safe answer.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.sql.functions.registry import find
from pipeline.sql.runtime.paths import APPEND
from pipeline.sql.syntax import nodes as n

ARITHMETIC_TYPES: Final = {"-": "number", "*": "number", "/": "float", "div": "integer", "mod": "integer"}
BOOLEAN: Final = n.Comparison | n.Member | n.Not | n.Both | n.Either


def type_of(node: n.Expression, in_condition: bool = False) -> str:
    """The static type, or `any`. With `in_condition`, functions of the message give `undefined`."""
    match node:
        case n.Literal(value):
            return {bool: "boolean", int: "integer", float: "float", str: "string"}[type(value)]
        case n.RangeLiteral() | n.Slice() | n.ListOf():
            return "list"
        case n.Unary("-", operand):
            found = type_of(operand, in_condition)
            return found if found in ("integer", "float") else "number"
        case n.Arithmetic(operator):
            return ARITHMETIC_TYPES.get(operator, "any")
        case n.Call(name, arguments):
            declared = find(name)
            overload = declared.overload(len(arguments)) if declared else None
            unknown = declared is not None and declared.message and in_condition
            return overload.result if overload and not unknown else "any"
    return "boolean" if isinstance(node, BOOLEAN) else "any"


def literal_type(node: n.Expression) -> type | None:
    """The Python type of a literal or a negative number, else None."""
    if isinstance(node, n.Unary) and node.operator == "-" and literal_type(node.operand) in (int, float):
        return literal_type(node.operand)
    return type(node.value) if isinstance(node, n.Literal) else None


def literal_value(node: n.Expression) -> Any:
    """The value of a node that has a `literal_type`."""
    if isinstance(node, n.Unary):
        return -literal_value(node.operand)
    return node.value if isinstance(node, n.Literal) else None


def path_steps(path: n.Path) -> tuple[Any, ...]:
    """A whole path with its root, as steps for `paths.read`."""
    return (path.root, *map(step_value, path.steps))


def step_value(step: n.Step) -> Any:
    if isinstance(step, n.Key):
        return step.name
    if isinstance(step, n.PathIndex):
        return path_steps(step.path)
    if step.from_end:
        return -step.number if step.number else APPEND
    return step.number
