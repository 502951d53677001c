"""How long to wait before the next try: full-jitter exponential back-off, as a pure sequence.

Waiting itself, and giving up, are the caller's: this project never gives up where waiting can help.
Source: "Exponential Backoff And Jitter", AWS Architecture Blog; the variant called full jitter spreads competing clients best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

BASE_SECONDS: Final = 0.1
CAP_SECONDS: Final = 20.0


def delays(
    chance: Callable[[], float], *, base_seconds: float = BASE_SECONDS, cap_seconds: float = CAP_SECONDS
) -> Iterator[float]:
    """Seconds to wait before each retry, without end. `chance` gives numbers in [0, 1)."""
    ceiling = base_seconds
    while True:
        yield chance() * ceiling
        ceiling = min(cap_seconds, ceiling * 2)
