"""Values inside expressions and what operators do with them, as Go and expr-lang do it (workflows-config.md 6.2, 6.7).

None, bool, int (64 bits), float, str, list, dict; a range of integers stays a ``range``, because it renders differently.
Times and durations: moments.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal

from server.template.containers import AnyMap, Pair, Pairs, entries, entry, has, is_nil
from server.template.errors import ExpressionError
from server.template.gojson import JsonError, NilArray, dumps
from server.template.methods import Bound, member
from server.template.moments import Duration, Moment, Month, Weekday
from server.template.powers import raised
from server.template.sized import Bytes, Int64, Uint8, wrap
from server.template.zones import Zone

BUDGET = 1_000_000
"""Elements or characters that one value may have: an expression must not take the machine's memory."""
TOO_MUCH = "memory budget exceeded"


def type_name(value: object) -> str:
    """Return the name of the value's Go type, for messages."""
    if value is None:
        return "<nil>"
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return "func" if callable(value) or isinstance(value, Bound) else "object"


_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Int64, "int64"),
    (Uint8, "uint8"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (Bytes, "[]uint8"),
    (list, "[]interface {}"),
    (range, "[]int"),
    (dict, "map[string]interface {}"),
    (AnyMap, "map[interface {}]interface {}"),
    (Moment, "time.Time"),
    (Duration, "time.Duration"),
    (Month, "time.Month"),
    (Weekday, "time.Weekday"),
    (Zone, "*time.Location"),
)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def render(value: object) -> str:
    """Return the text that stands for a value in a field (workflows-config.md 6.7).

    Raises:
        ExpressionError: the value is a function or a namespace, or an array that JSON cannot say.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not isinstance(value, (Pair, Pairs, Bytes)):
        try:
            return dumps(value)
        except JsonError as error:
            raise ExpressionError(str(error)) from error
    return to_go(value)


def to_go(value: object, room: list[int] | None = None) -> str:
    """Return Go's ``%v`` of a value.

    Args:
        room: characters that are left, in a list that is counted down.
    """
    room = [BUDGET] if room is None else room
    if isinstance(value, (list, range)):
        text = f"[{' '.join([to_go(item, room) for item in value])}]"
    elif isinstance(value, (dict, AnyMap)):
        text = f"map[{' '.join([f'{to_go(key)}:{to_go(item, room)}' for key, item in entries(value)])}]"
    else:
        text = _scalar(value)
        room[0] -= len(text)
    room[0] -= 2
    if room[0] < 0:
        raise ExpressionError(TOO_MUCH)
    return text


def _scalar(value: object) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, (Moment, Duration, Month, Weekday, Zone)):
        return str(value)
    raise ExpressionError("a function or an object is not a value: expected a text, a number, a bool or a list")


def format_float(value: float) -> str:
    """Return a float as Go's ``%v``: exponents below -4 or from 6 digits on in scientific form."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    shortest = Decimal(repr(value)).normalize()  # repr has the fewest digits that read back, as Go's strconv
    sign, digits, exponent = shortest.as_tuple()
    power = len(digits) - 1 + int(exponent)
    if _LEAST_EXPONENT <= power < _PLAIN_DIGITS:
        return format(shortest, "f")
    first, *rest = map(str, digits)
    mantissa = f"{'-' if sign else ''}{first}{'.' + ''.join(rest) if rest else ''}"
    return f"{mantissa}e{'+' if power >= 0 else '-'}{abs(power):02d}"


_LEAST_EXPONENT = -4
_PLAIN_DIGITS = 6
"""strconv.FormatFloat with format g and the shortest precision decides by 6 digits, however many there are."""


def equal(left: object, right: object) -> bool:
    """Return whether two values are equal: numbers by value, everything else only within its own type."""
    return equal_within(left, right, [BUDGET])


def equal_within(left: object, right: object, room: list[int]) -> bool:
    """Do as ``equal`` does, counting down the comparisons that are left."""
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    _count(room)
    if isinstance(left, (list, range)) and isinstance(right, (list, range)):
        return len(left) == len(right) and all(equal_within(a, b, room) for a, b in zip(left, right, strict=True))
    if is_number(left) and is_number(right):
        return _order(left, right) == 0
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left.order(right) == 0
    return (is_nil(left) and is_nil(right)) or _same(left, right, room)


