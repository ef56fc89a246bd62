"""One variable of a template as a field: how it is asked for, what it accepts, what stands wrong in it. No state, no I/O.

A value is a text, as it is on the wire: "true", "50", '["flp001","flp002"]'. All fields of a template together: form.py.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from server.api.replies import VariableSpec

OTHER = "Other"
"""Panel of fields whose template names none."""


class Control(Enum):
    """How a value is chosen."""

    EDIT = "edit"
    """Typed."""
    SWITCH = "switch"
    """True or false."""
    ONE = "one"
    """One of the allowed values, the chosen one in sight."""
    RADIO = "radio"
    """The same, all in sight."""
    MANY = "many"
    """Any number of the allowed values."""
    COMBO = "combo"
    """One of the allowed values, or typed."""
    SLIDER = "slider"
    """A number on a scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A variable and how to ask for it."""

    name: str
    label: str
    panel: str
    control: Control = Control.EDIT
    type: str = "string"
    """string, number, bool, list or map."""
    default: str = ""
    description: str = ""
    allowed: tuple[str, ...] = ()
    rows: int = 1
    visible_if: str = ""
    enabled_if: str = ""
    is_offered: bool = True
    """The template offers it; else the operator added it."""

    @classmethod
    def of(cls, spec: VariableSpec) -> Field:
        return cls(
            name=spec.name,
            label=spec.label or spec.name,
            panel=spec.panel.replace("_", " ").strip() or OTHER,
            control=_control(spec),
            type=spec.type,
            default=spec.default,
            description=spec.description,
            allowed=spec.allowed,
            rows=max(1, spec.rows),
            visible_if=spec.visible_if,
            enabled_if=spec.enabled_if,
        )

    @property
    def is_computed(self) -> bool:
        """The default is an expression that only the core can work out."""
        return "{{" in self.default

    @property
    def has_none(self) -> bool:
        """Nothing can be chosen by the word "none"."""
        return "none" in self.allowed and self.control in (Control.ONE, Control.RADIO, Control.COMBO)


class Scale(NamedTuple):
    """Of a slider."""

    low: float
    high: float
    step: float
    is_limit: bool
    """The template gives the ends; else they are only for the picture."""


def tidy(text: str) -> str:
    """Return what was typed as a value: one line, without blanks at its ends."""
    return " ".join(text.replace("\r", "\n").split("\n")).strip()


def same(field: Field, one: str, other: str) -> bool:
    """Say whether two values mean the same: lists and maps do however they are spelt."""
    if one == other:
        return True
    if field.type not in ("list", "map"):
        return False
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False


def problem(field: Field, text: str) -> str:
    """Say what is wrong with a value, "" if nothing is. The default is always right: the template says so."""
    if text == field.default:
        return ""
    if field.control in (Control.ONE, Control.RADIO) and text not in field.allowed:
        return f"{text or 'nothing'} is none of {_listed(field.allowed)}"
    if field.control is Control.MANY:
        return _list_problem(text) or _unknown_problem(field, chosen(text))
    match field.type:
        case "number":
            return _number_problem(field, text)
        case "bool":
            return "" if text in ("true", "false") else f"{text or 'nothing'} is neither true nor false"
        case "list":
            return _list_problem(text)
        case "map":
            return _json_problem(text, dict, 'a map {"a": "b"}')
    return ""


def chosen(text: str) -> tuple[str, ...]:
    """Return the values that a list names, none if it is no list of texts."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else ()


def listed(values: tuple[str, ...]) -> str:
    """Return values as the text of a list."""
    return json.dumps(list(values), ensure_ascii=False)


def toggled(field: Field, text: str, value: str) -> str:
    """Return a list with one value put in, or taken out; values stand in the order in which the template names them."""
    before = chosen(text)
    wanted = set(before) ^ {value}
    return listed(tuple(one for one in dict.fromkeys((*field.allowed, *before, value)) if one in wanted))


