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
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        if base == 0:  # to a negative exponent
            return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf
        return math.nan


def fixed(value: float, decimals: int) -> str:
    """Return a float with a fixed number of decimals."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.{decimals}f}"
