"""The problems of a configuration in our own words: where, what was expected, and what was found if that may be shown.

pydantic validates, but its messages are not shown. The table here has a sentence for each of its kinds of error. A message never
shows a value below `connectors` or `sources`, in a setting that can hold a secret, or from the environment. It names the kind of
such a value instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import ValidationError

from pipeline.config.base.environment import Resolved, Unset, shown
from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, keys_of, kind_of, members, statement_of
from pipeline.config.base.values import text_of

_HIDDEN: Final = frozenset({"connectors", "sources"})
_SHOWN_MAX: Final = 80
_SECTIONS: Final = ("model_type", "model_attributes_type", "union_tag_not_found", "union_tag_invalid")
# A text in the place of settings may be all of them, with the password, in the form of another program.
_MAPPINGS: Final = frozenset({*_SECTIONS, "dict_type"})


class Problem(NamedTuple):
    """What is wrong, and the path of keys of the setting."""

    path: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}"


def dotted(path: Iterable[str | int]) -> str:
    """A path in the form of messages: `rules.hot.actions[1]`."""
    found = "".join(f"[{part}]" if isinstance(part, int) else f".{_short(part)}" for part in path)
    return found.removeprefix(".") or "configuration"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def problems_of(error: ValidationError, model: type[Section], at: Sequence[str | int] = ()) -> list[Problem]:
    """All problems of an error. `model` is the validated section, and `at` is its path."""
    found: dict[tuple[str | int, ...], str] = {}
    for each in error.errors(include_url=False):
        spot = _spot(model, each["loc"], at)
        path = (*spot.path, _tag_name(spot)) if _is_shape(each) else spot.path
        found.setdefault(
            path, _message(each, spot)
        )  # one problem for each setting; for a union, that of its first type
    return [Problem(path, message) for path, message in found.items()]


class _Spot(NamedTuple):
    """Where an error is: the path in the file, the type there, the section around it, and whether its value may be shown."""

    path: tuple[str | int, ...]
    annotation: Any
    kind: str
    section: type[Section]
    hidden: bool


def _spot(model: type[Section], location: Sequence[str | int], at: Sequence[str | int]) -> _Spot:
    """Follow an error's location through the model. Leaves out the parts with which pydantic names the models of a union."""
    path, kind, section = [*at], "", model
    hidden = bool(path) and path[0] in _HIDDEN
    annotation: Any = model
    for part in location:
        if part == "[key]":
            break  # the name itself is wrong
        shapes = members(annotation)
        sections = [each for each in shapes if isinstance(each, type) and issubclass(each, Section)]
        if len(sections) > 1:
            annotation = next(each for each in sections if _tag(each) == part)
        elif sections:
            section = sections[0]
            path.append(part)
            field = next((field for name, field in section.model_fields.items() if part in keys_of(name, field)), None)
            if field is None:
                break
            said = statement_of(field)
            annotation, kind = field.annotation, kind_of(field)
            hidden = hidden or path[0] in _HIDDEN or bool(said and said.private) or Secret in members(annotation)
        elif get_origin(shapes[0]) in {dict, list}:
            path.append(part)
            annotation = get_args(shapes[0])[-1]
    return _Spot(tuple(path), annotation, kind, section, hidden)


def _tag(section: type[Section]) -> str:
    field = section.model_fields.get("mode") or section.model_fields["type"]
    return str(get_args(field.annotation)[0])


def _is_shape(error: Any) -> bool:
    """Whether the setting that chooses a section's model is wrong or missing."""
    return bool(error["type"].startswith("union_tag") and isinstance(error.get("input"), dict))


def _tag_name(spot: _Spot) -> str:
    return next(name for each in members(spot.annotation) for name in ("mode", "type") if name in each.model_fields)


