"""Compiles expressions and conditions of a syntax tree into Python.

The compiler decides as much as possible before the rule runs: what a name refers to, which function is called, whether it takes
these arguments, and which checks are not needed for a literal. The result is one Python function with locals, which runs for
each record. `statements.py` combines the parts in the order in which the dialect evaluates them.

The payload is decoded at its first use. `loaded` says whether this use has surely happened before the code that is being
compiled. `perhaps` is used around code that may not run.

The code is made from small templates (see codegen.py). Their letters have the same meaning everywhere:

    t      a local of its own, which keeps a value that is needed twice: `t if (t := x) is not U else y`
    x y    the value that is worked on, and the one in its place
    a b    operands, or beginning and end
    c      a condition
    r      a right operand, or a row
    k      a constant: a key, a column or a text; in a comparison a local for the type
    i s    an index; steps of a path, or the members of a set
    o      the record that an index by path is read from
    f      the name of the function for the general case

Names that are not replaced belong to the running program: `event`, `get` (for its columns), `p` (the payload as a
struct, or None before it is decoded), `U` (undefined), SHAPE, CONTEXT and TEXT, and the functions
of `runtime/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.sql.compilation.bookkeeping import Bookkeeping
from pipeline.sql.compilation.codegen import Code, call, constant, mapping, py, sequence
from pipeline.sql.compilation.inference import BOOLEAN, literal_type, literal_value, path_steps, type_of
from pipeline.sql.compilation.scope import Scope, tree_code
from pipeline.sql.functions.registry import CHECKS, FITS, MODULE, Signature, find, near
from pipeline.sql.runtime.looping import counted
from pipeline.sql.runtime.shape import attribute, fits
from pipeline.sql.runtime.values import BadValueError
from pipeline.sql.syntax import nodes as n

RANGE_ITEMS_MAX: Final = 100_000
COMPARE: Final = {
    "=": ("==", "compare_eq"), "!=": ("!=", "compare_ne"), "<": ("<", "compare_lt"),
    "<=": ("<=", "compare_le"), ">": (">", "compare_gt"), ">=": (">=", "compare_ge"),
}  # fmt: skip
ARITHMETIC: Final = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "div": "quotient", "mod": "remainder",
}  # fmt: skip


class Compiler(Bookkeeping):
    """Compiles expressions in one scope at a time."""

    # --- Expressions

    def expression(self, node: n.Expression) -> Code:
        """The value of `node` in the current scope."""
        with self.labelled(node):
            return self._expression(node)

    def _expression(self, node: n.Expression) -> Code:
        match node:
            case n.Literal(value):
                return constant(value, self.label)
            case n.Path():
                return self.path(node)
            case n.Call():
                return self.function_call(node)
            case n.RangeLiteral(begin, end):
                return self.range_literal(node, begin, end)
            case n.Slice(path, begin, end):
                return py("sliced(x, a, b)", self.label, x=self.path(path), a=begin, b=end)
            case n.ListOf(items):
                return sequence([self.expression(item) for item in items], self.label)
            case n.Unary("-", n.Literal(value)) if type(value) in (int, float):
                return constant(-value, self.label)
            case n.Unary("-", operand):
                return py("negate(x)", self.label, x=self.expression(operand))
            case n.Unary(_, operand):
                return self.expression(operand)
            case n.Arithmetic():
                return self.arithmetic(node)
            case n.Case():
                return self.case(node)
        return self.condition(node)

    def range_literal(self, node: n.Node, begin: int, end: int) -> Code:
        """`[1..10]`: a list of integers, with its end."""
        if end - begin >= RANGE_ITEMS_MAX:
            raise self.error(node, f"a range has at most {RANGE_ITEMS_MAX} elements")
        return py("list_of_range(a, b)", self.label, a=begin, b=end)

    def arithmetic(self, node: n.Arithmetic) -> Code:
        """An operator with two operands.

        If the right one is an integer literal, the code handles an integer on the left inline.
        """
        left, right = self.expression(node.left), self.expression(node.right)
        number = node.right.value if isinstance(node.right, n.Literal) else None
        if type(number) is int and node.operator in ("+", "-", "*"):
            source = f"t {node.operator} r if type(t := x) is int else f(t, r)"
            return py(source, self.label, t=self.local(), x=left, r=number, f=ARITHMETIC[node.operator])
        return call(ARITHMETIC[node.operator], [left, right], self.label)

    # --- Names and paths

    def path(self, node: n.Path) -> Code:
        """A name or path of the statement. Paths into the payload have their own method."""
        if node.root == "payload" and node.steps:
            return self.payload_path(node, self.scope)
        return self.name_in(self.scope, node)

    def name_in(self, scope: Scope | None, node: n.Path, record: Scope | None = None) -> Code:
        """A name or path, looked up in the outputs of `scope`, and below it if they do not hide what is below.

        An index by path is read from the same record: from `record`, if a merged scope and all below it are one, otherwise
        from the outputs alone or from the columns alone.
        """
        record = scope if record is None and scope is not None and scope.merged else record
        if record is not None:
            index = lambda path: self.name_in(record, path)  # noqa: E731
        elif scope is None:
            index = self.index_in(lambda: py("event.columns", self.label))
        else:
            index = self.index_in(lambda: self.record(scope))
        if scope is None:
            return self.steps(self.column(node.root), node, index)
        if node.root not in scope.outputs:
            below = self.name_in(scope.below, node, record)
            if record is not None or not scope.star or not any(isinstance(step, n.PathIndex) for step in node.steps):
                return below
            found = self.steps(self.column(node.root), node, index)  # `*` has put the columns into this record
            return py("t if (t := x) is not U else y", self.label, t=self.local(), x=found, y=below)
        tree = scope.outputs[node.root]
        found = self.steps(tree_code(tree, self.label), node, index)
        if scope.merged:
            return found
        with self.perhaps():
            below = self.name_in(scope.below, node, record)
        return py("t if (t := x) is not U else y", self.label, t=self.local(), x=found, y=below)

    def record(self, scope: Scope) -> Code:
        """The map of outputs, which an index by path reads."""
        outputs = mapping([(key, tree_code(tree, self.label)) for key, tree in scope.outputs.items()], self.label)
        return py("{**event.row(), **r}", self.label, r=outputs) if scope.star and not self.in_loop else outputs

    def column(self, name: str) -> Code:
        """A column of the event. The payload is not decoded."""
        self.reads(name)
        if name == "payload":
            return py("event.payload()", self.label)
        return py("get(k, U)", self.label, k=constant(name, self.label))

    def index_in(self, origin: Callable[[], Code]) -> Callable[[n.Path], Code]:
        """How an index by path is read from a record, `origin()`."""

        def index(path: n.Path) -> Code:
            self._reads_all(path)
            return py("read(o, s, o)", self.label, o=origin(), s=self.bind(path_steps(path), "path"))

        return index

    def steps(self, value: Code, node: n.Path, index: Callable[[n.Path], Code], skip: int = 0) -> Code:
        """`value` with the steps of a path applied, without the first `skip` steps.

        `index` gives the value of an index by path.
        """
        for step in node.steps[skip:]:
            if isinstance(step, n.Key):
                source = "t.get(k, U) if type(t := x) is dict else member(t, k)"
                value = py(source, self.label, t=self.local(), x=value, k=constant(step.name, self.label))
            elif isinstance(step, n.Index):
                number = -step.number if step.from_end else step.number
                value = py("element(x, i)", self.label, x=value, i=constant(number, self.label))
            else:
                value = py("element(x, i)", self.label, x=value, i=index(step.path))
        return value

    def _reads_all(self, path: n.Path) -> None:
        """Note the columns that an index by path reads, at any depth."""
        self.reads(path.root)
        for step in path.steps:
            if isinstance(step, n.PathIndex):
                self._reads_all(step.path)

    def payload_path(self, node: n.Path, scope: Scope | None) -> Code:
        """A path into the payload: into the decoded payload, unless an output has its name."""
        if scope is None:
            return self.document_path(node)
        if scope.payload in ("", "raw") or (scope.merged and scope.payload == "alias"):
            return self.payload_path(node, scope.below)
        tree = scope.outputs["payload"]
        own = tree_code(tree, self.label)
        if isinstance(tree, str):
            own = self.payload_of(own)
        holder = self.local()
        own = py("(t := x)", self.label, t=holder, x=own)
        found = self.steps(own, node, self.index_in(lambda: py("t", self.label, t=holder)))
        if scope.merged or (scope.replaces and scope.payload == "alias"):
            return found
        with self.perhaps():
            below = self.payload_path(node, scope.below)
        return py("t if (t := x) is not U else y", self.label, t=self.local(), x=found, y=below)

    def payload_of(self, value: Code) -> Code:
        """The map or list of an output with the name `payload`.

        A text there is read as the payload that was decoded last. If none was decoded, the text itself is decoded.
        """
        self.reads("payload")
        source = "event.document() if type(t := x) in TEXT else t" if self.loaded else "decoded(x)"
        return py(source, self.label, t=self.local(), x=value)

    def document_path(self, node: n.Path) -> Code:
        """A path into the decoded payload. Its first key is an attribute of a struct that holds only the keys that
        rules read.

        If the first step cannot be an attribute, the whole document is decoded to maps and lists.
        """
        self.reads("payload")
        in_document = self.index_in(lambda: py("event.document()", self.label))
        first = node.steps[0]
        if not isinstance(first, n.Key) or not fits(first.name):
            return self.steps(py("event.document()", self.label), node, in_document)
        self.keys.add(first.name)
        source = f"x.{attribute(first.name)}"
        value = py(source, self.label, x=self.narrowed())
        return self.steps(value, node, in_document, skip=1)

    def narrowed(self) -> Code:
        """The struct of the decoded payload. The code decodes it unless that has surely happened before."""
        if self.loaded:
            return py("p", self.label)
        self.loaded = True
        return py("p or (p := x)", self.label, x=self.narrowed_at_once())

    def narrowed_at_once(self) -> Code:
        """The struct of the decoded payload, decoded now."""
        return py("event.narrow(SHAPE)", self.label)

    # --- CASE and conditions

    def case(self, node: n.Case) -> Code:
        """CASE: the result of the first branch whose test is true, else that of ELSE, else undefined."""
        subject = self.local()
        value = py("t", self.label, t=subject)
        if node.subject is not None:
            value = py("(t := x)", self.label, t=subject, x=self.expression(node.subject))
        chain: list[tuple[Code, Code]] = []
        test = self.branch_test(node, node.branches[0], value)
        with self.perhaps():  # only the subject and the first test are certain to run
            for position, branch in enumerate(node.branches):
                if position:
                    test = self.branch_test(node, branch, py("t", self.label, t=subject))
                with self.perhaps():  # the next test runs only if this result does not
                    chain.append((test, self.expression(branch.then)))
            chosen = self.expression(node.otherwise) if node.otherwise else py("U", self.label)
        for test, result in reversed(chain):
            chosen = py("a if c else b", self.label, a=result, c=test, b=chosen)
        return chosen

    def branch_test(self, node: n.Case, branch: n.Branch, subject: Code) -> Code:
        """Whether a branch is taken: its condition is true, or its value strictly equals the subject of CASE."""
        if node.subject is None:
            return self.condition(branch.when)
        return self.strictly_equal(subject, branch.when)

    def strictly_equal(self, value: Code, other: n.Expression) -> Code:
        """Equality without conversion: 1 does not equal 1.0."""
        if isinstance(other, n.Literal) and type(other.value) is str:
            return py("x == k", self.label, x=value, k=constant(other.value, self.label))
        return call("same", [value, self.expression(other)], self.label)

    def condition(self, node: n.Expression) -> Code:
        """The truth of `node`: Python's True or False, or an error."""
        with self.labelled(node):
            return self._condition(node)

    def _condition(self, node: n.Expression) -> Code:
        match node:
            case n.Both(left, right):
                return self.either_way("a and b", left, right)
            case n.Either(left, right):
                return self.either_way("a or b", left, right)
            case n.Comparison():
                return self.comparison(node)
            case n.Member():
                return self.member(node)
            case n.Not(operand) if isinstance(operand, BOOLEAN) or type_of(operand, self.in_condition) == "boolean":
                return py("not x", self.label, x=self.condition(operand))
            case n.Not(operand):
                # Only the negation of false is true. The negation of a value that is not a boolean is false.
                return py("x is False", self.label, x=self.expression(operand))
            case n.Literal(bool()):
                return self.expression(node)
            case n.Path() | n.Call():
                value = self.expression(node)
                return value if type_of(node, self.in_condition) == "boolean" else py("truth(x)", self.label, x=value)
        raise self.error(node, "expected a condition, such as a comparison, found a value that is never true or false")

    def either_way(self, source: str, left: n.Expression, right: n.Expression) -> Code:
        """AND or OR. The left side may decide alone."""
        a = self.condition(left)
        with self.perhaps():
            b = self.condition(right)
        return py(source, self.label, a=a, b=b)

    def comparison(self, node: n.Comparison) -> Code:
        """A comparison. If the right side is a literal, the code compares values of the literal's type inline."""
        if node.operator == "~=":
            raise self.error(node, "'~=' is not an operator: write =~ for a topic match")
        left, right = self.expression(node.left), self.expression(node.right)
        if node.operator == "=~":
            return call("topic_matches", [left, right], self.label)
        symbol, function = COMPARE[node.operator]
        known = literal_type(node.right)
        slow = "f(t, r)"
        if known is str:
            source = f"t {symbol} r if type(t := x) is str else {slow}"
        elif known in (int, float):
            source = f"t {symbol} r if (k := type(t := x)) is int or k is float else {slow}"
        else:
            return call(function, [left, right], self.label)
        names = {"t": self.local(), "k": self.local()}
        return py(source, self.label, x=left, r=constant(literal_value(node.right), self.label), f=function, **names)

    def member(self, node: n.Member) -> Code:
        """IN. If all members are texts, or all are integers, the code uses a set."""
        value = self.expression(node.operand)
        kinds = {literal_type(item) for item in node.items}
        kind = "str" if kinds == {str} else "int" if kinds == {int} else ""
        if kind:
            members = frozenset(literal_value(item) for item in node.items)
            source = f"type(t := x) is {kind} and t in s"
            return py(source, self.label, t=self.local(), x=value, s=self.bind(members, "members"))
        items = sequence([self.expression(item) for item in node.items], self.label)
        return call("is_in", [value, items], self.label)

    # --- Calls

    def function_call(self, node: n.Call) -> Code:
        """A call. The number of arguments must be right, and an argument is checked if its type may not fit."""
        declared = find(node.name)
        if declared is None:
            raise self.error(node, self._unknown(node.name))
        overload = declared.overload(len(node.arguments))
        if overload is None:
            raise self.error(node, declared.wrong_count(len(node.arguments)))
        arguments = [self.argument(node, overload, i) for i in range(len(node.arguments))]
        if declared.message and self.in_condition:
            return mapping([], self.label) if declared.name == "flags" else py("U", self.label)
        if declared.reads == "event":
            arguments.insert(0, py("event", self.label))
            self.uses_chance = self.uses_chance or declared.theme == "chance"
        elif declared.reads == "context":
            arguments.insert(0, py("CONTEXT", self.label))
        for column in MESSAGE_COLUMNS.get(declared.name, ()):
            self.reads(column)
        self.called.add(declared.name)
        name = f"loop_{declared.name}" if self.in_loop else f"call_{declared.name}"
        looped = counted(declared.call, declared.cost, declared.seconds_max) if self.in_loop else declared.call
        self.namespace[name] = looped
        return call(name, arguments, self.label)

    def _unknown(self, name: str) -> str:
        """The message for a function that does not exist, with the nearest name that does."""
        if "." in name and not name.startswith(f"{MODULE}."):
            return f"unknown function {name}: functions are called by their plain name"
        suggestion = near(name)
        return f"unknown function {name}()" + (f": did you mean {suggestion}()?" if suggestion else "")

    def argument(self, node: n.Call, overload: Signature, position: int) -> Code:
        """One argument, with the check of its parameter's type. If a literal does not fit, the statement is refused."""
        argument = node.arguments[position]
        parameter = overload.parameters[min(position, len(overload.parameters) - 1)]
        code = self.expression(argument)
        check = CHECKS.get(parameter.type)
        fits = check is None or type_of(argument, self.in_condition) in FITS[parameter.type]
        if isinstance(argument, n.Literal):
            declared = find(node.name)
            judge = declared.judges.get(parameter.name) if declared is not None else None
            try:
                value = argument.value if fits or check is None else check(argument.value)
                if judge is not None:
                    judge(value)
            except BadValueError as error:
                raise self.error(argument, f"{node.name}({parameter.name}): {error}") from None
        if fits:
            return code
        label = self.labels.number(argument.span)
        return call(f"as_{parameter.type}", [code], label)


# The columns that a function of the message reads.
MESSAGE_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "msgid": ("id",), "qos": ("qos",), "topic": ("topic",), "clientid": ("clientid",), "username": ("username",),
    "payload": ("payload",), "clientip": ("peerhost",), "peerhost": ("peerhost",), "flags": ("flags",),
    "flag": ("flags",),
}  # fmt: skip
