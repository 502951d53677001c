"""Compiles an action of the configuration into one frozen value with everything that decides which bytes get which key.

    compiled.py    the compiled action, now or under an older version
    folders.py     folders of aggregated actions, which rows of direct actions must not enter
    headers.py     the headers of its objects
    origins.py     the columns of a message from which a field of a row was made
    problems.py    the problems of all rules and actions of a configuration
    warnings.py    settings that work, but hardly as intended; source_warnings.py: the same for sources alone

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
    mark_of,
    node_of,
    schemas_of,
    statements_of,
    topic_names_of,
)
from pipeline.action.problems import problems
from pipeline.action.warnings import warnings

__all__ = [
    "AggregatedAction",
    "CompiledAction",
    "DirectAction",
    "RenderedObject",
    "TopicNames",
    "compile_action",
    "mark_of",
    "node_of",
    "problems",
    "schemas_of",
    "statements_of",
    "topic_names_of",
    "warnings",
]
