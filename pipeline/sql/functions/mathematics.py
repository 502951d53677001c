"""Numbers: division as functions, rounding, powers, logarithms and trigonometry.

Results are always finite. An operation with another result raises.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.sql.functions.registry import function
from pipeline.sql.runtime import operators
from pipeline.sql.runtime.ordering import equal
from pipeline.sql.runtime.values import BadValueError


@function("div(a: integer, b: integer) -> integer", example=("div(-7, 2)", "-3"))
def div(a: int, b: int) -> int:
    """The quotient of integers, rounded toward zero. Raises for a divisor of 0."""
    return operators.quotient(a, b)


@function("mod(a: integer, b: integer) -> integer", example=("mod(-7, 2)", "-1"))
def mod(a: int, b: int) -> int:
    """The remainder of the integer division, with the sign of the dividend. Raises for a divisor of 0."""
    return operators.remainder(a, b)


@function("eq(a: any, b: any) -> boolean", example=("eq(1, 1.0)", "true"))
def eq(a: Any, b: Any) -> bool:
    """Whether two values are equal. Text is not converted to numbers: `eq(1, '1')` is false."""
    return equal(a, b)


@function("abs(x: integer) -> integer", example=("abs(-12)", "12"))
def abs_(x: int) -> int:
    """The absolute value of an integer. Raises for a float."""
    return abs(x)


@function("ceil(x: number) -> integer", example=("ceil(1.2)", "2"))
def ceil(x: float) -> int:
    """The smallest integer that is not below the number."""
    return math.ceil(x)


@function("floor(x: number) -> integer", example=("floor(-3.2)", "-4"))
def floor(x: float) -> int:
    """The largest integer that is not above the number."""
    return math.floor(x)


@function("round(x: number) -> integer", example=("round(-4.5)", "-5"))
def round_(x: float) -> int:
    """The nearest integer. A half is rounded away from zero."""
    if type(x) is int:
        return x
    size = abs(x)
    whole = math.floor(size)
    whole += size - whole >= 0.5
    return whole if x > 0 else -whole


@function("sqrt(x: number) -> float", example=("sqrt(9)", "3.0"))
def sqrt(x: float) -> float:
    """The square root. Raises for a negative number."""
    return _evaluated(math.sqrt, x)


@function("power(x: number, y: number) -> float", example=("power(2, 3)", "8.0"))
def power(x: float, y: float) -> float:
    """`x` to the power of `y`. Raises if the result is not a finite real number."""
    return _evaluated(math.pow, x, y)


@function("exp(x: number) -> float", example=("exp(0)", "1.0"))
def exp(x: float) -> float:
    """e to the power of `x`. Raises beyond the range of a float."""
    return _evaluated(math.exp, x)


@function("log(x: number) -> float", example=("log(1)", "0.0"))
def log(x: float) -> float:
    """The natural logarithm. Raises for 0 and below."""
    return _evaluated(math.log, x)


@function("log10(x: number) -> float", example=("log10(1000)", "3.0"))
def log10(x: float) -> float:
    """The logarithm to base 10. Raises for 0 and below."""
    return _evaluated(math.log10, x)


@function("log2(x: number) -> float", example=("log2(8)", "3.0"))
def log2(x: float) -> float:
    """The logarithm to base 2. Raises for 0 and below."""
    return _evaluated(math.log2, x)


@function("fmod(x: number, y: number) -> float", example=("fmod(-7, 3)", "-1.0"))
def fmod(x: float, y: float) -> float:
    """The remainder of a division of floats, with the sign of the dividend. Raises for a divisor of 0."""
    return _evaluated(math.fmod, x, y)


def _evaluated(function_: Any, *arguments: float) -> float:
    try:
        return float(function_(*map(float, arguments)))  # an integer beyond the range of a float is refused, as in EMQX
    except (ValueError, OverflowError):
        shown = ", ".join(map(str, arguments))
        raise BadValueError(f"{function_.__name__}({shown}) is not a finite real number") from None


_TRIGONOMETRY = (
    ("sin", "The sine of an angle in radians.", "0", "0.0"),
    ("cos", "The cosine of an angle in radians.", "0", "1.0"),
    ("tan", "The tangent of an angle in radians.", "0", "0.0"),
    ("asin", "The angle whose sine is x. Raises outside -1 to 1.", "0", "0.0"),
    ("acos", "The angle whose cosine is x. Raises outside -1 to 1.", "1", "0.0"),
    ("atan", "The angle whose tangent is x.", "0", "0.0"),
    ("sinh", "The hyperbolic sine. Raises beyond the range of a float.", "0", "0.0"),
    ("cosh", "The hyperbolic cosine. Raises beyond the range of a float.", "0", "1.0"),
    ("tanh", "The hyperbolic tangent.", "0", "0.0"),
    ("asinh", "The inverse hyperbolic sine.", "0", "0.0"),
    ("acosh", "The inverse hyperbolic cosine. Raises below 1.", "1", "0.0"),
    ("atanh", "The inverse hyperbolic tangent. Raises outside -1 to 1, both excluded.", "0", "0.0"),
)


def _declare_trigonometry(name: str, doc: str, argument: str, result: str) -> None:
    curve = getattr(math, name)

    def call(x: float) -> float:
        return _evaluated(curve, x)

    call.__doc__ = doc
    function(f"{name}(x: number) -> float", example=(f"{name}({argument})", result))(call)


for _row in _TRIGONOMETRY:
    _declare_trigonometry(*_row)
