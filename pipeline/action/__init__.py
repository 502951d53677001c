"""Compiles an action of the configuration into one frozen value with everything that decides which bytes get which key.

    compiled.py    the compiled action, now or under an older version
    headers.py     the headers of its objects
    problems.py    the problems of all rules and actions of a configuration

The worker, `tidegate check`, `rule test` and replay use this value. Nothing here opens a connection, reads a clock or
waits.
"""

from pipeline.action.compiled import (
    AggregatedAction,
    CompiledAction,
    DirectAction,
    RenderedObject,
    TopicNames,
    compile_action,
    schemas_of,
    statements_of,
    topic_names_of,
)
from pipeline.action.problems import problems

__all__ = [
    "AggregatedAction",
    "CompiledAction",
    "DirectAction",
    "RenderedObject",
    "TopicNames",
    "compile_action",
    "problems",
    "schemas_of",
    "statements_of",
    "topic_names_of",
]
