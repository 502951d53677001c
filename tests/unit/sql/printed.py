"""Writes a syntax tree as the text of a statement, in one spelling, with parentheses wherever the grammar allows them.

Only properties of the language need it: the product keeps statements as their authors have written them.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.sql.syntax import nodes as n
from pipeline.sql.syntax.lexer import KEYWORDS, WORD_TOKENS

_PLAIN_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9_$@~]*")


def to_sql(statement: n.Statement) -> str:
    """The text of a tree. `parse(to_sql(tree)) == tree` for every tree that `parse` can return."""
    parts = ["FOREACH" if statement.collect else "SELECT", _fields(statement.fields)]
    if statement.do is not None:
        parts += ["DO", _fields(statement.do)]
    if statement.incase is not None:
        parts += ["INCASE", expression(statement.incase)]
    parts += ["FROM", ", ".join(map(_source, statement.sources))]
    if statement.where is not None:
        parts += ["WHERE", expression(statement.where)]
    return " ".join(parts)


def _fields(fields: tuple[n.Field | n.Star, ...]) -> str:
    return ", ".join("*" if isinstance(f, n.Star) else _field(f) for f in fields)


def _field(field: n.Field) -> str:
    return expression(field.value) + (f" AS {expression(field.alias)}" if field.alias else "")


def expression(node: n.Expression) -> str:
    """The text of one expression or condition."""
    match node:
        case n.Literal(bool() as value):
            return "true" if value else "false"
        case n.Literal(str() as value):
            return f"'{value}'"
        case n.Literal(float() as value):
            return _float(value)
        case n.Literal(value):
            return str(value)
        case n.RangeLiteral(begin, end):
            return f"[{begin}..{end}]"
        case n.Path(root, steps):
            return _name(root) + "".join(map(_step, steps))
        case n.Slice(path, begin, end):
            return f"{expression(path)}[{begin}..{end}]"
        case n.ListOf(items):
            return f"[{_many(items)}]"
        case n.Call(name, arguments):
            return f"{_function(name)}({_many(arguments)})"
        case n.Case():
            return _case(node)
        case n.Unary(operator, operand):
            return f"{operator} {_operand(operand)}"
        case n.Arithmetic(operator, left, right):
            return f"{_operand(left)} {operator} {_operand(right)}"
    return _condition(node)


def _condition(node: n.Condition) -> str:
    match node:
        case n.Comparison(operator, left, right):
            return f"{_operand(left)} {operator} {_operand(right)}"
        case n.Member(operand, items):
            return f"{_operand(operand)} IN ({_many(items)})"
        case n.Not(operand):
            return f"NOT ({expression(operand)})"
        case n.Both(left, right):
            return f"({expression(left)}) AND ({expression(right)})"
        case n.Either(left, right):
            return f"({expression(left)}) OR ({expression(right)})"


def _operand(node: n.Expression) -> str:
    text = expression(node)
    bare = isinstance(node, n.Literal | n.RangeLiteral | n.Path | n.Slice | n.ListOf | n.Call)
    return text if bare else f"({text})"


def _many(items: tuple[n.Expression, ...]) -> str:
    return ", ".join(map(expression, items))


def _case(node: n.Case) -> str:
    subject = f" {expression(node.subject)}" if node.subject is not None else ""
    branches = "".join(f" WHEN {expression(b.when)} THEN {expression(b.then)}" for b in node.branches)
    otherwise = f" ELSE {expression(node.otherwise)}" if node.otherwise is not None else ""
    return f"CASE{subject}{branches}{otherwise} END"


def _step(step: n.Step) -> str:
    if isinstance(step, n.Key):
        return f".{_name(step.name)}"
    if isinstance(step, n.PathIndex):
        return f"[{expression(step.path)}]"
    return f"[{'-' if step.from_end else ''}{step.number}]"


def _name(name: str) -> str:
    if name.upper() in KEYWORDS or name in WORD_TOKENS or '"' in name:
        return f'"{name}"'
    return name if _PLAIN_NAME.fullmatch(name) else f'"{name}"'


def _source(source: str) -> str:
    return f"'{source}'" if '"' in source.replace('""', "") else f'"{source}"'


def _function(name: str) -> str:
    return name if name in ("div", "mod") else ".".join(map(_name, name.split(".")))


def _float(value: float) -> str:
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"
