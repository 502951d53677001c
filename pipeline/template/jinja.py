"""The Jinja part of templates: a sandbox with only the row, a few filters and plain logic.

An expression cannot reach Python attributes or methods, cannot call anything, and has no global functions: a name is a
key of the row, and a dot is a step into a value. Repetition, powers and padding are refused. Values that grow (joined
text, lists, output in loops) are counted while they are made (work.py). Random numbers are not available, so a template
is a pure function of the row. Bytes pass through as surrogates and come out exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import GeneratorType
from typing import Any, Final

import jinja2
import jinja2.meta
import jinja2.sandbox
from jinja2 import nodes
from jinja2.runtime import Context, LoopContext

from pipeline.errors import EncodeError, RenderError, TemplateSyntaxError
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, shown, text_of
from pipeline.template import builtin, comparison, filters
from pipeline.template.language import MissingValue, plain, shown_to_jinja, text
from pipeline.template.template import END, START, quoted
from pipeline.template.work import RESULT_CHARACTERS_MAX, Work, begin, current, too_long

_PATH: Final = "__path"
_STEPS: Final = "__steps"
_JOINED: Final = "__joined"
_BUILT: Final = "__built"
_COMPARED: Final = "__compared"
_LOOP: Final = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"]
)

Lookup = Callable[[Mapping[str, Any], tuple[str, ...], Callable[[Any], Any]], Any]
# Tests that ask for what no row holds.
_OF_PYTHON: Final = frozenset(["callable", "escaped", "filter", "test"])
# What a template's row can be the reason of.
_FAULTS: Final = (
    jinja2.TemplateError, BadValueError, EncodeError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip
# Characters that a filter handles in one step.
FILTERED_A_STEP: Final = 8
# Filters that look at one element at most.
_QUICK: Final = frozenset(["count", "d", "default", "first", "last", "length"])


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "**", "%"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """One step into a value. A string on the way is read as JSON."""
        if type(obj) in (str, bytes) and type(argument) is str:
            obj = current().decoded(obj)
        found = UNDEFINED
        if type(obj) is dict:
            found = obj.get(argument, UNDEFINED)
        elif type(obj) in (list, tuple) and type(argument) is int and -len(obj) <= argument < len(obj):
            found = obj[argument]
        return self.undefined(obj=obj, name=argument) if found is UNDEFINED else shown_to_jinja(found)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic of numbers only, and only of such a size; `+` joins text and lists too, and only of such a size."""
        if operator == "+":
            return builtin.plus(left, right)
        numbers = type(left) in (int, float) and type(right) in (int, float)
        if not numbers or (operator == "**" and (abs(left) > 1e6 or abs(right) > 100)):
            raise BadValueError(f"{operator} takes numbers of moderate size, found {left!r} and {right!r}"[:200])
        return builtin.finite(super().call_binop(context, operator, left, right))

    def is_safe_callable(self, obj: Any) -> bool:
        return bool(getattr(obj, "template_path", False))


@jinja2.pass_context
def _finalize(_: Context, value: Any) -> str:
    """Each output as text; missing ones are noted. It takes the context so that Jinja calls it for each row, and never before."""
    output = text(value)
    current().write(len(output))
    return output


def _environment() -> _Sandbox:
    environment = _Sandbox(
        block_start_string=f"{START}%",
        block_end_string=f"%{END}",
        variable_start_string=f"{START}{{",
        variable_end_string=f"}}{END}",
        comment_start_string=f"{START}#",
        comment_end_string=f"#{END}",
        undefined=MissingValue,
        autoescape=False,
        keep_trailing_newline=True,
        optimized=False,  # a filter is called for a row, not while a template is made
        finalize=_finalize,
    )
    environment.globals.clear()
    known = builtin.FILTERS | filters.FILTERS
    environment.filters = {name: _careful(name, call) for name, call in known.items()}
    environment.filters |= {_STEPS: _steps, _JOINED: builtin.joined, _BUILT: _built, _COMPARED: comparison.compared}
    tests = environment.tests | builtin.TESTS | comparison.TESTS
    environment.tests = {name: _paid(call) for name, call in tests.items() if name not in _OF_PYTHON}
    return environment


