"""The Jinja part of templates: a sandbox with only the row, a few filters and plain logic.

An expression cannot reach Python attributes or methods, cannot call anything, and has no global functions: a name is a
key of the row, and a dot is a step into a value. Repetition, powers and padding are refused. Values that grow (joined
text, lists, output in loops) are counted while they are made (work.py). Random numbers are not available, so a template
is a pure function of the row. Bytes pass through as surrogates and come out exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

import jinja2
import jinja2.meta
import jinja2.sandbox
from jinja2 import nodes
from jinja2.runtime import Context, LoopContext

from pipeline.errors import RenderError, TemplateSyntaxError
from pipeline.sql.runtime.jsontext import to_text
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, octets, text_of
from pipeline.template.filters import BUILT_IN, FILTERS
from pipeline.template.template import END, START, quoted
from pipeline.template.work import CHARACTERS_A_STEP, RESULT_CHARACTERS_MAX, Work, bounded_number, too_long

_STEPS: Final = "__steps"
_JOINED: Final = "__joined"
_BUILT: Final = "__built"
_COMPARED: Final = "__compared"
_work: Final[ContextVar[Work]] = ContextVar("template_work")
_LOOP: Final = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"]
)

Lookup = Callable[[Mapping[str, Any], tuple[str, ...], Callable[[Any], Any]], Any]
# Characters that a filter handles in one step.
FILTERED_A_STEP: Final = 8
# Filters that look at one element at most.
_QUICK: Final = frozenset(["count", "d", "default", "first", "last", "length"])


class MissingValue(jinja2.Undefined):
    """A name without a value. It prints the text of the template's policy, and is noted."""

    __slots__ = ()

    def __str__(self) -> str:
        return "undefined"


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """One step into a value. A string on the way is read as JSON."""
        if type(obj) in (str, bytes) and type(argument) is str:
            obj = _work.get().decoded(obj)
        found = UNDEFINED
        if type(obj) is dict:
            found = obj.get(argument, UNDEFINED)
        elif type(obj) in (list, tuple) and type(argument) is int and -len(obj) <= argument < len(obj):
            found = obj[argument]
        return self.undefined(obj=obj, name=argument) if found is UNDEFINED else _shown_to_jinja(found)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Limit the size of results. Products and powers are only for numbers."""
        if operator == "+":
            _work.get().added(left, right)
            return bounded_number(super().call_binop(context, operator, left, right))
        numbers = type(left) in (int, float) and type(right) in (int, float)
        if not numbers or (operator == "**" and (abs(left) > 1e6 or abs(right) > 100)):
            raise BadValueError(f"{operator} takes numbers of moderate size, found {left!r} and {right!r}"[:200])
        return bounded_number(super().call_binop(context, operator, left, right))

    def is_safe_callable(self, obj: Any) -> bool:
        return bool(getattr(obj, "template_path", False))


def _shown_to_jinja(value: Any) -> Any:
    return value.decode(errors="surrogateescape") if type(value) is bytes else value


@jinja2.pass_context
def _finalize(context: Context, value: Any) -> str:
    """Each output as text. Missing values are noted."""
    if isinstance(value, jinja2.Undefined):
        context["__missing"].append(_name_of(value))
        text: Text = str(context["__missing_text"])
    elif isinstance(value, str):
        text = value
    else:
        text = to_text(value)
    _work.get().write(len(text))
    return text if isinstance(text, str) else octets(text).decode(errors="surrogateescape")


def _name_of(value: Any) -> str:
    return str(getattr(value, "_undefined_name", None) or "?")


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
        finalize=_finalize,
    )
    environment.globals.clear()
    known = {name: environment.filters[name] for name in BUILT_IN} | FILTERS
    known |= {"join": _join, "replace": _replace, "sum": _sum}
    environment.filters = {name: _careful(name, call) for name, call in known.items()}
    environment.filters |= {_STEPS: _steps, _JOINED: _joined, _BUILT: _built, _COMPARED: _compared}
    environment.tests = {name: _paid(call) for name, call in environment.tests.items()}
    return environment


def _careful(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that leaves a missing value missing (except `default`), and counts steps for the size of its input."""
    position = 1 if hasattr(call, "jinja_pass_arg") else 0

    @functools.wraps(call)
    def filtered(*arguments: Any, **options: Any) -> Any:
        value = arguments[position]
        if isinstance(value, jinja2.Undefined) and name not in ("default", "d"):
            return value
        work = _work.get()
        work.spend(2 if name in _QUICK else 2 + work.weight(value) // FILTERED_A_STEP)
        found = call(*arguments, **options)
        return work.bounded(found) if isinstance(found, str | list) else found

    return filtered


def _paid(call: Any) -> Callable[..., Any]:
    """A test that counts steps for the size of its input."""

    @functools.wraps(call)
    def tested(*arguments: Any) -> Any:
        for value in arguments[-2:]:
            _work.get().look_at(value)
        return call(*arguments)

    return tested


def _steps(items: Any, nodes: int, characters: int) -> Iterator[Any]:
    """The elements of a loop. Each counts steps for the expressions in the loop's body, and output for its literal text."""
    work = _work.get()
    for item in () if isinstance(items, jinja2.Undefined) else items:
        work.spend(1 + nodes)
        work.write(characters)
        yield _shown_to_jinja(item)


def _joined(values: list[Any]) -> str:
    """The operator `~`: joins the texts of all values."""
    work, texts, size = _work.get(), [], 0
    for value in values:
        work.bounded(value)
        text = str(value)
        size += len(text)
        if size > RESULT_CHARACTERS_MAX:
            raise too_long(size)
        texts.append(text)
    work.spend(1 + size // CHARACTERS_A_STEP)
    return "".join(texts)


def _built(value: Any) -> Any:
    """A list or map literal in the template."""
    return _work.get().bounded(value)


def _compared(value: Any) -> Any:
    """A side of a comparison. Counts steps for its size."""
    _work.get().look_at(value)
    return value


@jinja2.pass_environment
def _join(environment: _Sandbox, value: Any, d: Any = "", attribute: Any = None) -> str:
    """The texts of the elements, with `d` between them."""
    separator = str(d)
    pieces: list[Any] = []
    for item in value:
        if attribute is not None:
            item = _attribute(environment, item, attribute)
        pieces += [separator, item] if pieces else [item]
        _work.get().spend(1)
    return _joined(pieces)


def _attribute(environment: _Sandbox, value: Any, attribute: Any) -> Any:
    """The value at a path of keys and positions in an element."""
    for part in str(attribute).split("."):
        value = environment.getitem(value, int(part) if part.isdigit() else part)
    return value


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    """The text with one part replaced by another, everywhere or at most `count` times."""
    text, old, new = str(value), str(old), str(new)
    found = text.count(old) if count is None or count < 0 else min(count, text.count(old))
    size = len(text) + found * (len(new) - len(old))
    if size > RESULT_CHARACTERS_MAX:
        raise too_long(size)
    return text.replace(old, new, -1 if count is None else count)


@jinja2.pass_environment
def _sum(environment: _Sandbox, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """The sum of the elements. Each addition has the limits of `+`."""
    total = start
    for item in value:
        if attribute is not None:
            item = _attribute(environment, item, attribute)
        _work.get().added(total, item)
        total = bounded_number(total + item)
    return total


_ENVIRONMENT: Final = _environment()


class Expressions:
    """One template in Jinja. `source` has the sandbox's delimiters. `paths` are its plain placeholders."""

    def __init__(self, text: str, source: str, paths: tuple[Any, ...], lookup: Lookup) -> None:
        self._text = text
        self._paths = paths
        self._lookup = lookup
        try:
            tree = _ENVIRONMENT.parse(source)
            names = jinja2.meta.find_undeclared_variables(tree)
            code = _ENVIRONMENT.compile(counted(tree))
            self._template = jinja2.Template.from_code(_ENVIRONMENT, code, {}, None)
        except (
            jinja2.TemplateError,
            RecursionError,
            SyntaxError,
            MemoryError,
        ) as error:  # Python's parser has limits too
            raise TemplateSyntaxError(
                f"the template {quoted(text)} is refused: {_message(error)}", line=getattr(error, "lineno", 0)
            ) from None
        self.names = frozenset(names) - {"__path"}

    def render(self, row: Mapping[str, Any], missing_text: str, missing: list[str]) -> Text:
        """The text, or bytes if a value was not UTF-8. Appends missing names to `missing`."""

        work = Work()
        found: dict[int, Any] = {}

        def path(number: int) -> Any:
            if number not in found:
                placeholder = self._paths[number]
                value = self._lookup(row, placeholder.keys, work.decoded)
                found[number] = MissingValue(name=placeholder.name) if value is UNDEFINED else _shown_to_jinja(value)
            return found[number]

        path.template_path = True  # type: ignore[attr-defined]
        names = {key: _shown_to_jinja(value) for key, value in row.items() if value is not UNDEFINED}
        names |= {"__path": path, "__missing": missing, "__missing_text": missing_text}
        _work.set(work)
        try:
            text = "".join(self._template.generate(names))
        except (jinja2.TemplateError, BadValueError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise RenderError(f"the template {quoted(self._text)} cannot be rendered: {_message(error)}") from error
        if len(text) > RESULT_CHARACTERS_MAX:
            raise RenderError(f"the template {quoted(self._text)} cannot be rendered: {too_long(len(text))}")
        return text_of(text.encode(errors="surrogateescape"))


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
        node.expr = nodes.Filter(node.expr, _COMPARED, [], [], None, None)
        for operand in node.ops:
            operand.expr = nodes.Filter(operand.expr, _COMPARED, [], [], None, None)
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
