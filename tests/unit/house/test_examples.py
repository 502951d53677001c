"""The example configurations are valid: settings, rules and templates."""

from __future__ import annotations

from pathlib import Path

from pipeline.action import problems
from pipeline.demo.stack import EXAMPLE, Stack

ROOT = Path(__file__).parents[3]


def test_the_demo_can_be_run() -> None:
    """examples/demo.yaml with the demo's addresses passes every check, and the demo reads this file."""
    stack = Stack()
    try:
        found = problems(stack.config)
    finally:
        stack.close()

    assert not found
    assert EXAMPLE.resolve() == ROOT / "examples" / "demo.yaml"
