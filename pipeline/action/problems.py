"""What is wrong with the rules and actions of a configuration, all of it at once. Nothing is opened.

Each statement is compiled once. Only after an error its neighbours are compiled again, one by one, to find the next error.
"""

from __future__ import annotations

from pipeline.action.compiled import compile_rules, statements_of, with_rules
from pipeline.config import Config
from pipeline.errors import TidegateError


def problems(config: Config) -> list[TidegateError]:
    """Every problem of rules and actions, those of rules first. Also of rules and actions that are switched off."""
    compiled: set[str] = set()
    in_rules: dict[str, TidegateError] = {}  # by its text: schemas are the same for all rules
    in_actions: list[TidegateError] = []
    for name in config.actions.s3:
        try:
            rules = compile_rules(config, name, statements_of(config, name))
        except TidegateError as error:
            in_rules[str(error)] = error
            rules = compile_rules(config.model_copy(update={"schemas": {}}), name, {})
        compiled |= rules.statements.keys()
        try:
            with_rules(config, name, rules)
        except TidegateError as error:
            in_actions.append(error)
    for rule_id, rule in config.rules.items():
        if rule_id in compiled:
            continue
        try:
            compile_rules(config, "", {rule_id: rule.sql})
        except TidegateError as error:
            in_rules[str(error)] = error
    return [*in_rules.values(), *in_actions]
