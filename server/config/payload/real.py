"""The digits of a float by the verbs of a Go format (strconv.FormatFloat); its sign and padding: verbs.py."""

from __future__ import annotations

import math

from server.template.values import format_float

_ALL_DIGITS = 1100
"""No float has more digits before or behind its point; what is asked for beyond is zeros."""
_MANTISSA_BITS = 53
_LEAST_EXPONENT = -1074
_LEADING = 1 << 60
"""Where the leading bit of the mantissa stands while hexadecimal digits are taken."""


def digits_of(verb: str, value: float, precision: int) -> str:
    """Return the text of a finite value that is not negative.

    Args:
        verb: one of ``e E f g G b x X``.
        value: the value.
        precision: digits as the verb counts them, -1: the fewest that read back.
    """
    if verb == "b":
        return _binary(value)
    if verb in "xX":
        digits = _hexadecimal(value, precision)
        return digits if verb == "x" else digits.upper()
    if verb in "gG":
        shown = format_float(value) if precision < 0 else f"{value:.{min(precision, _ALL_DIGITS) or 1}g}"
        return shown.upper() if verb == "G" else shown
    mantissa, exponent, power = f"{value:.{min(precision, _ALL_DIGITS)}{verb}}".partition("e" if verb == "e" else "E")
    return mantissa + "0" * (precision - _ALL_DIGITS) + exponent + power


def with_point(verb: str, digits: str, precision: int) -> str:
    """Return the digits with a point, and with the zeros that ``g`` leaves out (the flag ``#``)."""
    if verb == "b":
        return digits
    wanted = (6 if precision < 0 else precision) if verb in "gGx" else 0
    ends = "pP" if verb in "xX" else "eE"
    at = next((place for place, character in enumerate(digits) if character in ends), len(digits))
    number, tail = digits[:at], digits[at:]
    significant = number.replace(".", "").lstrip("0")  # the x of 0x1.8 counts, as in the original
    wanted -= len(significant)
    if "." not in number:
        wanted -= number == "0"
        number += "."
    return number + "0" * wanted + tail


def _binary(value: float) -> str:
    mantissa, exponent = math.frexp(value)
    power = max(exponent - _MANTISSA_BITS, _LEAST_EXPONENT) if value else _LEAST_EXPONENT
    return f"{int(math.ldexp(mantissa, exponent - power))}p{power:+d}"


def _hexadecimal(value: float, precision: int) -> str:
    fraction, exponent = math.frexp(value)
    mantissa, power = int(math.ldexp(fraction, 61)), exponent - 1 if value else 0
    if 0 <= precision < 15:
        bits = 60 - 4 * precision
        kept, rest, half = mantissa >> bits, mantissa & ((1 << bits) - 1), 1 << (bits - 1)
        kept += rest > half or (rest == half and kept & 1 == 1)
        mantissa = kept << bits
        if mantissa >= _LEADING << 1:
            mantissa, power = mantissa >> 1, power + 1
    first, digits = mantissa >> 60, f"{mantissa & (_LEADING - 1):015x}"
    digits = digits.rstrip("0") if precision < 0 else digits[:precision].ljust(precision, "0")
    return f"0x{first}{'.' if digits else ''}{digits}p{'-' if power < 0 else '+'}{abs(power):02d}"
