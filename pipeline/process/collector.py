"""How often Python's garbage collector runs in our processes: not while they load, seldom while they run, not when they end.

With its defaults it looks for cycles after every 700 new objects that stay alive. What a command loads are some hundred thousand
objects that all stay alive, so these searches took a tenth of its start, and one of its thirds was the last one, when Python
ends. Later, a batch has a hundred thousand objects and none of them is in a cycle, but the searches took half of a worker's time.
"""

from __future__ import annotations

import atexit
import gc
from typing import Final

LOADING: Final = (400_000, 50, 100)  # more objects than any command loads
THRESHOLDS: Final = (100_000, 50, 100)


def loading() -> None:
    """To call before anything is loaded. What is alive when Python ends is not searched either: it goes with the process."""
    gc.set_threshold(*LOADING)
    atexit.register(gc.freeze)


def loaded() -> None:
    """To call when a process has loaded what it needs. The collector ignores all this from now on."""
    gc.freeze()
    slow_down()


def slow_down() -> None:
    """Set the thresholds of a process that runs. A second call changes nothing."""
    gc.set_threshold(*THRESHOLDS)