def _careful(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that leaves a missing value missing (except `default`), and counts steps for the size of its input."""
    position = 1 if hasattr(call, "jinja_pass_arg") else 0

    @functools.wraps(call)
    def filtered(*arguments: Any, **options: Any) -> Any:
        value = shown_to_jinja(arguments[position])
        if isinstance(value, jinja2.Undefined) and name not in ("default", "d"):
            return value
        if name in builtin.OF_ELEMENTS and not isinstance(value, list | tuple | dict | str):
            raise BadValueError(f"{name}: expected a list, a map or text, found {shown(plain(value))}")
        work = current()
        work.spend(2 if name in _QUICK else 2 + work.weight(value) // FILTERED_A_STEP)
        found = call(*arguments[:position], value, *arguments[position + 1 :], **options)
        if isinstance(found, GeneratorType):
            found = list(found)
        return work.bounded(found) if isinstance(found, str | list) else found

    return filtered


def _paid(call: Any) -> Callable[..., Any]:
    """A test that counts steps for the size of its input."""

    @functools.wraps(call)
    def tested(*arguments: Any) -> Any:
        for value in arguments[-2:]:
            current().look_at(value)
        return call(*arguments)

    return tested


def _steps(items: Any, nodes: int, characters: int) -> Iterator[Any]:
    """The elements of a loop. Each counts steps for the expressions in the loop's body, and output for its literal text."""
    work = current()
    for item in () if isinstance(items, jinja2.Undefined) else items:
        work.spend(1 + nodes)
        work.write(characters)
        yield shown_to_jinja(item)


def _built(value: Any) -> Any:
    """A list or map literal in the template."""
    return current().bounded(list(value) if isinstance(value, tuple) else value)


ENVIRONMENT: Final = _environment()


class Expressions:
    """One template in Jinja. `source` has the sandbox's delimiters. `paths` are its plain placeholders."""

    def __init__(self, text: str, source: str, paths: tuple[Any, ...], lookup: Lookup) -> None:
        self._text = text
        self._paths = paths
        self._lookup = lookup
        try:
            tree = ENVIRONMENT.parse(source)
            names = jinja2.meta.find_undeclared_variables(tree)
            self._bind(tree)
            code = ENVIRONMENT.compile(counted(tree))
            self._template = jinja2.Template.from_code(ENVIRONMENT, code, {}, None)
        except (
            jinja2.TemplateError,
            RecursionError,
            SyntaxError,
            MemoryError,
        ) as error:  # Python's parser has limits too
            raise TemplateSyntaxError(
                f"the template {quoted(text)} is refused: {_message(error)}", line=getattr(error, "lineno", 0)
            ) from None
        self.names = frozenset(names) - {_PATH}

    def _bind(self, tree: Any) -> None:
        """Plain placeholders see what loops and `set` bind: they are given the value that their first name has at their place."""
        bound = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
        if next(tree.find_all(nodes.For), None):
            bound.add("loop")
        for call in list(tree.find_all(nodes.Call)):
            match call:
                case nodes.Call(node=nodes.Name(name=name), args=[nodes.Const(value=int(number))]) if name == _PATH:
                    keys = self._paths[number].keys if number < len(self._paths) else ()
                    if keys and keys[0] in bound:
                        call.args.append(nodes.Name(keys[0], "load"))

    def render(self, row: Mapping[str, Any], missing_text: str, missing: list[str]) -> Text:
        """The text, or bytes if a value was not UTF-8. Appends missing names to `missing`."""

        work = Work(missing, missing_text)
        found: dict[int, Any] = {}

        def path(number: int, *bound: Any) -> Any:
            placeholder = self._paths[number]
            if bound:
                return self._from(bound[0], placeholder, work)
            if number not in found:
                value = self._lookup(row, placeholder.keys, work.decoded)
                found[number] = MissingValue(name=placeholder.name) if value is UNDEFINED else shown_to_jinja(value)
            return found[number]

        path.template_path = True  # type: ignore[attr-defined]
        names = {key: shown_to_jinja(value) for key, value in row.items() if value is not UNDEFINED}
        names[_PATH] = path
        begin(work)
        try:
            rendered = "".join(self._template.generate(names))
        except _FAULTS as error:
            raise RenderError(f"the template {quoted(self._text)} cannot be rendered: {_message(error)}") from error
        if len(rendered) > RESULT_CHARACTERS_MAX:
            raise RenderError(f"the template {quoted(self._text)} cannot be rendered: {too_long(len(rendered))}")
        return text_of(rendered.encode(errors="surrogateescape"))

    def _from(self, root: Any, placeholder: Any, work: Work) -> Any:
        """The value of a plain placeholder whose first name a statement of the template may have bound."""
        first, *rest = placeholder.keys
        if isinstance(root, LoopContext):
            value: Any = functools.reduce(ENVIRONMENT.getattr, rest, root)
        else:
            value = self._lookup(
                {} if isinstance(root, jinja2.Undefined) else {first: root}, placeholder.keys, work.decoded
            )
        return MissingValue(name=placeholder.name) if value is UNDEFINED else shown_to_jinja(value)


def counted(tree: Any) -> Any:
    """A template's tree with counting around every operation that grows or that looks at large values."""
    _count_inside(tree)
    for loop in tree.find_all(nodes.For):
        body = [each for part in loop.body for each in (part, *_of_body(part))]
        expressions = sum(isinstance(each, nodes.Expr) and not isinstance(each, nodes.TemplateData) for each in body)
        characters = sum(len(each.data) for each in body if isinstance(each, nodes.TemplateData))
        sizes = [nodes.Const(expressions), nodes.Const(characters)]
        loop.iter = nodes.Filter(loop.iter, _STEPS, sizes, [], None, None)
    return tree


def _count_inside(node: Any) -> None:
    for name, value in list(node.iter_fields()):
        if isinstance(value, nodes.Node):
            setattr(node, name, _replaced(value))
        elif isinstance(value, list):
            setattr(node, name, [_replaced(each) if isinstance(each, nodes.Node) else each for each in value])


def _replaced(node: Any) -> Any:
    """A node with counting in its parts, and around itself if it grows."""
    _count_inside(node)
    if isinstance(node, nodes.Concat):
        return nodes.Filter(nodes.List(node.nodes), _JOINED, [], [], None, None)
    if isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return nodes.Filter(node, _BUILT, [], [], None, None)
    if isinstance(node, nodes.Compare):
        operands = [part for operand in node.ops for part in (nodes.Const(operand.op), operand.expr)]
        return nodes.Filter(node.expr, _COMPARED, operands, [], None, None)
    return node


def _of_body(node: Any) -> Iterator[Any]:
    """The cost of a node's parts, without its loops, which count separately."""
    if isinstance(node, nodes.For):
        return
    for child in node.iter_child_nodes():
        yield child
        yield from _of_body(child)


def _message(error: BaseException) -> str:
    text = str(getattr(error, "message", None) or error)
    return text.replace(START, "$").replace(END, "")
