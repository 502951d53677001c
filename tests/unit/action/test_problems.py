"""A check reports all problems of rules and actions at once, each with its place, and compiles good statements once."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.action import compile_action, problems
from pipeline.config import Config
from pipeline.rule import rule_set
from pipeline.sql import compile_statement

GOOD = 'SELECT clientid FROM "t/#"'


def config(rules: dict[str, Any], actions: dict[str, Any] | None = None, **others: Any) -> Config:
    found = actions or {"a": {"bucket": "sink", "key": "k"}}
    return Config.model_validate(
        {
            "pipeline": "p",
            "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
            "connectors": {"s3": {"store": {"host": "127.0.0.1"}}},
            "actions": {"s3": {name: {"connector": "store", "parameters": each} for name, each in found.items()}},
            "rules": rules,
            **others,
        }
    )


def said(found: Config) -> list[str]:
    return [str(problem).partition(":")[0] for problem in problems(found)]


def test_every_problem_is_found_and_none_twice() -> None:
    """A check finds the problems of all rules, also of disabled ones, and of the templates of actions with wrong rules."""
    both = ["s3:a", "s3:b"]
    found = config(
        {
            "first": {"sql": "SELECT", "actions": both},
            "second": {"sql": "SELECT nothing FROM", "actions": both},
            "good": {"sql": GOOD, "actions": both},
            "off": {"sql": "SELECT off", "actions": both, "enable": False},
            "loose": {"sql": "no statement"},
        },
        {
            "a": {"bucket": "sink", "key": "${a | nosuch}"},
            "b": {"mode": "aggregated", "bucket": "sink", "key": "${datetime.century}"},
        },
    )

    wrong = said(found)
    assert wrong[:4] == ["rules.first.sql", "rules.second.sql", "rules.off.sql", "rules.loose.sql"]
    assert wrong[4:] == ["actions.s3.a.parameters.key", "actions.s3.b.parameters.key"]


def test_a_schema_is_named_once_however_many_rules_there_are() -> None:
    """A wrong schema is one problem for all rules."""
    rules = {name: {"sql": GOOD, "actions": ["s3:a"]} for name in ("one", "two")}

    schemas = {"s": {"type": "avro", "source": "{"}}
    assert said(config(rules, schemas=schemas)) == said(config({}, schemas=schemas)) == ["schemas.s.source"]


def test_good_statements_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check and a worker compile each statement once for each action that it feeds."""
    compiled: list[str] = []

    def counted(text: str, *rest: Any) -> Any:
        compiled.append(text)
        return compile_statement(text, *rest)

    monkeypatch.setattr(rule_set, "compile_statement", counted)
    statements = [f'SELECT {n} AS n FROM "t/#"' for n in range(4)]
    aggregated = {"mode": "aggregated", "bucket": "sink", "key": "k"}
    rules = {f"r{n}": {"sql": sql, "actions": ["s3:a"] if n < 3 else []} for n, sql in enumerate(statements)}
    found = config(rules, {"a": aggregated})

    assert not problems(found)
    assert sorted(compiled) == statements
    compiled.clear()
    compile_action(found, "a")
    assert compiled == statements[:3]


def test_a_header_that_cannot_be_sent_is_the_action_s_problem() -> None:
    """A check reports a header that cannot be sent, in both modes."""
    for mode in ("direct", "aggregated"):
        wrong = {"mode": mode, "bucket": "sink", "key": "k", "metadata": {"a b": "c"}}
        assert said(config({}, {"a": wrong})) == ["actions.s3.a.parameters"]


def test_a_schema_is_checked_while_nothing_uses_it() -> None:
    """Without a rule and without an action, too."""
    found = config({}, schemas={"bad": {"type": "json", "source": "{"}})
    alone = found.model_copy(update={"actions": found.actions.model_copy(update={"s3": {}})})

    assert said(alone) == said(found) == ["schemas.bad.source"]
