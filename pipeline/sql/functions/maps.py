"""Maps: by dotted path (`map_get`, `map_put`) and by literal key (`mget`, `mput`). An empty list counts as an empty map."""

from __future__ import annotations

from typing import Any, Final

from pipeline.sql.functions.registry import as_map, function
from pipeline.sql.runtime.jsontext import NotJsonError, to_text
from pipeline.sql.runtime.paths import opened, put, read
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, float_text, refuse

REDIS_MARKER: Final = "map_to_redis_hset_args"


def _steps(path: Text) -> tuple[str, ...]:
    return tuple(path.split(".")) if type(path) is str else refuse("a path in valid UTF-8", path)


def _key(key: Any) -> Any:
    """A key as maps have it: a boolean, null or `undefined` is its word."""
    return to_text(key) if key is None or key is UNDEFINED or type(key) is bool else key


@function("map_new() -> map", example=("map_new()", "json_decode('{}')"))
def map_new() -> dict[str, Any]:
    """An empty map."""
    return {}


@function(
    "map_get(path: binary, m: any[, default: any]) -> any",
    examples=(("map_get('a.b', '{\"a\":{\"b\":1}}')", "1"), ("map_get('zz', map_new(), 'd')", "'d'")),
)
def map_get(path: Text, m: Any, default: Any = UNDEFINED) -> Any:
    """The value at a path of keys joined by dots, in a map or in JSON text. If it is missing, the default, or
    `undefined`. JSON's null is a value. Use `mget()` for keys that contain a dot.
    """
    found = read(m, _steps(path), UNDEFINED)
    return default if found is UNDEFINED else found


@function(
    "map_put(path: binary, value: any, m: any) -> map",
    example=("map_put('a.b', 2, map_new())", 'json_decode(\'{"a":{"b":2}}\')'),
)
def map_put(path: Text, value: Any, m: Any) -> dict[str, Any]:
    """The map with a value at a path of keys joined by dots. Missing levels are created, and values on the path that
    are not maps are replaced. `m` may be JSON text, which becomes a map.
    """
    return put(m, _steps(path), value, UNDEFINED)  # type: ignore[no-any-return]


@function(
    "mget(key: any, m: map[, default: any]) -> any",
    example=("mget('a.b', '{\"a.b\":5}')", "5"),
)
def mget(key: Any, m: dict[str, Any], default: Any = UNDEFINED) -> Any:
    """The value of exactly this key, in a map or in the text of a JSON object. If it is missing, the default, or
    `undefined`. A boolean, null or `undefined` as the key is its word.
    """
    key = _key(key)
    return m.get(key, default) if type(key) is str else default


@function(
    "mput(key: any, value: any, m: map) -> map",
    example=("mput('a.b', 2, '{\"c\":1}')", 'json_decode(\'{"c":1,"a.b":2}\')'),
)
def mput(key: Any, value: Any, m: dict[str, Any]) -> dict[str, Any]:
    """The map with a value under exactly this key. `m` may be the text of a JSON object. A boolean, null or `undefined`
    as the key is its word.
    """
    name = _key(key)
    return {**m, name if type(name) is str else refuse("a key in valid UTF-8", name): value}


@function("map_keys(m: map) -> list", example=('map_keys(\'{"b":1,"a":2}\')', "['a', 'b']"))
def map_keys(m: dict[str, Any]) -> list[str]:
    """The keys in ascending order."""
    return sorted(m)


@function("map_values(m: map) -> list", example=('map_values(\'{"b":1,"a":2}\')', "[2, 1]"))
def map_values(m: dict[str, Any]) -> list[Any]:
    """The values in the order of their keys."""
    return [m[key] for key in sorted(m)]


@function("map_size(m: map) -> integer", example=("map_size('{\"a\":1}')", "1"))
def map_size(m: dict[str, Any]) -> int:
    """The number of keys."""
    return len(m)


@function(
    "map_to_entries(m: map) -> list",
    example=("map_to_entries('{\"a\":1}')", 'json_decode(\'[{"key":"a","value":1}]\')'),
)
def map_to_entries(m: dict[str, Any]) -> list[dict[str, Any]]:
    """A list with a map of `key` and `value` for each key, in the order of the keys."""
    return [{"key": key, "value": m[key]} for key in sorted(m)]


@function(
    "map_to_redis_hset_args(m: any) -> list",
    example=("sublist(2, 2, map_to_redis_hset_args('{\"a\":1}'))", "['a', '1']"),
)
def map_to_redis_hset_args(m: Any) -> list[Text]:
    """A list for a Redis HSET command: a marker, then each field and its value, all as text. Values that are lists,
    maps or null are left out. Floats have up to six decimals. A value that is not a map gives only the marker.
    """
    try:
        pairs = as_map(opened(m))
    except (BadValueError, NotJsonError):
        return [REDIS_MARKER]
    arguments: list[Text] = []
    for key in sorted(pairs, reverse=True):
        value = pairs[key]
        if type(value) in (str, bytes, bool, int):
            arguments += [key, to_text(value)]
        elif type(value) is float:
            arguments += [key, float_text(value, 6, compact=True)]
    return [REDIS_MARKER, *arguments]
