"""All problems of the rules and actions of a configuration at once. Opens no connection.

Each statement is compiled once. Only after an error, the other statements are compiled again one by one to find further errors.
"""

from __future__ import annotations

from pipeline.action.compiled import compile_rules, statements_of, with_rules
from pipeline.config import Config
from pipeline.errors import TidegateError


def problems(config: Config) -> list[TidegateError]:
    """Every problem of schemas, rules and actions, in this order. Disabled rules and actions are checked too."""
    compiled: set[str] = set()
    in_rules: dict[str, TidegateError] = {}  # by the text of the error, because all rules have the same schemas
    in_actions: list[TidegateError] = []
    try:
        compile_rules(config, "", {})  # the schemas, also while nothing uses them
    except TidegateError as error:
        in_rules[str(error)] = error
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
