"""Compiles whole statements into Python, in the order in which the dialect evaluates them.

    SELECT    fields → WHERE → one row
    FOREACH   fields → WHERE → for each element: INCASE → DO → a row

An error in a field makes the rule fail even if WHERE is false, so WHERE comes second. One optimisation does not change
results: if no field can raise after the payload is decoded, WHERE comes first, so a filtered record costs only WHERE.
"""

from __future__ import annotations

import ast
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipeline.sql.compilation.codegen import Code, constant, do, py
from pipeline.sql.compilation.compiler import Compiler
from pipeline.sql.compilation.inference import step_value
from pipeline.sql.compilation.scope import Scope, grow, tree_code
from pipeline.sql.runtime.looping import LOOPED
from pipeline.sql.syntax import nodes as n

DEFAULT_ITEM: Final = "item"
ROWS_MAX: Final = 100_000
# Without DO each row holds the whole list, so the rows cost the square of their number.
WHOLE_ROWS_MAX: Final = 10_000


@dataclass(slots=True)
class Assignment:
    """`local = code`, with the label of its field."""

    local: str
    code: Code
    label: int

    def statements(self) -> list[ast.stmt]:
        """The assignment as Python statements."""
        return do("v = x", self.label, v=self.local, x=self.code)


class Selection(NamedTuple):
    """SELECT in its order: statements, the condition of WHERE, statements for a record that passes, the row."""

    before: list[ast.stmt]
    where: Code | None
    after: list[ast.stmt]
    row: Code


