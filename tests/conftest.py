"""What all tests share: the outside systems (tests/parts), how to wait, and the name of a test whose process died."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

from pipeline import hidden

# A busy machine may take a second for what it does in a millisecond; pytest's own limit ends a test that does not end.
settings.register_profile("patient", deadline=None)
settings.register_profile("long", deadline=None, max_examples=20_000)  # .ci/run sanitize
settings.load_profile("patient")
pytest_plugins = [
    "tests.parts.waiting",  # others import it, and pytest rewrites the asserts of what is not imported yet
    "tests.parts.fixtures",
    "tests.parts.deaths",
    "tests.parts.turns",
    "tests.parts.ports",
]


def pytest_collection_finish() -> None:
    """Leave the tests themselves, some ten thousand objects with all that they hold, out of each garbage collection to come."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _secrets_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that a test made up is hidden in that test only: it may be a word that another test looks for."""
    monkeypatch.setattr(hidden, "_secrets", dict(hidden._secrets))
