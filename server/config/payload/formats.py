"""``stringformat``: a Go format applied to one value, with what Go says where the two do not fit.

Left out, as errors: ``*`` and ``[1]``, Go syntax (``%#v``), hexadecimal and binary floats, addresses of functions.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from server.config.payload.budget import Budget
from server.config.payload.characters import to_bytes
from server.config.payload.errors import PayloadError
from server.config.payload.numbers import fixed
from server.config.payload.values import kind
from server.template.values import format_float

_VERB = re.compile(r"%([-+# 0]*)([0-9]*)(?:(\.)([0-9]*))?(.?)", re.DOTALL)
_MAX_WIDTH = 100_000


@dataclass(frozen=True, slots=True)
class _Form:
    """One verb with its flags."""

    verb: str
    flags: str
    width: int
    precision: int
    """-1 if none is given."""

    def padded(self, shown: str, *, zeros: bool = True) -> str:
        if "-" in self.flags:
            return shown.ljust(self.width)
        return shown.rjust(self.width, "0" if zeros and "0" in self.flags else " ")


def sprintf(form: str, value: object, budget: Budget) -> str:
    """Return the format with the value in place of its first verb.

    Raises:
        PayloadError: a format that is left out, or too wide.
    """
    parts: list[str] = []
    at = 0
    used = False
    for match in _VERB.finditer(form):
        parts.append(form[at : match.start()])
        at = match.end()
        flags, width, point, precision, verb = match.groups()
        one = _Form(verb, flags, int(width or 0), int(precision or 0) if point else -1)
        if verb in ("*", "[") or max(one.width, one.precision) > _MAX_WIDTH:
            raise PayloadError(f"stringformat: {match[0]!r} is not supported")
        if verb in ("", "%"):
            parts.append("%" if verb else "%!(NOVERB)")
        elif used:
            parts.append(f"%!{verb}(MISSING)")
        else:
            used = True
            parts.append(_argument(one, value))
    parts.append(form[at:])
    if not used:
        described = "<nil>" if value is None else f"{kind(value)}={_value(_Form('v', '', 0, -1), value)}"
        parts.append(f"%!(EXTRA {described})")
    budget.reserve(sum(map(len, parts)))
    return "".join(parts)


def _argument(form: _Form, value: object) -> str:
    if form.verb == "v":
        if "#" in form.flags:
            raise PayloadError("stringformat: '%#v' is not supported")
        form = replace(form, flags=form.flags.replace("+", ""))
    if value is None:
        return form.padded("<nil>") if form.verb in ("v", "T") else f"%!{form.verb}(<nil>)"
    if form.verb == "T":
        return _string(replace(form, verb="s"), kind(value)) or ""
    return _value(form, value)


def _value(form: _Form, value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_element(form, item) for item in value)}]"
    if isinstance(value, dict):
        shown = (f"{_value(form, key)}:{_element(form, value[key])}" for key in sorted(value))
        return f"map[{' '.join(shown)}]"
    result = _scalar(form, value)
    if result is not None:
        return result
    return f"%!{form.verb}({kind(value)}={_value(replace(form, verb='v'), value)})"


def _element(form: _Form, value: object) -> str:
    return "<nil>" if value is None else _value(form, value)


def _scalar(form: _Form, value: object) -> str | None:
    """Return what a verb makes of a value, None if it does not fit."""
    if isinstance(value, bool):
        return form.padded("true" if value else "false") if form.verb in ("t", "v") else None
    if isinstance(value, str):
        return _string(form, str(value))
    if isinstance(value, int):
        return _integer(form, int(value))
    if isinstance(value, float):
        return _float(form, value)
    raise PayloadError(f"stringformat: a value of type {kind(value)} is not supported")


def _string(form: _Form, value: str) -> str | None:
    if form.verb in ("x", "X"):
        data = to_bytes(value)
        data = data if form.precision < 0 else data[: form.precision]
        prefix = "0x" if "#" in form.flags and data else ""
        digits = prefix + (f" {prefix}" if " " in form.flags else "").join(f"{byte:02x}" for byte in data)
        return form.padded(digits if form.verb == "x" else digits.upper())
    cut = value if form.precision < 0 else value[: form.precision]
    if form.verb in ("s", "v"):
        return form.padded(cut)
    if form.verb != "q":
        return None
    if "#" in form.flags or "+" in form.flags:
        raise PayloadError("stringformat: flags of %q are not supported")
    return form.padded(_quoted(cut, '"'))


def _quoted(text: str, quote: str) -> str:
    return quote + "".join(_quoted_character(character, quote) for character in text) + quote


def _quoted_character(character: str, quote: str) -> str:
    code = ord(character)
    if character in (quote, "\\"):
        return "\\" + character
    if character.isprintable():
        return character
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no character
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _integer(form: _Form, value: int) -> str | None:
    if form.verb == "q" and set("+#") & set(form.flags):
        raise PayloadError("stringformat: flags of %q are not supported")
    if form.verb in ("c", "q"):
        is_character = 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000
        character = chr(value) if is_character else "\ufffd"
        return form.padded(character if form.verb == "c" else _quoted(character, "'"))
    if form.verb == "U":
        digits = f"{value % (1 << 64):X}".rjust(max(form.precision, 4), "0")
        shown = f" '{chr(value)}'" if "#" in form.flags and 0 <= value < 0x110000 and chr(value).isprintable() else ""
        return form.padded(f"U+{digits}{shown}", zeros=False)
    if form.verb not in _BASES:
        return None
    if form.precision == 0 and value == 0:
        return " " * form.width
    sign = "-" if value < 0 else "+" if "+" in form.flags else " " if " " in form.flags else ""
    least = form.precision
    if least < 0 and "0" in form.flags and "-" not in form.flags:
        least = form.width - len(sign)
    digits = format(abs(value), _BASES[form.verb]).rjust(least, "0")
    if form.verb == "O":
        digits = "0o" + digits
    elif "#" in form.flags:
        digits = ("" if form.verb == "o" and digits.startswith("0") else _PREFIXES.get(form.verb, "")) + digits
    return form.padded(sign + digits, zeros=False)


_BASES = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "O": "o", "b": "b"}
_PREFIXES = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}


def _float(form: _Form, value: float) -> str | None:
    if form.verb not in _FLOATS:
        return None
    if form.verb in "bxX" or "#" in form.flags:
        raise PayloadError(f"stringformat: %{form.flags}{form.verb} of a float is not supported")
    if not math.isfinite(value):
        signed = f"{value:+}".replace("inf", "Inf").replace("nan", "NaN")
        if " " in form.flags and "+" not in form.flags:
            signed = signed.replace("+", " ")
        bare = signed.lstrip("+ ") if math.isnan(value) and not set(" +") & set(form.flags) else signed
        return form.padded(bare, zeros=False)
    shown = _digits(form, value)
    sign = "-" if shown.startswith("-") else "+" if "+" in form.flags else " " if " " in form.flags else ""
    shown = shown.lstrip("-")
    if sign and "0" in form.flags and "-" not in form.flags:
        return sign + shown.rjust(form.width - 1, "0")
    return form.padded(sign + shown)


_FLOATS = frozenset("eEfFgGvbxX")


def _digits(form: _Form, value: float) -> str:
    if form.verb in "fF":
        return fixed(value, 6 if form.precision < 0 else form.precision)
    if form.verb in "eE":
        return f"{value:.{6 if form.precision < 0 else form.precision}{form.verb}}"
    shown = format_float(value) if form.precision < 0 else f"{value:.{form.precision or 1}g}"
    return shown.upper() if form.verb == "G" else shown
