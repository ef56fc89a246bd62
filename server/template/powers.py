"""Powers of floats with the last digits of Go, which multiplies squares; what C's library gives differs in them."""

from __future__ import annotations

import math


def raised(base: float, exponent: float) -> float:
    """Return ``base ** exponent``; NaN and infinities are results, nothing is an error."""
    if exponent == 0 or base == 1:
        return 1.0
    if exponent == 1:
        return base
    if math.isnan(base) or math.isnan(exponent):
        return math.nan
    if base == 0 or math.isinf(base) or math.isinf(exponent):
        return _at_the_ends(base, exponent)
    if abs(exponent) == _HALF:
        root = math.sqrt(base) if base >= 0 else math.nan
        return root if exponent > 0 else 1 / root
    fraction, whole = math.modf(abs(exponent))
    if fraction and base < 0:
        return math.nan
    if whole >= _INTEGERS:
        return 1.0 if base == -1 else 0.0 if (abs(base) < 1) == (exponent > 0) else math.inf
    return _multiplied(base, whole, fraction, exponent < 0)


_HALF = 0.5
_INTEGERS = 2.0**63
_EXACT = 2.0**53
"""From here on all floats are even."""
_TOO_LARGE = 1 << 12
"""Powers of two beyond all floats."""


def _at_the_ends(base: float, exponent: float) -> float:
    if math.isinf(exponent):
        return 1.0 if base == -1 else 0.0 if (abs(base) < 1) == (exponent > 0) else math.inf
    is_odd = abs(exponent) < _EXACT and exponent % 2 == 1
    size = math.inf if math.isinf(base) == (exponent > 0) else 0.0
    return math.copysign(size, base) if is_odd else size


def _multiplied(base: float, whole: float, fraction: float, inverse: bool) -> float:
    result, power = 1.0, 0
    if fraction:
        if fraction > _HALF:
            fraction, whole = fraction - 1, whole + 1
        result = math.exp(fraction * math.log(base))
    square, shift = math.frexp(base)
    remaining = int(whole)
    while remaining:
        if abs(shift) > _TOO_LARGE:
            power += shift
            break
        if remaining & 1:
            result *= square
            power += shift
        square *= square
        shift *= 2
        if square < _HALF:
            square += square
            shift -= 1
        remaining >>= 1
    if inverse:
        result, power = 1 / result, -power
    try:
        return math.ldexp(result, power)
    except OverflowError:
        return math.copysign(math.inf, result)