def _message(error: Any, spot: _Spot) -> str:
    kind, found, context = error["type"], error.get("input"), error.get("ctx", {})
    if isinstance(found, Unset):
        return found.reason
    if kind == "missing":
        return "required, and not there"
    if kind == "extra_forbidden":
        return f"unknown setting{_meant(spot)}"
    if _is_shape(error):
        return _shape(found, spot)
    expected = _EXPECTED[kind](context, spot) if kind in _EXPECTED else "expected another value"
    if kind == "value_error" and isinstance(found, Section | dict):
        return expected  # for a whole section, the message says only what was expected
    if kind in _BOUNDS:
        found = text_of(spot.kind, found)  # this value was read already, and is shown in its written form
    return f"{expected}, found {_found(found, spot.hidden or kind in _MAPPINGS)}"


def _shape(found: Any, spot: _Spot) -> str:
    """The possible models of a section."""
    name, expected = _tag_name(spot), f"expected {_choice(map(_tag, members(spot.annotation)))}"
    if isinstance(found.get(name), Unset):
        return str(found[name].reason)
    return f"{expected}, found {_found(found[name], spot.hidden)}" if name in found else f"required; {expected}"


def _meant(spot: _Spot) -> str:
    known = [key for name, field in spot.section.model_fields.items() for key in keys_of(name, field)[:1]]
    close = difflib.get_close_matches(str(spot.path[-1]), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known)}" if len(known) < 12 else ""


def _found(value: Any, hidden: bool) -> str:
    """The value, or its kind if it must not be shown."""
    if isinstance(value, Resolved):
        return f"the value of {shown(value.written)}"
    kind = next((words for type_, words in _KINDS if isinstance(value, type_)), "something else")
    if hidden or kind in {"nothing", "a list", "a mapping", "something else"}:
        return kind
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    if "@" in text:
        return kind  # an address may have a password in it
    return _short(text)


_KINDS: Final[Sequence[tuple[Any, str]]] = (
    (type(None), "nothing"),
    (bool, "true or false"),
    (int | float, "a number"),
    (str, "a text"),
    (list | tuple, "a list"),
    (dict | Section, "a mapping"),
)


# --- The table: from pydantic's kinds of error to what was expected


def _always(text: str) -> Callable[[Mapping[str, Any], _Spot], str]:
    return lambda context, spot: f"expected {text}"


def _bound(words: str, name: str) -> Callable[[Mapping[str, Any], _Spot], str]:
    return lambda context, spot: f"expected {words} {text_of(spot.kind, context[name])}"


def _literals(context: Mapping[str, Any], spot: _Spot) -> str:
    choices = [value for each in members(spot.annotation) if get_origin(each) is Literal for value in get_args(each)]
    return f"expected {_choice(choices)}" if choices else "expected another value"


def _choice(values: Iterable[Any]) -> str:
    texts = [repr(each) for each in values]
    return " or ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


_BOUNDS: Final = {
    "greater_than_equal": _bound("at least", "ge"),
    "greater_than": _bound("more than", "gt"),
    "less_than_equal": _bound("at most", "le"),
    "less_than": _bound("less than", "lt"),
}
_EXPECTED: Final[Mapping[str, Callable[[Mapping[str, Any], _Spot], str]]] = {
    "value_error": lambda context, spot: str(context["error"]),
    "literal_error": _literals,
    "string_type": _always("a text"),
    "string_unicode": _always("a text of Unicode characters"),
    "string_too_short": _always("a text that is not empty"),
    "string_pattern_mismatch": lambda context, spot: f"expected a text that matches {context['pattern']}",
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _always("a whole number")),
    **dict.fromkeys(("float_type", "float_parsing"), _always("a number")),
    "finite_number": _always("a finite number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), _always("true or false")),
    "list_type": _always("a list"),
    "dict_type": _always("a mapping"),
    **dict.fromkeys(_SECTIONS, _always("a mapping of settings")),
    "too_short": _always("at least one of them"),
    "invalid_key": _always("a text as the name"),
    **_BOUNDS,
}
