"""What a verb of a Go format makes of a value: ``%d``, ``%q``, ``%#v`` … with their flags (fmt of Go).

Refused is what shows where something lies in memory: ``%p``, functions, what tags make (``forloop``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from server.config.payload.characters import to_bytes
from server.config.payload.errors import PayloadError
from server.config.payload.quotes import is_printable, quoted, raw
from server.config.payload.real import digits_of, with_point
from server.config.payload.values import Byte, kind

_NIL = "<nil>"


@dataclass(frozen=True, slots=True)
class Form:
    """One verb with its flags."""

    verb: str
    flags: frozenset[str] = frozenset()
    width: int = 0
    precision: int = -1
    """-1 if none is given."""
    is_source: bool = False
    """``%#v``: as Go's source would have it."""

    def normal(self) -> Form:
        """Return the form with what ``#`` and ``+`` mean to ``v``: another form, and nothing."""
        if self.verb not in ("v", "w"):
            return self
        return replace(self, flags=self.flags - {"#", "+"}, is_source="#" in self.flags)

    def padded(self, shown: str, *, zeros: bool = True) -> str:
        if "-" in self.flags:
            return shown.ljust(self.width)
        return shown.rjust(self.width, "0" if zeros and "0" in self.flags else " ")


def shown(form: Form, value: object) -> Iterator[str]:
    """Give the text of a value piece by piece.

    Raises:
        PayloadError: an address in memory would be shown.
    """
    if value is None:
        yield form.padded(_NIL) if form.verb in ("v", "T") else f"%!{form.verb}({_NIL})"
    elif form.verb == "T":
        yield form.padded(kind(value)[: form.precision if form.precision >= 0 else None])
    elif form.verb == "p" and isinstance(value, (list, tuple, dict)):
        raise _no_address(value)
    elif form.verb == "w":
        yield from _misfit(form, value)
    else:
        yield from _value(form, value)


def _value(form: Form, value: object) -> Iterator[str]:
    if isinstance(value, (list, tuple, dict)):
        yield from _container(form, value)
        return
    text = _scalar(form, value)
    if text is None:
        yield from _misfit(form, value)
    else:
        yield text


def _misfit(form: Form, value: object) -> Iterator[str]:
    yield f"%!{form.verb}({kind(value)}="
    yield from _value(replace(form, verb="v"), value)
    yield ")"


def _container(form: Form, value: list[object] | tuple[object, ...] | dict[str, object]) -> Iterator[str]:
    opened = "map[" if isinstance(value, dict) else "["
    yield f"{kind(value)}{{" if form.is_source else opened
    between = ", " if form.is_source else " "
    is_first = True
    for item in sorted(value, key=to_bytes) if isinstance(value, dict) else value:
        if not is_first:
            yield between
        is_first = False
        if isinstance(value, dict):
            yield from _value(form, item)
            yield ":"
            item = value[str(item)]
        if item is None:
            yield "interface {}(nil)" if form.is_source else _NIL
        else:
            yield from _value(form, item)
    yield "}" if form.is_source else "]"


def _scalar(form: Form, value: object) -> str | None:
    """Return what a verb makes of a value, None if it does not fit."""
    if isinstance(value, bool):
        return form.padded("true" if value else "false") if form.verb in ("t", "v") else None
    if isinstance(value, str):
        return _string(form, str(value))
    if isinstance(value, int):
        if form.verb == "v" and form.is_source and isinstance(value, Byte):
            form = replace(form, verb="x", flags=form.flags | {"#"})
        return _integer(form, int(value))
    if isinstance(value, float):
        return _float(form, value)
    raise _no_address(value)


def _no_address(value: object) -> PayloadError:
    hint = "%T shows its type" if kind(value) != "func" else "call it"
    return PayloadError(f"stringformat would show where a value of type {kind(value)} lies in memory", hint=hint)


def _string(form: Form, value: str) -> str | None:
    if form.verb in ("x", "X"):
        data = to_bytes(value)
        data = data if form.precision < 0 else data[: form.precision]
        prefix = "0x" if "#" in form.flags and data else ""
        digits = prefix + (f" {prefix}" if " " in form.flags else "").join(f"{byte:02x}" for byte in data)
        return form.padded(digits if form.verb == "x" else digits.upper())
    cut = value if form.precision < 0 else value[: form.precision]
    if form.verb == "q" or (form.verb == "v" and form.is_source):
        written = raw(cut) if "#" in form.flags else ""
        return form.padded(written or quoted(cut, '"', ascii_only="+" in form.flags))
    return form.padded(cut) if form.verb in ("s", "v") else None


def _integer(form: Form, value: int) -> str | None:
    if form.verb in ("c", "q"):
        is_character = 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000
        character = chr(value) if is_character else "\ufffd"
        if form.verb == "q":
            character = quoted(character, "'", ascii_only="+" in form.flags)
        return form.padded(character)
    if form.verb == "U":
        digits = f"{value % (1 << 64):X}".rjust(max(form.precision, 4), "0")
        is_shown = "#" in form.flags and 0 <= value < 0x110000 and is_printable(chr(value))
        return form.padded(f"U+{digits} '{chr(value)}'" if is_shown else f"U+{digits}", zeros=False)
    if form.verb not in _BASES:
        return None
    if form.precision == 0 and value == 0:
        return " " * form.width
    sign = "-" if value < 0 else "+" if "+" in form.flags else " " if " " in form.flags else ""
    least = form.precision
    if least < 0 and "0" in form.flags and "-" not in form.flags:
        least = form.width - len(sign)
    digits = format(abs(value), _BASES[form.verb]).rjust(least, "0")
    if "#" in form.flags and not (form.verb in "oO" and digits.startswith("0")):
        digits = _PREFIXES.get(form.verb, "") + digits
    return form.padded(f"{sign}0o{digits}" if form.verb == "O" else sign + digits, zeros=False)


_BASES = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "O": "o", "b": "b"}
_PREFIXES = {"x": "0x", "X": "0X", "o": "0", "O": "0", "b": "0b"}


def _float(form: Form, value: float) -> str | None:
    if form.verb not in _FLOATS:
        return None
    if not math.isfinite(value):
        return form.padded(_not_a_number(form, value), zeros=False)
    verb = {"v": "g", "F": "f"}.get(form.verb, form.verb)
    precision = 6 if form.precision < 0 and verb in "feE" else form.precision
    digits = digits_of(verb, abs(value), precision)
    if "#" in form.flags:
        digits = with_point(verb, digits, precision)
    is_negative = math.copysign(1.0, value) < 0
    sign = "-" if is_negative else "+" if "+" in form.flags else " " if " " in form.flags else ""
    if sign and "0" in form.flags and "-" not in form.flags:
        return sign + digits.rjust(form.width - 1, "0")
    return form.padded(sign + digits)


_FLOATS = frozenset("eEfFgGvbxX")


def _not_a_number(form: Form, value: float) -> str:
    sign = "+" if "+" in form.flags or " " not in form.flags else " "
    if math.isnan(value):
        return f"{sign}NaN" if form.flags & {"+", " "} else "NaN"
    return "-Inf" if value < 0 else f"{sign}Inf"
