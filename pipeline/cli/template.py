"""`tidegate template test`: renders a template from a row before it is used. docs/rule-language.md describes a case."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Output, Vectors, group, only_one
from pipeline.errors import CommandError

if TYPE_CHECKING:
    from pipeline.rule_trial import Outcome

app = group("Try a template on a row before it is used.")


@app.command("test")
def try_template(
    template: Annotated[str | None, typer.Argument(help="Text of the template.", show_default=False)] = None,
    context: Annotated[str | None, typer.Option(help="The row as JSON, @FILE, or - for standard input.")] = None,
    vectors: Vectors = None,
    output: Output = "text",
) -> None:
    """Render a template from a row, or run a file of cases.

    Exit status 1 if anything failed.
    """
    from pipeline import rule_trial
    from pipeline.cli.trying import context_of, run_cases

    only_one({"--vectors": vectors, "a template": template})
    only_one({"--vectors": vectors, "--context": context})
    if vectors is not None:
        sys.exit(run_cases(rule_trial.run_template_vectors, vectors, output))
    if template is None:
        raise CommandError("expected a template, or --vectors FILE")
    case = {"id": "template", "template": template, "context": context_of(context)}
    sys.exit(_print_outcome(rule_trial.run_template_case(case), output))


def _print_outcome(outcome: Outcome, output: str) -> int:
    from pipeline.cli.trying import shown
    from pipeline.sql.runtime.values import octets

    if output == "jsonl":
        print(outcome.line())
    elif outcome.error:
        print(f"error: {outcome.error}")
    else:
        print(shown(octets(outcome.result)))
        for name in outcome.missing or ():
            print(f"missing: {name}")
    return 1 if outcome.error else 0
