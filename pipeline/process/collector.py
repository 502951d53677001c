"""Makes Python's garbage collector run seldom in our processes.

With its defaults it looks for cycles after every 700 new objects that stay alive. Everything that a command loads stays alive,
so these searches took a tenth of its start. Later, a batch has a hundred thousand objects and none of them is in a cycle, but
the searches took half of a worker's time.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (100_000, 50, 100)


def slow_down() -> None:
    """Set the thresholds of this process. A second call changes nothing."""
    gc.set_threshold(*THRESHOLDS)
