"""What is in C is used where it was built, unless it is switched off; `doctor` says which it is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import native
from pipeline.doctor.installation import check

READER: Any = object()


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    monkeypatch.undo()
    importlib.reload(native)


def loaded(monkeypatch: pytest.MonkeyPatch, built: object) -> None:
    """Load the module again, on a machine where the library was built, or was not (None)."""
    monkeypatch.setitem(sys.modules, "pipeline.native._records", built)
    monkeypatch.delattr(native, "_records", raising=False)
    importlib.reload(native)


def test_what_was_built_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting."""
    monkeypatch.delenv(native.VARIABLE, raising=False)

    loaded(monkeypatch, SimpleNamespace(unpack=READER))

    assert native.unpack is READER
    assert check().line() == "ok      native: a worker reads records in C"


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment, to look for a fault without it."""
    monkeypatch.setenv(native.VARIABLE, "0")

    loaded(monkeypatch, SimpleNamespace(unpack=READER))

    assert native.unpack is None
    assert "a worker reads records without C: TIDEGATE_NATIVE is 0" in check().line()


def test_nothing_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a compiler has everything else."""
    monkeypatch.delenv(native.VARIABLE, raising=False)

    loaded(monkeypatch, None)

    assert native.unpack is None
    assert check().state == "ok"
    assert "it was installed without a C compiler" in check().found
