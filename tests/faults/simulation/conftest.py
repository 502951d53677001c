"""The simulation logs nothing, because thousands of stories would log every fault."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """Leave what the libraries have made by now out of each garbage collection: it takes a tenth of a story's time."""
    gc.collect()
    gc.freeze()
