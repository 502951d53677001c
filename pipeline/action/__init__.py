"""An action, compiled: from the configuration to one frozen value with everything that decides which bytes land under which key.

    compiled.py    what an action compiles to, and what it was compiled to under an older version
    headers.py     the headers of its objects
    problems.py    what is wrong with the rules and actions of a whole configuration

Worker, `tidegate check`, `rule test` and replay take that value. Nothing here opens a connection, reads a clock or waits.
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
