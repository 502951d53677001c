"""What Tidegate has in C: `unpack` of _records.c, which reads the records of a Kafka record batch.

It is built where a C compiler is, and everything works without it: None stands for it then. It is not used if the environment
variable TIDEGATE_NATIVE is 0, so that a fault can be looked for without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

VARIABLE: Final = "TIDEGATE_NATIVE"

unpack: Callable[..., tuple[int, int, int, bool]] | None = None
why: str = ""  # why there is no `unpack`

try:
    from pipeline.native import _records
except ImportError:
    why = "it was installed without a C compiler"
else:
    if os.environ.get(VARIABLE) == "0":
        why = f"{VARIABLE} is 0"
    else:
        unpack = _records.unpack
