"""The Jinja side of templates: a sandbox in which only the row, a few filters and plain logic exist.

No Python attribute or method can be reached, nothing can be called, and no global function is there: a name is a key of
the row, a point is a step into it. What could make output without bound (repetition, powers, padding) is refused, and
chance is left out, so that a template is a pure function of the row. Bytes pass through as surrogates and come out
exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

import jinja2
import jinja2.meta
import jinja2.nodes
import jinja2.sandbox
from jinja2.runtime import Context, LoopContext

from pipeline.errors import RenderError, TemplateSyntaxError
from pipeline.sql.runtime.jsontext import NotJsonError, from_json, to_text
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, octets, text_of
from pipeline.template.filters import BUILT_IN, FILTERS
from pipeline.template.template import END, START

RESULT_CHARACTERS_MAX: Final = 16_777_216
INTEGER_BITS_MAX: Final = 4096
STEPS_MAX: Final = 2_000_000
_STEPS: Final = "__steps"
_budget: Final[ContextVar[list[int]]] = ContextVar("template_steps")
_LOOP: Final = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"]
)

Lookup = Callable[[Mapping[str, Any], tuple[str, ...]], Any]


class MissingValue(jinja2.Undefined):
    """A name without a value: prints what the template's policy says, and is noted."""

    __slots__ = ()

    def __str__(self) -> str:
        return "undefined"


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["*", "**", "%"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """One step into a value; a string on the way is read as JSON."""
        if type(obj) in (str, bytes) and type(argument) is str:
            try:
                obj = from_json(obj)
            except NotJsonError:
                obj = UNDEFINED
        found = UNDEFINED
        if type(obj) is dict:
            found = obj.get(argument, UNDEFINED)
        elif type(obj) in (list, tuple) and type(argument) is int and -len(obj) <= argument < len(obj):
            found = obj[argument]
        return self.undefined(obj=obj, name=argument) if found is UNDEFINED else _shown_to_jinja(found)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Products and powers of numbers only, and only of such a size."""
        numbers = type(left) in (int, float) and type(right) in (int, float)
        if not numbers or (operator == "**" and (abs(left) > 1e6 or abs(right) > 100)):
            raise BadValueError(f"{operator} takes numbers of moderate size, found {left!r} and {right!r}"[:200])
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        return bool(getattr(obj, "template_path", False))


def _shown_to_jinja(value: Any) -> Any:
    return value.decode(errors="surrogateescape") if type(value) is bytes else value


@jinja2.pass_context
def _finalize(context: Context, value: Any) -> str:
    """Each output as text; missing ones are noted."""
    if isinstance(value, jinja2.Undefined):
        context["__missing"].append(_name_of(value))
        return str(context["__missing_text"])
    if isinstance(value, str):
        return value
    text = to_text(value)
    return text if type(text) is str else octets(text).decode(errors="surrogateescape")


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
    environment.filters = {name: _careful(name, call) for name, call in known.items()}
    environment.filters[_STEPS] = _steps
    return environment


def _careful(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that leaves a missing value missing (but for `default`), and pays for the size of what it is given."""
    position = 1 if hasattr(call, "jinja_pass_arg") else 0

    @functools.wraps(call)
    def filtered(*arguments: Any, **options: Any) -> Any:
        value = arguments[position]
        if isinstance(value, jinja2.Undefined) and name not in ("default", "d"):
            return value
        _spend(len(value) if isinstance(value, str | list | dict) else 1)
        return call(*arguments, **options)

    return filtered


def _steps(items: Any) -> Iterator[Any]:
    """The elements that a loop goes over, each paid for."""
    for item in () if isinstance(items, jinja2.Undefined) else items:
        _spend(1)
        yield _shown_to_jinja(item)


def _spend(steps: int) -> None:
    budget = _budget.get()
    budget[0] -= steps
    if budget[0] < 0:
        raise BadValueError(f"the template needs more than {STEPS_MAX} steps")


_ENVIRONMENT: Final = _environment()


class Expressions:
    """One template in Jinja. `source` has the sandbox's delimiters, `paths` are the plain placeholders in it."""

    def __init__(self, text: str, source: str, paths: tuple[Any, ...], lookup: Lookup) -> None:
        self._text = text
        self._paths = paths
        self._lookup = lookup
        try:
            tree = _ENVIRONMENT.parse(source)
            names = jinja2.meta.find_undeclared_variables(tree)
            for loop in tree.find_all(jinja2.nodes.For):
                loop.iter = jinja2.nodes.Filter(loop.iter, _STEPS, [], [], None, None)
            code = _ENVIRONMENT.compile(tree)
            self._template = jinja2.Template.from_code(_ENVIRONMENT, code, {}, None)
        except (jinja2.TemplateError, RecursionError) as error:
            raise TemplateSyntaxError(
                f"the template {text!r} is refused: {_message(error)}", line=getattr(error, "lineno", 0)
            ) from None
        self.names = frozenset(names) - {"__path"}

    def render(self, row: Mapping[str, Any], missing_text: str, missing: list[str]) -> Text:
        """The text, or bytes where a value was not UTF-8. Appends to `missing`."""

        def path(number: int) -> Any:
            placeholder = self._paths[number]
            value = self._lookup(row, placeholder.keys)
            if value is UNDEFINED:
                return MissingValue(name=placeholder.name)
            return _shown_to_jinja(value)

        path.template_path = True  # type: ignore[attr-defined]
        names = {key: _shown_to_jinja(value) for key, value in row.items() if value is not UNDEFINED}
        names |= {"__path": path, "__missing": missing, "__missing_text": missing_text}
        _budget.set([STEPS_MAX])
        try:
            text = self._template.render(names)
        except (jinja2.TemplateError, BadValueError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise RenderError(f"the template {self._text!r} cannot be rendered: {_message(error)}") from error
        if len(text) > RESULT_CHARACTERS_MAX:
            raise RenderError(f"the template {self._text!r} gives more than {RESULT_CHARACTERS_MAX} characters")
        return text_of(text.encode(errors="surrogateescape"))


def _message(error: BaseException) -> str:
    text = str(getattr(error, "message", None) or error)
    return text.replace(START, "$").replace(END, "")
