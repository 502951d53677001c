"""An interpreter of the language over the syntax tree, which is slow and follows the manual sentence by sentence."""

from __future__ import annotations

from typing import Any

from pipeline.errors import EvaluationError
from pipeline.sql.compilation.inference import path_steps, step_value
from pipeline.sql.functions.registry import CHECKS, find
from pipeline.sql.runtime import operators, ordering, paths
from pipeline.sql.runtime.event import Context, Event
from pipeline.sql.runtime.values import UNDEFINED
from pipeline.sql.syntax import nodes as n

ARITHMETIC = {
    "+": operators.add, "-": operators.subtract, "*": operators.multiply, "/": operators.divide,
    "div": operators.quotient, "mod": operators.remainder,
}  # fmt: skip
COMPARISONS = {
    "=": ordering.compare_eq, "!=": ordering.compare_ne, "<": ordering.compare_lt, "<=": ordering.compare_le,
    ">": ordering.compare_gt, ">=": ordering.compare_ge, "=~": operators.topic_matches,
}  # fmt: skip


def evaluate(tree: n.Statement, event: Event, context: Context) -> list[dict[str, Any]] | None:
    """The rows, or None. Raises EvaluationError for any error."""
    try:
        return Interpreter(event, context).statement(tree)
    except Exception as error:
        raise EvaluationError(str(error)) from error


class Interpreter:
    """Looks names up in layers in order; the first that does not give `undefined` counts. `layers` are (kind, map) pairs."""

    def __init__(self, event: Event, context: Context) -> None:
        self.event = event
        self.context = context
        self.condition_only = False

    def statement(self, tree: n.Statement) -> list[dict[str, Any]] | None:
        columns = self.event.row()
        if tree.collect:
            return self.foreach(tree, columns)
        output, _ = self.fields(tree.fields, [columns])
        if tree.where is not None and not self.outside(tree.where, {**columns, **output}):
            return None
        return [output]

    def outside(self, condition: n.Expression, record: dict[str, Any]) -> bool:
        """WHERE or INCASE, in which functions of the message give undefined."""
        self.condition_only = True
        try:
            return self.condition(condition, [record])
        finally:
            self.condition_only = False

    def fields(self, fields: Any, below: list[dict[str, Any]]) -> tuple[dict[str, Any], Any]:
        output: dict[str, Any] = {}
        value: Any = UNDEFINED
        for position, field in enumerate(fields):
            if isinstance(field, n.Star):
                output = {**output, **below[0]}
                continue
            value = self.value(field.value, [output, *below])
            key = field.alias or self.own_key(field.value, position)
            output = paths.put(output, path_steps(key), value, output)
        return output, value

    @staticmethod
    def own_key(value: n.Expression, position: int) -> n.Path:
        if isinstance(value, n.Path):
            return value
        if isinstance(value, n.Slice):
            return value.path
        if isinstance(value, n.Literal) and isinstance(value.value, str):
            return n.Path(value.value)
        return n.Path(f"_v_{type(value).__name__.lower()}_{position}")

    def foreach(self, tree: n.Statement, columns: dict[str, Any]) -> list[dict[str, Any]] | None:
        output, items = self.fields(tree.fields, [columns])
        last = tree.fields[-1]
        environment = {**columns, **output}
        if tree.where is not None and not self.outside(tree.where, environment):
            return None
        assert isinstance(last, n.Field)
        name = "item" if last.alias is None else last.alias.root
        rows = []
        for item in items if isinstance(items, list) else []:
            inner = {**environment, name: item}
            if tree.incase is not None and not self.outside(tree.incase, inner):
                continue
            rows.append(inner if tree.do is None else self.fields(tree.do, [inner])[0])
        return rows

    def value(self, node: n.Expression, layers: list[dict[str, Any]]) -> Any:
        match node:
            case n.Literal(value):
                return value
            case n.RangeLiteral(begin, end):
                return operators.list_of_range(begin, end)
            case n.Path():
                return self.path(node, layers)
            case n.Slice(path, begin, end):
                return paths.sliced(self.path(path, layers), begin, end)
            case n.ListOf(items):
                return [self.value(item, layers) for item in items]
            case n.Unary(operator, operand):
                found = self.value(operand, layers)
                return operators.negate(found) if operator == "-" else found
            case n.Arithmetic(operator, left, right):
                return ARITHMETIC[operator](self.value(left, layers), self.value(right, layers))
            case n.Call():
                return self.call(node, layers)
            case n.Case():
                return self.case(node, layers)
        return self.condition(node, layers)

    def path(self, node: n.Path, layers: list[dict[str, Any]]) -> Any:
        for record in layers:
            found = self.path_in(node, record)
            if found is not UNDEFINED:
                return found
        return UNDEFINED

    def path_in(self, node: n.Path, record: dict[str, Any]) -> Any:
        if node.root == "payload" and node.steps and "payload" in record:
            document = record["payload"]
            if isinstance(document, str | bytes):
                document = self.event.document()
            return paths.read(document, tuple(map(step_value, node.steps)), document)
        return paths.read(record, path_steps(node), record)

    def call(self, node: n.Call, layers: list[dict[str, Any]]) -> Any:
        declared = find(node.name)
        assert declared is not None
        overload = declared.overload(len(node.arguments))
        assert overload is not None
        arguments = []
        for position, argument in enumerate(node.arguments):
            parameter = overload.parameters[min(position, len(overload.parameters) - 1)]
            arguments.append(CHECKS.get(parameter.type, lambda x: x)(self.value(argument, layers)))
        if declared.message and self.condition_only:
            return UNDEFINED
        read: dict[str, list[Any]] = {"event": [self.event], "context": [self.context]}
        return declared.call(*read.get(declared.reads, []), *arguments)

    def case(self, node: n.Case, layers: list[dict[str, Any]]) -> Any:
        subject = self.value(node.subject, layers) if node.subject is not None else None
        for branch in node.branches:
            if node.subject is None:
                chosen = self.condition(branch.when, layers)
            else:
                chosen = ordering.same(subject, self.value(branch.when, layers))
            if chosen:
                return self.value(branch.then, layers)
        return self.value(node.otherwise, layers) if node.otherwise is not None else UNDEFINED

    def condition(self, node: n.Expression, layers: list[dict[str, Any]]) -> bool:
        match node:
            case n.Both(left, right):
                return self.condition(left, layers) and self.condition(right, layers)
            case n.Either(left, right):
                return self.condition(left, layers) or self.condition(right, layers)
            case n.Not(operand) if isinstance(operand, n.Condition):
                return not self.condition(operand, layers)
            case n.Not(operand):
                return self.value(operand, layers) is False
            case n.Member(operand, items):
                return ordering.is_in(self.value(operand, layers), [self.value(item, layers) for item in items])
            case n.Comparison(operator, left, right):
                return COMPARISONS[operator](self.value(left, layers), self.value(right, layers))
        return operators.truth(self.value(node, layers))
