"""Rules as the API has them: what it shows of one, and the filters of the list. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from pipeline.config import Config, Rule
from pipeline.config.dump import dump
from pipeline.control.objects import Snapshot
from pipeline.errors import ConfigError, TidegateError
from pipeline.sql import Context, compile_statement
from pipeline.sql.runtime.schemas import build
from pipeline.topics import matches
from pipeline.web.objects.forms import settings_of
from pipeline.web.objects.kinds import NAME

ID_BYTES: Final = 4


def new_id(given: Mapping[str, Any]) -> str:
    """The id of a new rule: the given one, or eight random hex digits. Raises ConfigError."""
    if "id" not in given:
        return secrets.token_hex(ID_BYTES)
    id = given["id"]
    if not isinstance(id, str) or not NAME.fullmatch(id):
        raise ConfigError(
            "expected a name of letters, digits, - and _ that begins with a letter or digit", where="root.id"
        )
    return id


def settings_of_rule(id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a body. `name` may only be empty or the id, since a rule has no other name. Raises ConfigError."""
    if body.get("name", "") not in ("", id):
        raise ConfigError(f"expected no name, or the id {id}: a rule has no other name", where="root.name")
    given = {key: value for key, value in body.items() if key != "actions"}
    actions = {"actions": body["actions"]} if "actions" in body else {}
    return settings_of(given, Rule) | actions


def rule_answer(snapshot: Snapshot, id: str, statuses: Mapping[str, str]) -> dict[str, Any]:
    """One rule. `statuses` are those of the actions, by id."""
    rule, stored = snapshot.config.rules[id], snapshot.objects.get(f"rule/{id}")
    return {
        "id": id,
        "name": id,
        **dump(rule, defaults=True, masked=True),
        "from": list(topics_of(snapshot.config, rule)),
        "action_details": [_detail(reference, statuses) for reference in rule.actions],
        "created_at": _time(stored.created if stored else 0),
        "last_modified_at": _time(stored.at if stored else 0),
    }


def _detail(reference: str, statuses: Mapping[str, str]) -> dict[str, str]:
    type_, _, name = reference.partition(":")
    return {"type": type_, "name": name, "status": statuses.get(reference, "not_found")}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def topics_of(config: Config, rule: Rule) -> Sequence[str]:
    """What the rule's FROM names."""
    return _topics(rule.sql, tuple(sorted((name, each.type, each.source) for name, each in config.schemas.items())))


@lru_cache(maxsize=2_000)
def _topics(sql: str, schemas: tuple[tuple[str, Any, str], ...]) -> tuple[str, ...]:
    try:
        context = Context(schemas={name: build(kind, source) for name, kind, source in schemas})
        return tuple(compile_statement(sql, context).topics)
    except TidegateError:
        return ()  # another program wrote it, and this one cannot read it


# --- Filters of the list

Test = Callable[[Config, str, Rule], bool]


def filtered(config: Config, ids: Iterable[str], asked: Mapping[str, Sequence[str]]) -> list[str]:
    """The rules that pass every filter that was asked for."""
    tests = [_TESTS[name](values) for name, values in asked.items() if name in _TESTS and values]
    return [id for id in ids if all(test(config, id, config.rules[id]) for test in tests)]


def _one(text: str) -> str:
    return text.casefold()


_TESTS: Final[Mapping[str, Callable[[Sequence[str]], Test]]] = {
    "enable": lambda values: lambda config, id, rule: rule.enable == (values[0] == "true"),
    "from": lambda values: lambda config, id, rule: values[0] in topics_of(config, rule),
    "like_id": lambda values: lambda config, id, rule: values[0] in id,
    "like_from": lambda values: lambda config, id, rule: any(values[0] in each for each in topics_of(config, rule)),
    "match_from": lambda values: (
        lambda config, id, rule: any(matches(values[0], each) or each == values[0] for each in topics_of(config, rule))
    ),
    "like_description": lambda values: lambda config, id, rule: _one(values[0]) in _one(rule.description),
    "action": lambda values: lambda config, id, rule: bool({*values} & {*rule.actions}),
    "source": lambda values: (
        lambda config, id, rule: bool({f"$sources/{each}" for each in values} & {*topics_of(config, rule)})
    ),
}
FILTERS: Final = frozenset(_TESTS)
