"""Values that live as long as the process: the environment, and two tables of keys.

A replay of a rule that uses the tables may give other rows. Each table has a bound (runtime/tables.py).
"""

from __future__ import annotations

from typing import Any

from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.event import Context
from pipeline.sql.runtime.jsontext import to_text
from pipeline.sql.runtime.tables import VALUE_BYTES_MAX
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text


def _key(value: Any) -> tuple[str, Text]:
    text = to_text(value)
    if len(text) > VALUE_BYTES_MAX:
        raise BadValueError(f"a key of a table takes at most {VALUE_BYTES_MAX} bytes")
    return type(value).__name__, text


@function("getenv(name: binary) -> string", example=("getenv('MISSING')", "''"), reads="context")
def getenv(context: Context, name: Text) -> str:
    """The environment variable `EMQXVAR_<name>`, or '' if it is not set. The value is read once and then remembered.
    Rules cannot read other variables.
    """
    return context.variable(str(name))


@function("kv_store_put(key: any, value: any) -> boolean", example=("kv_store_put('k', 1)", "true"), reads="context")
def kv_store_put(context: Context, key: Any, value: Any) -> bool:
    """Stores a value under a key for all rules of this process. The value is lost when the process ends."""
    context.store.put(_key(key), value)
    return True


@function("kv_store_get(key: any[, default: any]) -> any", example=("kv_store_get('missing', 0)", "0"), reads="context")
def kv_store_get(context: Context, key: Any, default: Any = UNDEFINED) -> Any:
    """The value under a key. If it is missing, the default, or `undefined`."""
    return context.store.get(_key(key), default)


@function("kv_store_del(key: any) -> boolean", example=("kv_store_del('k')", "true"), reads="context")
def kv_store_del(context: Context, key: Any) -> bool:
    """Removes a key."""
    context.store.pop(_key(key))
    return True


@function(
    "proc_dict_put(key: any, value: any) -> any", example=("is_null(proc_dict_put('new', 1))", "true"), reads="context"
)
def proc_dict_put(context: Context, key: Any, value: Any) -> Any:
    """Stores a value under a key in a second table. Gives the previous value."""
    before = context.process.get(_key(key))
    context.process.put(_key(key), value)
    return before


@function("proc_dict_get(key: any) -> any", example=("is_null(proc_dict_get('missing'))", "true"), reads="context")
def proc_dict_get(context: Context, key: Any) -> Any:
    """The value under a key of the second table, or `undefined`."""
    return context.process.get(_key(key))


@function("proc_dict_del(key: any) -> any", example=("is_null(proc_dict_del('missing'))", "true"), reads="context")
def proc_dict_del(context: Context, key: Any) -> Any:
    """Removes a key of the second table. Gives the previous value."""
    return context.process.pop(_key(key))
