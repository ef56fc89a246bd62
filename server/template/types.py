"""Static types of expressions: what is refused before anything is evaluated (workflows-config.md 6.2).

A variable is a string; what a dotted call returns is UNKNOWN, and with UNKNOWN everything is left to the evaluation.
The rules are those of expr-lang, down to what it takes for the type of an array.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    kind: str
    """string, int, float, bool, nil, any, unknown, array, map, func, role, and int64, uint8, time, duration, location,
    month, weekday."""
    element: Type | None = None
    """Of an array; None is anything."""
    variant: str = ""
    """Of an array "strings" or "bytes", of a map "groups" or "pairs": another type in Go; of a method "time.Add"."""

    def __str__(self) -> str:
        return "unknown" if self.kind in ("any", "nil") else self.kind

    @property
    def is_any(self) -> bool:
        return self.kind in ("any", "unknown")

    @property
    def is_number(self) -> bool:
        return self.kind in _NUMBERS

    @property
    def is_integer(self) -> bool:
        return self.kind in _INTEGERS

    @property
    def item(self) -> Type:
        """Type of an element of it."""
        if self.kind == "map":
            return ARRAY if self.variant == "groups" else ANY
        return self.element or (STRING if self.variant == "strings" else UINT8 if self.variant == "bytes" else ANY)

    @property
    def key(self) -> Type:
        """Of a map: type of a key."""
        return ANY if self.variant else STRING

    @property
    def go_type(self) -> Type:
        """The type without what is known of the elements: all that a function looks at."""
        return Type(self.kind, None, self.variant)

    @property
    def shape(self) -> str:
        """What elements of an array literal must have in common to give the array their type."""
        return _SHAPES.get(self.kind, self.kind)


_INTEGERS = ("int", "int64", "uint8")
_NUMBERS = (*_INTEGERS, "float")
_SHAPES = {"nil": "", "unknown": "", "month": "int", "weekday": "int", "duration": "int64", "time": "struct"}


UNKNOWN = Type("unknown")
ANY = Type("any")
STRING = Type("string")
INT = Type("int")
FLOAT = Type("float")
BOOL = Type("bool")
NIL = Type("nil")
MAP = Type("map")
GROUPS = Type("map", variant="groups")
PAIRS = Type("map", variant="pairs")
FUNC = Type("func")
ROLE = Type("role")
ARRAY = Type("array")
STRINGS = Type("array", variant="strings")
INTS = Type("array", INT)
BYTES = Type("array", variant="bytes")
UINT8 = Type("uint8")
INT64 = Type("int64")
TIME = Type("time")
DURATION = Type("duration")
LOCATION = Type("location")
MONTH = Type("month")
WEEKDAY = Type("weekday")

NAMED = {
    "any": ANY, "string": STRING, "int": INT, "float": FLOAT, "bool": BOOL, "nil": NIL, "map": MAP, "func": FUNC,
    "role": ROLE, "array": ARRAY, "strings": STRINGS, "pairs": PAIRS, "bytes": BYTES, "int64": INT64, "time": TIME,
    "duration": DURATION, "location": LOCATION, "month": MONTH, "weekday": WEEKDAY,
}  # fmt: skip

ROLE_FIELDS = frozenset({"Name", "Path"})


def array_of(element: Type) -> Type:
    return Type("array", element)


def assignable(value: Type, to: Type) -> bool:
    """Tell whether Go would assign a value of the one type to a variable of the other."""
    if value.kind == "nil":
        return to.kind in ("any", "func", "map", "array", "location")
    if "unknown" in (value.kind, to.kind) or to.kind == "nil":
        return False
    return to.kind == "any" or value.go_type == to.go_type


def given_as(value: Type, wanted: str) -> bool:
    """Tell whether a value of the type is an argument for a parameter of the named type."""
    to = NAMED[wanted]
    if value.kind == "nil":
        return wanted in ("nil", "location")
    return value.go_type == to or (value.is_integer and to.is_integer)


def comparable(left: Type, right: Type) -> bool:
    """Tell whether ``==`` between them is allowed."""
    return (
        left.is_any
        or right.is_any
        or "nil" in (left.kind, right.kind)
        or (left.is_number and right.is_number)
        or left.kind == right.kind == "array"
        or assignable(left, right)
    )


def common(left: Type, right: Type) -> Type:
    """Return the type of a value that is the one or the other."""
    if left.kind == "nil":
        return right
    if right.kind == "nil":
        return left
    if not assignable(left, right):
        return UNKNOWN
    if left.kind == right.kind == "array":
        one, other = left.item, right.item
        return left if assignable(one, other) and assignable(other, one) else ARRAY
    return left


def binary(operator: str, left: Type, right: Type) -> Type | None:
    """Return the type of ``left operator right``, None if it is refused."""
    kinds = (left.kind, right.kind)
    if operator in ("==", "!="):
        return BOOL if comparable(left, right) else None
    if operator in ("&&", "||"):
        return BOOL if kinds == ("bool", "bool") or _maybe(left, right, "bool") else None
    if operator in ("<", "<=", ">", ">="):
        fits = (left.is_number and right.is_number) or (left.kind == right.kind and left.kind in _ORDERED)
        return BOOL if fits or _maybe(left, right, *_NUMBERS, *_ORDERED) else None
    if operator == "matches" and left.variant == "bytes" and right.kind == "string":
        return BOOL
    if operator in ("contains", "startsWith", "endsWith", "matches"):
        return BOOL if kinds == ("string", "string") or _maybe(left, right, "string") else None
    if operator == "in":
        return _membership(left, right)
    if operator == "??":
        return _coalesced(left, right)
    if operator == "..":
        return INTS if (left.is_integer and right.is_integer) or _maybe(left, right, *_INTEGERS) else None
    return _arithmetic(operator, left, right)


_ORDERED = ("string", "time", "duration")


def _maybe(left: Type, right: Type, *kinds: str) -> bool:
    """Tell whether at least one is not known and the other not known or of these kinds."""
    return (left.is_any and (right.is_any or right.kind in kinds)) or (right.is_any and left.kind in kinds)


def _membership(left: Type, right: Type) -> Type | None:
    if right.kind in ("role", "time", "location") and (left.kind == "string" or left.is_any):
        return BOOL
    if right.kind == "map":
        return BOOL if left.is_any or assignable(left, right.key) else None
    if right.kind == "array":
        return BOOL if comparable(left, right.item) else None
    return BOOL if right.is_any or (left.is_any and right.kind == "string") else None


def _coalesced(left: Type, right: Type) -> Type:
    if "nil" in (left.kind, right.kind):
        return right if left.kind == "nil" else left
    return left if assignable(right, left) else UNKNOWN


def _arithmetic(operator: str, left: Type, right: Type) -> Type | None:
    if operator == "+" and left.kind == right.kind == "string":
        return STRING
    if operator == "%":
        return INT if (left.is_integer and right.is_integer) or _maybe(left, right, *_INTEGERS) else None
    if left.is_number and right.is_number:
        whole = left.is_integer and right.is_integer and operator in ("+", "-", "*")
        return INT if whole else FLOAT
    timely = _TIMELY.get((left.kind, operator, right.kind))
    if timely is not None:
        return timely
    if operator == "*" and "duration" in (left.kind, right.kind) and (left.is_number or right.is_number):
        return DURATION
    if not _maybe(left, right, *_NUMBERS, *_OPERANDS.get(operator, ())):
        return None
    return FLOAT if operator in ("/", "**") else UNKNOWN


_OPERANDS = {"+": ("string", "time", "duration"), "-": ("time", "duration"), "*": ("duration",)}
"""What an operator may have beside numbers."""
_TIMELY = {
    ("time", "+", "duration"): TIME,
    ("duration", "+", "time"): TIME,
    ("duration", "+", "duration"): DURATION,
    ("time", "-", "time"): DURATION,
    ("time", "-", "duration"): TIME,
    ("duration", "-", "duration"): DURATION,
    ("duration", "*", "duration"): DURATION,
}
