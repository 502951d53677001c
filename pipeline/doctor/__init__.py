"""`tidegate doctor`: checks the outside systems as the processes will use them, and reports what would go wrong later.

mqtt, kafka and s3 each make a list of `Check`; installation makes one. They leave only `_tidegate/probe` behind, which the worker
creates too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `advice` says what to do, and is empty if nothing has to be done.

    skipped: the check was not possible, and `found` says why. Only a bad check makes the command fail.
    """

    name: str
    state: Literal["ok", "warn", "bad", "skipped"]
    found: str
    expected: str = ""
    advice: str = ""

    def line(self) -> str:
        """The check as a line for people."""
        more = [f"expected: {self.expected}"] if self.expected else []
        more += [f"do: {self.advice}"] if self.advice else []
        return f"{self.state:7} {self.name}: " + "; ".join([self.found, *more])