class StatementCompiler:
    """Builds the body of `evaluate(event)` for one statement.

    `certain`: the payload is decoded first, so later code need not check this. `items` is the local with the list of
    FOREACH.
    """

    def __init__(self, compiler: Compiler, tree: n.Statement) -> None:
        self.c = compiler
        self.tree = tree
        self.certain = False
        self.items = ""

    def body(self) -> list[ast.stmt]:
        """The whole body."""
        body = self.foreach() if self.tree.collect else self.select()
        return [*self.prologue(body), *body]

    def prologue(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The locals at the beginning of the body: only those that the body uses."""
        names = names_in(body)
        start = self.draws()
        if "get" in names:
            start += do("get = event.columns.get", 1)
        if "p" in names and not self.certain:
            start += do("p = None", 1)
        return start

    def draws(self) -> list[ast.stmt]:
        """The start of the random numbers, if the statement uses any."""
        return do("event.start_draws(s)", 1, s=zlib.crc32(self.c.text.encode())) if self.c.uses_chance else []

    # --- SELECT

    def select(self) -> list[ast.stmt]:
        """Fields, WHERE and one row."""
        parts = self.selection()
        row = do("return [r]", 1, r=parts.row)
        return [*parts.before, *self.unless(parts.where, "return None"), *parts.after, *row]

    def selection(self) -> Selection:
        """The parts of SELECT. If no field can raise: the fields that WHERE needs, WHERE, and the other fields."""
        total = self.tree.where is not None and all(map(_cannot_raise, self.tree.fields))
        load: list[ast.stmt] = []
        if total and any(map(_reads_payload, self.tree.fields)):
            load = do("p = x", 1, x=self.c.narrowed_at_once())
            self.c.loaded = self.certain = True
        fields = self.fields(self.tree.fields)
        where = self.where()
        needed, rest = _split(fields, where) if where and total else (fields, [])
        return Selection(
            [*load, *(s for a in needed for s in a.statements())],
            where,
            [s for a in rest for s in a.statements()],
            self.row(self.c.scope),
        )

    def where(self) -> Code | None:
        """The condition of WHERE. It sees outputs first, and columns below them."""
        if self.tree.where is None:
            return None
        return self.condition(self.tree.where, self.c.scope.as_merged())

    def condition(self, condition: n.Expression, scope: Scope) -> Code:
        """A condition in `scope`, in which functions of the message give undefined."""
        with self.c.asking(scope):
            return self.c.condition(condition)

    def unless(self, condition: Code | None, leave: str) -> list[ast.stmt]:
        """The statement `leave` if a condition is false, if there is one."""
        return do(f"if not c: {leave}", condition.lineno, c=condition) if condition else []

    def row(self, scope: Scope) -> Code:
        """The output as a map. After `*`, it holds all columns, and selected fields replace columns of their name."""
        row = tree_code(scope.outputs, 1)
        if scope.star:
            row = py("{**event.row(), **r}", 1, r=row) if scope.outputs else py("event.row()", 1)
        return row

    # --- Fields

    def fields(self, fields: tuple[n.Field | n.Star, ...]) -> list[Assignment]:
        """The fields in order. A later field sees the outputs of earlier fields."""
        done: list[Assignment] = []
        for position, field in enumerate(fields):
            done += self.star() if isinstance(field, n.Star) else self.field(field, position)
        return done

    def star(self) -> list[Assignment]:
        """`*`: all columns. They replace earlier outputs with the name of a column."""
        scope, self.c.columns = self.c.scope, None
        before = []
        for key, tree in list(scope.outputs.items()):
            local = self.c.local()
            source = "base.get(k, x)" if self.c.in_loop else "event.row().get(k, x)"
            code = py(source, 1, k=_constant(key), x=tree_code(tree, 1))
            before.append(Assignment(local, code, 1))
            scope.outputs[key] = local
        scope.star = True
        if scope.payload:
            scope.payload = "raw"
        return before

    def field(self, field: n.Field, position: int) -> list[Assignment]:
        """The value of one field, at its alias, its own path or a generated name."""
        label = self.c.labels.number(field.span)
        value = Assignment(self.c.local(), self.c.expression(field.value), label)
        key = field.alias or _own_key(field.value) or n.Path(f"_v_{type(field.value).__name__.lower()}_{position}")
        if key.root == "payload":
            before, self.c.scope.payload = self.c.scope.payload, self.payload_after(field)
            # `*` and paths without alias put the payload at one key, aliases and `payload` at another of the same name.
            decodes = before in ("raw", "alias") if field.alias else self.c.scope.star
            return [value, *self.place(key, value.local, label, decodes=decodes)]
        return [value, *self.place(key, value.local, label)]

    def payload_after(self, field: n.Field) -> str:
        """How `payload` is in the output after `field`, see Scope. What came first decides what WHERE reads."""
        before = self.c.scope.payload
        star = self.c.scope.star
        if field.alias is None and field.value == n.Path("payload") and before in ("", "raw"):
            return before if star else "raw"
        if before == "path" or (not before and (field.alias is None or star)):
            return "path"
        return "alias"

    def place(self, key: n.Path, local: str, label: int, *, decodes: bool = False) -> list[Assignment]:
        """Note `local` as the output at `key`.

        If a value may be there already, the code puts `local` into that value at run time. `decodes`: if that value is a
        text, it is decoded first.
        """
        scope = self.c.scope
        if not key.steps:
            scope.outputs[key.root] = local
            return []
        names = [step.name for step in key.steps if isinstance(step, n.Key)]
        fresh = key.root in scope.outputs or not scope.star
        if len(names) != len(key.steps) or not fresh or not grow(scope.outputs, [key.root, *names], local):
            code = self.put(key, local, label, decodes)
            local = self.c.local()
            scope.outputs[key.root] = local
            return [Assignment(local, code, label)]
        return []

    def put(self, key: n.Path, local: str, label: int, decodes: bool) -> Code:
        """The value at the root of the key, with `local` at the rest of the path."""
        scope = self.c.scope
        steps = self.c.bind(tuple(map(step_value, key.steps)), "steps")
        target = py("U", label)
        if key.root in scope.outputs:
            target = tree_code(scope.outputs[key.root], label)
        elif scope.star:
            target = self.c.name_in(scope.below, n.Path(key.root))
        if decodes:
            target = self.c.payload_of(target)
        return py("put(t, s, v, o)", label, t=target, s=steps, v=local, o=self.c.record(scope))

    # --- FOREACH

    def foreach(self) -> list[ast.stmt]:
        """Fields, WHERE, and a loop over the last field. In the loop, the element hides selected fields of its name."""
        *before, last = self._fields_without_star()
        self.c.scope.replaces = True
        fields = self.fields(tuple(before)) + self.collection(last, len(before))
        items = self.items
        where = self.where()
        item = self.c.local()
        selected = self.c.scope.as_merged()
        name = _item_name(last)
        payload = "alias" if name == "payload" else ""
        outputs: dict[str, Any] = {} if name is None else {name: item}
        environment = Scope(selected, merged=True, outputs=outputs, payload=payload)
        loop = do("for i in items:\n    pass", 1, i=item, items=items)
        assert isinstance(loop[0], ast.For)
        loop[0].body = [_looped(statement) for statement in self.each(environment)]
        base: list[ast.stmt] = []
        if self.tree.do is None:
            self.c.columns = None
            base = do("base = {**event.row(), **r}", 1, r=tree_code(selected.outputs, 1))
        elif self.c.scope.star:
            base = do("base = event.row()", 1)  # rows share the text of the payload
        return [
            *(s for a in fields for s in a.statements()),
            *self.unless(where, "return None"),
            *base,
            *do("rows = []", 1),
            *loop,
            *do("return rows", 1),
        ]

    def _fields_without_star(self) -> list[n.Field]:
        """The fields of FOREACH. EMQX cannot evaluate `*` there; DO and the rows have all columns without it."""
        fields = [field for field in self.tree.fields if not isinstance(field, n.Star)]
        if len(fields) < len(self.tree.fields):
            raise self.c.error(
                self.tree, "FOREACH takes names and expressions, and no *: each row has all columns anyway"
            )
        return fields

    def collection(self, field: n.Field, position: int) -> list[Assignment]:
        """The last field of FOREACH. A value other than a list has no elements; only the payload itself is decoded."""
        value, *puts = self.field(field, position)
        listed = py("v", value.label, v=value.local)
        if field.value == n.Path("payload"):
            source = "event.document() if type(v) in TEXT else v"
            listed = py(source, value.label, v=value.local)
        self.items = self.c.local()
        most = ROWS_MAX if self.tree.do else WHOLE_ROWS_MAX
        code = py("elements(x, m)", value.label, x=listed, m=constant(most, value.label))
        return [value, *puts, Assignment(self.items, code, value.label)]

    def each(self, environment: Scope) -> list[ast.stmt]:
        """The body of the loop: INCASE, DO, a row."""
        self.c.in_loop = True
        body: list[ast.stmt] = []
        if self.tree.incase is not None:
            body += self.unless(self.condition(self.tree.incase, environment), "continue")
        if self.tree.do is None:
            row = py("{**base, **r}", 1, r=tree_code(environment.outputs, 1))
            return [*body, *do("rows.append(r)", 1, r=row)]
        self.c.scope = Scope(environment)
        fields = self.fields(self.tree.do)
        body += [s for a in fields for s in a.statements()]
        row = self.row(self.c.scope)
        if self.c.scope.star:
            row = py("{**e, **r}", 1, e=self.environment_row(environment), r=tree_code(self.c.scope.outputs, 1))
        return [*body, *do("rows.append(r)", 1, r=row)]

    def environment_row(self, environment: Scope) -> Code:
        """The meaning of `*` inside DO: the columns, the selected fields and the element."""
        selected = environment.below.outputs if environment.below else {}
        merged = {**selected, **environment.outputs}
        return py("{**base, **r}", 1, r=tree_code(merged, 1))


def _looped(statement: ast.stmt) -> ast.stmt:
    """The same statement for the body of FOREACH, with operators that count what they look at and make."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id in LOOPED:
            node.id = f"loop_{node.id}"
    return statement


def _constant(value: str) -> Code:
    return ast.Constant(value, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)


def _own_key(value: n.Expression) -> n.Path | None:
    """The output key of a field without alias: its own path, or the text of a string."""
    if isinstance(value, n.Path):
        return value
    if isinstance(value, n.Slice):
        return value.path
    if isinstance(value, n.Literal) and isinstance(value.value, str):
        return n.Path(value.value)
    return None


def _item_name(last: n.Field) -> str | None:
    if last.alias is None:
        return DEFAULT_ITEM
    return None if last.alias.steps else last.alias.root


def _cannot_raise(field: n.Field | n.Star) -> bool:
    """Whether a field never raises if the payload is JSON."""
    if isinstance(field, n.Star):
        return True
    aliases_payload = field.alias is not None and field.alias.root == "payload"
    return isinstance(field.value, n.Path | n.Literal) and not aliases_payload


def _reads_payload(field: n.Field | n.Star) -> bool:
    value = field.value if isinstance(field, n.Field) else None
    return isinstance(value, n.Path) and value.root == "payload" and bool(value.steps)


def names_in(statements: Sequence[ast.stmt]) -> set[str]:
    """All names of variables in Python code."""
    return {node.id for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _split(fields: list[Assignment], where: Code) -> tuple[list[Assignment], list[Assignment]]:
    """The assignments that WHERE needs, directly or indirectly, and the other assignments, each in order."""
    wanted = names_in([ast.Expr(where)])
    needed: list[Assignment] = []
    for assignment in reversed(fields):
        if assignment.local in wanted:
            wanted |= names_in([ast.Expr(assignment.code)])
            needed.insert(0, assignment)
    return needed, [a for a in fields if a not in needed]
