"""Numbers as Go has them: what a text reads as, what a float becomes as an integer, arithmetic of 64 bits."""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?")
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX](?:_?[0-9a-fA-F][0-9a-fA-F_]*\.?[0-9a-fA-F_]*|\.[0-9a-fA-F][0-9a-fA-F_]*)[pP][+-]?[0-9][0-9_]*"
)
_WORDS = frozenset({"inf", "infinity", "nan"})
_BAD_UNDERSCORE = re.compile(r"__|_(?![0-9a-fA-F])|(?<![0-9a-fA-FxX])_")
_LEAST = -(1 << 63)


def to_float(text: str) -> float | None:
    """Return what ParseFloat reads; None for another text, and for one that is too great."""
    if not text.isascii():
        return None
    if _DECIMAL.fullmatch(text) and not _BAD_UNDERSCORE.search(text):
        value = float(text.replace("_", ""))
        return value if math.isfinite(value) else None
    if text.lstrip("+-").lower() in _WORDS and not text.startswith(("++", "--", "+-", "-+")):
        return float(text)
    if _HEXADECIMAL.fullmatch(text) and not _BAD_UNDERSCORE.search(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except (OverflowError, ValueError):
            return None
    return None


def truncate(value: float) -> int:
    """Return a float as an integer of 64 bits; what has no such integer becomes the least one, as on amd64."""
    if not math.isfinite(value) or not -(2.0**63) <= value < 2.0**63:
        return _LEAST
    return int(value)


def wrap(value: int) -> int:
    """Return the value as a signed integer of 64 bits."""
    return (value - _LEAST) % (1 << 64) + _LEAST


def quotient(left: int, right: int) -> int:
    """Divide towards zero; the caller has refused zero."""
    whole = abs(left) // abs(right)
    return wrap(whole if (left < 0) == (right < 0) else -whole)


def remainder(left: int, right: int) -> int:
    """Return what is left of a division towards zero; the caller has refused zero."""
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def divide(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def power(base: float, exponent: float) -> float:
    """Return a power, by repeated squaring of the mantissa as Go does it, so that all digits are the same."""
    try:
        rough = math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        if base == 0:  # to a negative exponent
            return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf
        return math.nan
    plain = math.isfinite(rough) and rough != 0 and math.isfinite(base) and abs(exponent) < _GREAT_EXPONENT
    return _by_squaring(base, exponent) if plain and abs(exponent) not in (0.0, 0.5, 1.0) else rough


_GREAT_EXPONENT = 2.0**40
"""From here on only bases next to 1 have a power that is a number."""


def _by_squaring(base: float, exponent: float) -> float:
    fraction, whole = math.modf(abs(exponent))
    if fraction > 0.5:
        fraction, whole = fraction - 1, whole + 1
    mantissa = math.exp(fraction * math.log(base)) if fraction else 1.0
    scale = 0
    square, square_scale = math.frexp(base)
    bits = int(whole)
    while bits:
        if bits & 1:
            mantissa *= square
            scale += square_scale
        square *= square
        square_scale *= 2
        if square < 0.5:
            square, square_scale = square * 2, square_scale - 1
        bits >>= 1
    try:
        return math.ldexp(1 / mantissa, -scale) if exponent < 0 else math.ldexp(mantissa, scale)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def fixed(value: float, decimals: int) -> str:
    """Return a float with a fixed number of decimals."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.{decimals}f}"
