"""How often Python's cycle collector runs in our processes: seldom.

Its defaults look for cycles after every 700 objects that stay. All that a command loads stays, and to look through it again and
again is a tenth of its start. Later a batch is a hundred thousand objects, none of them in a cycle: half of a worker's time went
there.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (100_000, 50, 100)


def slow_down() -> None:
    """Set the thresholds of this process. To call it again changes nothing."""
    gc.set_threshold(*THRESHOLDS)
