"""What all tests of the house need."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    """No collection while a file is parsed.

    A collection runs finalizers of earlier tests, and another thread may then parse, too. Python 3.11's `ast` counts its depth
    for all of them together, and raises SystemError: see https://github.com/python/cpython/issues/106905.
    """
    gc.disable()
    yield
    gc.enable()