def _same(left: object, right: object, room: list[int]) -> bool:
    """Compare as Go compares what is in a map: an integer is no float there."""
    _count(room)
    if type(left) is not type(right):
        return False
    if isinstance(left, AnyMap) and isinstance(right, AnyMap):
        left, right = left.items, right.items
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key], room) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b, room) for a, b in zip(left, right, strict=True))
    if isinstance(left, Bound):
        return False
    if isinstance(left, (Moment, Zone)) and isinstance(right, (Moment, Zone)):
        return left.says_the_same(right)  # type: ignore[arg-type]
    return left == right


def _count(room: list[int]) -> None:
    room[0] -= 1
    if room[0] < 0:
        raise ExpressionError(TOO_MUCH)


def _order(left: object, right: object) -> int | None:
    """Return -1, 0 or 1 for two numbers, None for what is no number; an integer beside a float becomes one."""
    assert isinstance(left, (int, float)) and isinstance(right, (int, float))
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    return None if math.isnan(left) or math.isnan(right) else (left > right) - (left < right)


def _no_operator(operator: str, left: object, right: object) -> ExpressionError:
    return ExpressionError(f"invalid operation: {type_name(left)} {operator} {type_name(right)}")


def add(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > BUDGET:
            raise ExpressionError(TOO_MUCH)
        return left + right
    if isinstance(right, Duration):
        if isinstance(left, Moment):
            return left.plus(right.number)
        if isinstance(left, Duration):
            return Duration(wrap(left.number + right.number))
    if isinstance(left, Duration) and isinstance(right, Moment):
        return right.plus(left.number)
    return _arithmetic("+", left, right, lambda a, b: a + b)


def subtract(left: object, right: object) -> object:
    if isinstance(left, Moment):
        if isinstance(right, Moment):
            return left.minus(right)
        if isinstance(right, Duration):
            return left.plus(wrap(-right.number))
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(wrap(left.number - right.number))
    return _arithmetic("-", left, right, lambda a, b: a - b)


def multiply(left: object, right: object) -> object:
    if isinstance(left, Duration) or isinstance(right, Duration):
        one, other = (value.number if isinstance(value, Duration) else value for value in (left, right))
        product = _arithmetic("*", one, other, lambda a, b: a * b)
        return Duration(product) if isinstance(product, int) else product
    return _arithmetic("*", left, right, lambda a, b: a * b)


def _arithmetic(operator: str, left: object, right: object, work: Callable[[float, float], float]) -> object:
    if not (is_number(left) and is_number(right)):
        raise _no_operator(operator, left, right)
    assert isinstance(left, (int, float)) and isinstance(right, (int, float))
    result = work(left, right)
    return wrap(result) if isinstance(result, int) else result


def negative(value: object) -> int | float:
    if not is_number(value):
        raise ExpressionError(f"invalid operation: - {type_name(value)}")
    assert isinstance(value, (int, float))
    if isinstance(value, Uint8):
        return Uint8(-value % 256)
    if isinstance(value, int):
        return type(value)(wrap(-value))
    return -value


def divide(left: object, right: object) -> object:
    if not (is_number(left) and is_number(right)):
        raise _no_operator("/", left, right)
    assert isinstance(left, (int, float)) and isinstance(right, (int, float))
    above, below = float(left), float(right)
    if below == 0:
        if above == 0 or math.isnan(above):
            return math.nan
        return math.copysign(math.inf, above) * math.copysign(1, below)
    return above / below


def modulo(left: object, right: object) -> object:
    if not (is_integer(left) and is_integer(right)):
        raise _no_operator("%", left, right)
    assert isinstance(left, int) and isinstance(right, int)
    if right == 0:
        raise ExpressionError("integer divide by zero")
    return left - right * int(math.copysign(1, left) * math.copysign(1, right)) * (abs(left) // abs(right))


def power(left: object, right: object) -> object:
    if not (is_number(left) and is_number(right)):
        raise _no_operator("**", left, right)
    assert isinstance(left, (int, float)) and isinstance(right, (int, float))
    return raised(float(left), float(right))


def compare(operator: str, left: object, right: object) -> bool:
    """Return ``left operator right`` of two numbers, strings, times or durations."""
    if isinstance(left, str) and isinstance(right, str):
        # Go compares bytes, Python characters: in UTF-8 these have the same order.
        return _COMPARISONS[operator]((left > right) - (left < right))
    if is_number(left) and is_number(right):
        order = _order(left, right)
        return order is not None and _COMPARISONS[operator](order)
    if isinstance(left, Duration) and isinstance(right, Duration):
        return _COMPARISONS[operator]((left > right) - (left < right))
    if isinstance(left, Moment) and isinstance(right, Moment):
        return _COMPARISONS[operator](left.order(right))
    raise _no_operator(operator, left, right)


_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def contains(needle: object, container: object) -> bool:
    """Return ``needle in container``; nothing is in nil."""
    if container is None:
        return False
    if isinstance(container, range):
        if not isinstance(needle, (int, float)) or isinstance(needle, bool) or not math.isfinite(needle):
            return False
        return needle == int(needle) and int(needle) in container
    if isinstance(container, list):
        room = [BUDGET]
        if isinstance(needle, Zone):
            return False  # the original looks for the zone itself among pointers to zones
        return any(equal_within(needle, item, room) for item in container)
    if isinstance(container, (dict, AnyMap)):
        return has(container, needle)
    if isinstance(container, (Moment, Zone)) and isinstance(needle, str):
        return False  # they have no public fields
    raise ExpressionError(f'operator "in" not defined on {type_name(container)}')


def to_index(value: object) -> int:
    if not is_number(value):
        raise ExpressionError(f"invalid operation: int({type_name(value)})")
    assert isinstance(value, (int, float))
    return to_int(value)


def to_int(value: float) -> int:
    """Return the integer part; what 64 bits cannot hold is the least integer, as processors have it."""
    fits = not isinstance(value, float) or -_INTEGERS <= value < _INTEGERS
    return int(value) if fits else -(1 << 63)


_INTEGERS = 2.0**63


def fetch(container: object, key: object) -> object:
    """Return an element or member; a missing key is nil, a missing element an error."""
    if isinstance(container, (list, range, str)):
        index = to_index(key)
        sequence = container.encode("utf-8", "replace") if isinstance(container, str) else container
        length = len(sequence)
        index = index + length if index < 0 else index
        if not 0 <= index < length:
            raise ExpressionError(f"index out of range: {index} (array length is {length})")
        return Uint8(sequence[index]) if isinstance(sequence, bytes) else sequence[index]
    if isinstance(container, (Mapping, AnyMap)):
        return entry(container, key)
    method = member(container, key) if isinstance(key, str) else None
    if method is not None:
        return method
    fields: Mapping[str, object] | None = getattr(container, "expression_fields", None)
    if fields is not None and isinstance(key, str) and key in fields:
        return fields[key]
    shown = to_go(key) if isinstance(key, (str, int, float)) else type_name(key)
    raise ExpressionError(f"cannot fetch {shown} from {type_name(container)}")


def cut(container: object, start: object, stop: object) -> object:
    """Return a slice of the same type; of a string by bytes. Bounds beyond the ends are the ends."""
    if not isinstance(container, (list, range, str)):
        raise ExpressionError(f"cannot slice {type_name(container)}")
    sequence = container.encode("utf-8", "replace") if isinstance(container, str) else container
    length = len(sequence)
    last, first = to_index(stop), to_index(start)
    first = max(length + first, 0) if first < 0 else first
    last = max(length + last, 0) if last < 0 else min(last, length)
    part = sequence[min(first, last) : last]
    if isinstance(part, bytes):
        return part.decode("utf-8", "replace")
    return type(container)(part) if isinstance(container, (Pairs, NilArray, Bytes)) else part
