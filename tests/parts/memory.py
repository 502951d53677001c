"""Tracing what Python allocates, in a process where tests with threads of libraries have run before."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def traced() -> Iterator[None]:
    """In the block, tracemalloc traces.

    `tracemalloc.stop()` of CPython 3.11 races with threads that call Python from C: the process ends by SIGSEGV. The clients of
    Kafka that an earlier test has left to the garbage collector have such threads, so they end first.
    """
    gc.collect()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
