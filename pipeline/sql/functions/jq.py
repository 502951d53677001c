"""jq programs, in a child process with a time limit.

A jq program can run without end, and can read files and the environment. So it never runs in this process: `sandbox`
owns a child process without files and environment, and ends it after the time limit.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.event import DEFAULT_CONTEXT, Context
from pipeline.sql.runtime.jsontext import from_json, to_json
from pipeline.sql.runtime.values import Text, TimeOverError, octets, refuse

TIME_LIMIT_MS: Final = 1_000
TIME_LIMIT_MS_MAX: Final = 10_000


def _judged(program: Text) -> None:
    """Raises BadValueError if a program cannot be compiled. Without a document nothing of it runs."""
    with suppress(TimeOverError):  # on a busy machine; nothing is known then
        DEFAULT_CONTEXT.sandbox.run_jq(octets(program), b"", TIME_LIMIT_MS / 1000)


def _is_positive(timeout_ms: int) -> None:
    if timeout_ms <= 0:
        refuse("a time limit of at least 1 ms", timeout_ms)


@function(
    "jq(program: binary, json: any[, timeout_ms: integer]) -> list",
    examples=(("jq('.a+1', '{\"a\":5}')", "[6]"), ("jq('.[]', payload.list)", "[1, 2, 300]")),
    reads="context",
    unpacks=True,
    seconds_max=TIME_LIMIT_MS_MAX / 1000,
    judges={"program": _judged, "timeout_ms": _is_positive},
)
def jq(context: Context, program: Text, json: Any, timeout_ms: int = TIME_LIMIT_MS) -> list[Any]:
    """All outputs of a jq program on JSON text, or on any other value. Raises for a bad program, for text that is not
    JSON, for an error inside the program, and after the time limit. The limit is 1 second, or `timeout_ms` up to 10
    seconds.
    """
    _is_positive(timeout_ms)
    if type(json) is str or type(json) is bytes:
        from_json(json)
        document = octets(json)
    else:
        document = to_json(json)
    answer = context.sandbox.run_jq(octets(program), document, min(timeout_ms, TIME_LIMIT_MS_MAX) / 1000)
    return from_json(answer)  # type: ignore[no-any-return]
