"""The language as data: every case of the files beside this one, in one runner.

A case is a line of JSON; docs/rule-language.md describes its fields. Beyond those, a case here may say of an error
which
`kind` it is (`sql`: refused when the rule is made), `at` which line and column, and what its message `says`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SqlError
from pipeline.rule_trial import Outcome, read_cases, run_rule_case, run_template_case, summary
from pipeline.sql import compile_statement

HERE = Path(__file__).parent
FIELDS = {
    "id", "sql", "template", "context", "expect", "missing", "approx", "match", "env", "note", "kind", "at", "says",
}  # fmt: skip
CASES = [case for path in sorted(HERE.glob("*.jsonl")) for case in read_cases(path)]


def run(case: dict[str, Any]) -> Outcome:
    return run_template_case(case) if "template" in case else run_rule_case(case)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """A case gives its expected result, or its expected error with kind, place and words."""
    outcome = run(case)

    assert outcome.passed, summary([outcome])[0]
    if case.get("kind") == "sql" or "at" in case:
        with pytest.raises(SqlError) as raised:
            compile_statement(case["sql"])
        assert case.get("at", [raised.value.line, raised.value.column]) == [raised.value.line, raised.value.column]
    assert case.get("says", "") in outcome.error


def test_cases_are_well_formed() -> None:
    """Each case has its own id, something to run, something to expect, and no unknown field."""
    assert len({case["id"] for case in CASES}) == len(CASES)
    for case in CASES:
        assert set(case) <= FIELDS, case["id"]
        assert "expect" in case, case["id"]
        assert ("sql" in case) != ("template" in case), case["id"]
