"""``stringformat``: a Go format applied to one value (the verbs that its values have)."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from server.config.payload.budget import Budget
from server.config.payload.numbers import fixed
from server.config.payload.values import Byte, kind, text
from server.template.gojson import dumps
from server.template.values import format_float

_VERB = re.compile(r"%([-+# 0]*)([0-9]*)(?:(\.)([0-9]*))?(.?)", re.DOTALL)
_MAX_WIDTH = 1_000_000


def sprintf(form: str, value: object, budget: Budget) -> str:
    """Return the format with the value in place of its first verb; what does not fit is told in the text, as in Go."""
    parts: list[str] = []
    at = 0
    used = False
    for match in _VERB.finditer(form):
        parts.append(form[at : match.start()])
        at = match.end()
        flags, width, point, precision, verb = match.groups()
        if not verb:
            parts.append("%!(NOVERB)")
        elif verb == "%":
            parts.append("%")
        elif used:
            parts.append(f"%!{verb}(MISSING)")
        else:
            used = True
            size = (int(width) if width else 0, (int(precision or 0) if point else -1))
            if max(size) > _MAX_WIDTH:
                parts.append("%!(BADWIDTH)" if size[0] > _MAX_WIDTH else "%!(BADPREC)")
                size = (min(size[0], 0), -1)
            budget.reserve(max(size))
            parts.append(_one(verb, flags, size[0], size[1], value))
    parts.append(form[at:])
    if not used:
        parts.append(f"%!(EXTRA {_described(value)})")
    return "".join(parts)


def _described(value: object) -> str:
    return "<nil>" if value is None else f"{_type(value)}={_plain(value)}"


def _type(value: object) -> str:
    return kind(value)


def _plain(value: object) -> str:
    """Return Go's ``%v`` of a value."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _general(value)
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_plain(item) for item in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_plain(value[key])}' for key in sorted(value))}]"
    return text(value)


def _general(value: float) -> str:
    """Return ``%v`` of a float: scientific from 21 digits on."""
    if not math.isfinite(value) or value == 0:
        return format_float(value)
    shortest = Decimal(repr(value)).normalize()
    power = len(shortest.as_tuple().digits) - 1 + int(shortest.as_tuple().exponent)
    return format(shortest, "f") if -4 <= power < 21 else format_float(value)


def _one(verb: str, flags: str, width: int, precision: int, value: object) -> str:
    shown = _converted(verb, flags, precision, value)
    if shown is None:
        return f"%!{verb}({_described(value)})"
    if width <= len(shown):
        return shown
    if "-" in flags:
        return shown.ljust(width)
    if (
        "0" in flags
        and (precision < 0 or isinstance(value, float))
        and not (isinstance(value, float) and not math.isfinite(value))
    ):
        sign = shown[:1] if shown[:1] in ("+", "-", " ") and isinstance(value, (int, float)) else ""
        return sign + shown[len(sign) :].rjust(width - len(sign), "0")
    return shown.rjust(width)


def _converted(verb: str, flags: str, precision: int, value: object) -> str | None:
    """Return the value as the verb says it, None if it cannot."""
    if verb == "T":
        return "<nil>" if value is None else _type(value)
    if verb == "v":
        return _plain(value) if not isinstance(value, str) or precision < 0 else str(value)[:precision]
    if isinstance(value, bool):
        return _plain(value) if verb == "t" else None
    if isinstance(value, str):
        return _string(verb, flags, precision, str(value))
    if isinstance(value, int):
        return _integer(verb, flags, precision, value)
    if isinstance(value, float):
        return _float(verb, flags, precision, value)
    return None


def _string(verb: str, flags: str, precision: int, value: str) -> str | None:
    cut = value if precision < 0 else value[:precision]
    if verb == "s":
        return cut
    if verb == "q":
        return dumps(cut, escape_html=False)
    if verb in ("x", "X"):
        data = value.encode("utf-8", "surrogateescape")
        shown = (data if precision < 0 else data[:precision]).hex(*((" ",) if " " in flags and data else ()))
        return shown if verb == "x" else shown.upper()
    return None


def _integer(verb: str, flags: str, precision: int, value: int) -> str | None:
    number = int(value)
    if verb == "c":
        return chr(number) if 0 <= number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
    if verb == "U":
        return f"U+{number:04X}" if number >= 0 else None
    if verb not in _BASES:
        return None
    digits = format(abs(number), _BASES[verb]).rjust(max(precision, 0), "0")
    if "#" in flags and verb in _PREFIXES:
        digits = _PREFIXES[verb] + digits
    sign = "-" if number < 0 else "+" if "+" in flags else " " if " " in flags and not isinstance(value, Byte) else ""
    return sign + digits


_BASES = {"d": "d", "x": "x", "X": "X", "o": "o", "O": "o", "b": "b"}
_PREFIXES = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}


def _float(verb: str, flags: str, precision: int, value: float) -> str | None:
    if verb not in "eEfFgG":
        return None
    if not math.isfinite(value) or verb in "fF":
        shown = fixed(value, 6 if precision < 0 else precision).lstrip("+")
    elif verb in "gG" and precision < 0:
        shown = _general(value)
    else:
        shown = f"{value:.{6 if precision < 0 else precision}{verb}}"
    if verb in "EG":
        shown = shown.upper() if math.isfinite(value) else shown
    sign = "" if shown.startswith("-") else "+" if "+" in flags or value == math.inf else " " if " " in flags else ""
    return sign + shown
