"""Checks of the installation itself: whether a worker reads records in C."""

from __future__ import annotations

from pipeline import native
from pipeline.doctor import Check


def check() -> Check:
    """Never bad: without C, a worker does the same and takes more CPU."""
    if native.unpack is None:
        return Check("native", "ok", f"a worker reads records without C: {native.why}", "", "see docs/performance.md")
    return Check("native", "ok", "a worker reads records in C")
