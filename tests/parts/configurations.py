"""Random configurations made from the model, so that new settings are in them automatically."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from pipeline.config import Config
from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, keys_of, kind_of, members, statement_of
from pipeline.config.base.values import duration_text

ENVIRONMENT = {"NUMBER": "1883", "WORD": "word", "YES": "true", "TIME": "90s", "BYTES": "8MB", "EMPTY": ""}

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$\x00"), max_size=12)
_NAMES = st.from_regex(r"[0-9a-zA-Z][-0-9a-zA-Z_]{0,8}", fullmatch=True)
_TIMES = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]


def sections(section: type[Section]) -> st.SearchStrategy[dict[str, Any]]:
    """Plain data of a section: required settings, and any of the others."""
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        (required if field.is_required() else optional)[keys_of(name, field)[0]] = _setting(field)
    return st.fixed_dictionaries(required, optional=optional)


def configs() -> st.SearchStrategy[dict[str, Any]]:
    """Plain data that may be a configuration; validation decides whether settings fit together."""
    return sections(Config)


def _setting(field: FieldInfo) -> st.SearchStrategy[Any]:
    said, kind = statement_of(field), kind_of(field)
    values = _values(field.annotation, field, kind)
    if type(None) in get_args(field.annotation):
        values |= st.none()
    if said is None or said.syntax or Secret in members(field.annotation):
        return values
    reference = {"duration": "TIME", "size": "BYTES"}.get(kind, {int: "NUMBER", bool: "YES"}.get(field.annotation, ""))
    if not reference and field.annotation is str and not field.metadata:
        reference = "WORD"
    return values | st.sampled_from([f"${{{reference}}}", f"${{{reference}:-x}}"]) if reference else values


def _values(annotation: Any, field: FieldInfo, kind: str) -> st.SearchStrategy[Any]:
    shapes = members(annotation)
    if len(shapes) > 1:
        return st.one_of(*(_values(each, field, "") for each in shapes))
    shape, origin = shapes[0], get_origin(shapes[0])
    if kind == "duration":
        return _durations(field)
    if kind == "size":
        return _sizes(field)
    if kind:
        return _special(kind)
    if isinstance(shape, type) and issubclass(shape, Section):
        tagged = {
            name: get_args(shape.model_fields[name].annotation)[0]
            for name in ("mode", "type")
            if name in shape.model_fields
        }
        literal = {
            name: value for name, value in tagged.items() if len(get_args(shape.model_fields[name].annotation)) == 1
        }
        return sections(shape).map(lambda found: found | literal)
    if origin is Literal:
        return st.sampled_from(get_args(shape))
    if origin is list:
        return st.lists(_inner(get_args(shape)[0]), min_size=1, max_size=3)
    if origin is dict:
        return st.dictionaries(_NAMES, _inner(get_args(shape)[1]), max_size=2)
    if shape is int:
        return _within(field, 1, 100_000).map(int)
    return {
        bool: st.booleans(),
        str: _TEXT.filter(bool) if field.metadata else _TEXT,
        Secret: _TEXT | st.sampled_from(["${S3_SECRET}", "${S3_SECRET:-sesame}", "file:///run/secrets/s3"]),
    }.get(shape, st.dictionaries(_TEXT, _TEXT | st.integers(0, 9), max_size=2))


def _inner(annotation: Any) -> st.SearchStrategy[Any]:
    field = FieldInfo.from_annotation(annotation)
    return _values(field.annotation, field, kind_of(field))


def _within(field: FieldInfo, low: float, high: float) -> st.SearchStrategy[float]:
    for each in field.metadata:
        low = max(low, getattr(each, "ge", low), getattr(each, "gt", low - 1) + 1)
        high = min(high, getattr(each, "le", high), getattr(each, "lt", high + 1) - 1)
    return st.integers(int(low), max(int(low), int(high)))


def _durations(field: FieldInfo) -> st.SearchStrategy[Any]:
    seconds = _within(field, 1, 3600)
    spelled = st.builds(lambda value, unit: f"{value / unit[1]:g}{unit[0]}", seconds, st.sampled_from(_TIMES[:3]))
    endless = st.just("infinity") if "infinity" in str(field.metadata) else st.nothing()
    return st.one_of(
        spelled.filter(lambda text: "e" not in text),
        seconds.map(lambda value: value * 1000),
        seconds.map(duration_text),
        endless,
    )


def _sizes(field: FieldInfo) -> st.SearchStrategy[Any]:
    size = _within(field, 1, 64 << 20)
    return size | size.map(str) | size.map(lambda value: f"{value} B") | st.sampled_from(["8MB", "8mb", "8192KB"])


def _special(kind: str) -> st.SearchStrategy[str]:
    return {
        "name": _NAMES,
        "host:port": st.integers(1, 65535).map(lambda port: f"127.0.0.1:{port}"),
        "bucket": st.from_regex(r"[a-z0-9][-a-z0-9]{1,20}[a-z0-9]", fullmatch=True),
        "topic filter": st.sampled_from(["t/#", "a/+/b", "$share/g/t", "#"]),
    }[kind]
