"""`tidegate doctor`: looks at the outside systems as the processes will use them, and says what would go wrong later.

mqtt, kafka and s3 each make a list of `Check`. They leave nothing behind except `_tidegate/probe`, which the worker makes too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `advice` says what to do, and is empty when there is nothing to do.

    skipped: nobody could look, and `found` says why. Only a bad check fails the command.
    """

    name: str
    state: Literal["ok", "warn", "bad", "skipped"]
    found: str
    expected: str = ""
    advice: str = ""

    def line(self) -> str:
        """For people."""
        more = [f"expected: {self.expected}"] if self.expected else []
        more += [f"do: {self.advice}"] if self.advice else []
        return f"{self.state:7} {self.name}: " + "; ".join([self.found, *more])