def scale(field: Field) -> Scale:
    """Return the scale of a slider: the ends that its allowed values give, else from 0 to twice the default at least."""
    numbers = [one for one in map(_number, field.allowed) if one is not None]
    if len(numbers) > 1 and min(numbers) < max(numbers):
        low, high, is_limit = min(numbers), max(numbers), True
    else:
        usual = _number(field.default) or 50.0
        low, high, is_limit = min(0.0, 2 * usual), max(100.0 if usual > 1 else 1.0, _round_up(2 * usual)), False
    whole = all(one.is_integer() for one in (low, high)) and "." not in field.default
    step = _round_up((high - low) / 20)
    return Scale(low, high, max(1.0, step) if whole else step, is_limit)


def moved(field: Field, text: str, steps: int) -> str:
    """Return the value of a slider after so many steps; where the template gives the ends it stays between them."""
    low, high, step, is_limit = scale(field)
    number = _number(text)
    if number is None:
        number = _number(field.default) or low
    number = round(number / step + steps) * step
    if is_limit:
        number = min(high, max(low, number))
    return f"{number:.12g}"


def share(field: Field, text: str) -> float:
    """Return where on its scale the value of a slider stands, 0 to 1."""
    low, high, _, _ = scale(field)
    number = _number(text)
    return 0.0 if number is None else min(1.0, max(0.0, (number - low) / (high - low)))


def turned(field: Field, text: str, steps: int) -> str:
    """Return the allowed value that stands so many places further on, round the end."""
    if not field.allowed:
        return text
    at = field.allowed.index(text) if text in field.allowed else -1 if steps > 0 else 0
    return field.allowed[(at + steps) % len(field.allowed)]


# ---- below -------------------------------------------------------------------------------------


def _control(spec: VariableSpec) -> Control:
    is_many = spec.type == "list" and bool(spec.allowed)
    match spec.widget:
        case "checkBox":
            return Control.MANY if is_many else Control.SWITCH if spec.type == "bool" else _one(spec)
        case "listBox":
            return Control.MANY if is_many else _one(spec)
        case "dropDownBox":
            return _one(spec)
        case "radioButtonBox":
            return Control.RADIO if spec.allowed else _one(spec)
        case "comboBox":
            return Control.COMBO if spec.allowed else Control.EDIT
        case "slider" if spec.type == "number":
            return Control.SLIDER
    return Control.EDIT


def _one(spec: VariableSpec) -> Control:
    if spec.allowed:
        return Control.ONE
    is_switch = spec.type == "bool" or (spec.widget == "checkBox" and spec.default in ("true", "false"))
    return Control.SWITCH if is_switch else Control.EDIT


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _number_problem(field: Field, text: str) -> str:
    number = _number(text)
    if number is None:
        return f"{text or 'nothing'} is no number"
    if field.control is Control.SLIDER:
        low, high, _, is_limit = scale(field)
        if is_limit and not low <= number <= high:
            return f"{text} is not between {low:g} and {high:g}"
    return ""


def _list_problem(text: str) -> str:
    return _json_problem(text, list, 'a list ["a", "b"]')


def _json_problem(text: str, kind: type, what: str) -> str:
    value: Any
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not {what}: {error.msg.lower()} at column {error.colno}"
    except RecursionError:
        return f"is not {what}: too deep"
    return "" if isinstance(value, kind) else f"is not {what}"


def _unknown_problem(field: Field, values: tuple[str, ...]) -> str:
    unknown = [one for one in values if one not in field.allowed]
    return f"{', '.join(unknown)} is none of {_listed(field.allowed)}" if unknown else ""


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) if len(values) <= 8 else f"{', '.join(values[:6])} and {len(values) - 6} others"


def _round_up(number: float) -> float:
    """Return the next number of the form 1, 2 or 5 times a power of ten."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return float(next((f * power for f in (1, 2, 5) if f * power >= number * 0.999999), 10 * power))
