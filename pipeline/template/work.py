"""The limits of rendering one template: its steps, its output, and the size of the values that it builds.

A device chooses the lengths of lists that a template loops over, and of texts that it joins. So every growing value is
counted while it is made, and refused before it is too large. A text is read as JSON only once.

This file does not know Jinja or rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

from pipeline.sql.runtime.jsontext import NotJsonError, from_json
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, bounded_integer

# Characters of a result, and size of any text or list on the way to it.
RESULT_CHARACTERS_MAX: Final = 16_777_216
# Characters of all outputs together. The outputs of a block that is used later count twice.
WRITTEN_CHARACTERS_MAX: Final = 4 * RESULT_CHARACTERS_MAX
# Steps. Each takes half a microsecond or less.
STEPS_MAX: Final = 2_000_000
INTEGER_BITS_MAX: Final = 4096
# Characters that are read in one step.
CHARACTERS_A_STEP: Final = 16
# Characters of lists and maps that are written in one step.
CHARACTERS_WRITTEN_A_STEP: Final = 2


class Work:
    """What rendering a template has cost so far, and which values it missed."""

    __slots__ = ("_decoded", "_missing", "_missing_text", "_weights", "steps", "written")

    def __init__(self, missing: list[str] | None = None, missing_text: str = "undefined") -> None:
        self._missing = [] if missing is None else missing
        self._missing_text = missing_text
        self.steps = 0
        self.written = 0
        self._decoded: dict[
            int, tuple[Any, Any]
        ] = {}  # by the text's identity: the text, so that it stays alive, and its value
        self._weights: dict[int, tuple[Any, int]] = {}

    def note(self, name: str) -> str:
        """Note a missing value. Returns the text that stands for it."""
        self._missing.append(name)
        return self._missing_text

    def spend(self, steps: int) -> None:
        """Count steps. Raises BadValueError beyond STEPS_MAX."""
        self.steps += steps
        if self.steps > STEPS_MAX:
            raise BadValueError(f"it needs more than {STEPS_MAX} steps")

    def write(self, characters: int) -> None:
        """Count output. Raises BadValueError beyond the limit of a template."""
        self.written += characters
        if self.written > WRITTEN_CHARACTERS_MAX:
            raise too_long(self.written)

    def look_at(self, value: Any) -> None:
        """Count the steps of going through a value once."""
        self.spend(1 + self.weight(value) // CHARACTERS_A_STEP)

    def write_out(self, value: Any) -> None:
        """Count the steps of writing a list or a map out as JSON, which takes longer than reading it."""
        self.spend(1 + self.weight(value) // CHARACTERS_WRITTEN_A_STEP)

    def decoded(self, text: Any) -> Any:
        """A text as the JSON that it holds; `undefined` if it holds none. Each text is read once."""
        known = self._decoded.get(id(text))
        if known is not None:
            return known[1]
        self.spend(1 + len(text) // CHARACTERS_A_STEP)
        try:
            value = from_json(text)
        except (
            NotJsonError,
            UnicodeEncodeError,
        ):  # the latter: bytes that are not UTF-8, which Jinja has as surrogates
            value = UNDEFINED
        self._decoded[id(text)] = text, value
        return value

    def weight(self, value: Any) -> int:
        """How long a value is when it is written out, roughly. A list or a map is gone through once."""
        if isinstance(value, str | bytes):
            return len(value)
        if type(value) is int:
            return value.bit_length() // 3
        if not isinstance(value, list | tuple | dict):
            return 1
        known = self._weights.get(id(value))
        if known is not None:
            return known[1]
        self.spend(1 + len(value))
        parts: Iterable[Any] = (
            value if not isinstance(value, dict) else (part for pair in value.items() for part in pair)
        )
        weight = 2 + sum(self.weight(part) + 1 for part in parts)
        self._weights[id(value)] = value, weight
        return weight

    def bounded(self, value: Any) -> Any:
        """A value that a template built, unless it is too large."""
        weight = self.weight(value)
        if weight > RESULT_CHARACTERS_MAX:
            raise too_long(weight)
        return value

    def added(self, left: Any, right: Any) -> None:
        """Two texts or lists will be joined."""
        weight = self.weight(left) + self.weight(right)
        if weight > RESULT_CHARACTERS_MAX:
            raise too_long(weight)
        if not isinstance(left, int | float):
            self.spend(1 + weight // CHARACTERS_A_STEP)


_current: Final[ContextVar[Work]] = ContextVar("template_work")
current: Final = _current.get
begin: Final = _current.set


def too_long(found: int) -> BadValueError:
    """The error for what would be too long; `found` is how long it is so far."""
    return BadValueError(f"it makes text or lists of {found} characters, expected at most {RESULT_CHARACTERS_MAX}")


def bounded_number(value: Any) -> Any:
    """The result of arithmetic, unless it is an integer that is too large."""
    if type(value) is int and value.bit_length() > INTEGER_BITS_MAX:
        raise BadValueError(f"it makes an integer of {value.bit_length()} bits, expected at most {INTEGER_BITS_MAX}")
    return bounded_integer(value) if type(value) is int else value
