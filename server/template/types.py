"""Static types of expressions: what is refused before anything is evaluated (workflows-config.md 6.2).

A variable is a string; what a dotted call returns is UNKNOWN, and with UNKNOWN everything is left to the evaluation.
The rules are those of expr-lang, down to what it takes for the type of an array.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    kind: str
    """string, int, float, bool, nil, any, unknown, array, map, func or role."""
    element: Type | None = None
    """Of an array; None is anything."""
    variant: str = ""
    """Of an array "strings", of a map "groups" or "pairs": another type in Go."""

    def __str__(self) -> str:
        return "unknown" if self.kind in ("any", "nil") else self.kind

    @property
    def is_any(self) -> bool:
        return self.kind in ("any", "unknown")

    @property
    def is_number(self) -> bool:
        return self.kind in ("int", "float")

    @property
    def item(self) -> Type:
        """Type of an element of it."""
        if self.kind == "map":
            return ARRAY if self.variant == "groups" else ANY
        return self.element or (STRING if self.variant == "strings" else ANY)

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
        return "" if self.kind in ("nil", "unknown") else self.kind


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

NAMED = {
    "any": ANY, "string": STRING, "int": INT, "float": FLOAT, "bool": BOOL, "nil": NIL, "map": MAP, "func": FUNC,
    "role": ROLE, "array": ARRAY, "strings": STRINGS, "pairs": PAIRS,
}  # fmt: skip

ROLE_FIELDS = frozenset({"Name", "Path"})


def array_of(element: Type) -> Type:
    return Type("array", element)


def assignable(value: Type, to: Type) -> bool:
    """Tell whether Go would assign a value of the one type to a variable of the other."""
    if value.kind == "nil":
        return to.kind in ("any", "func", "map", "array")
    if "unknown" in (value.kind, to.kind) or to.kind == "nil":
        return False
    return to.kind == "any" or value.go_type == to.go_type


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
        fits = (left.is_number and right.is_number) or kinds == ("string", "string")
        return BOOL if fits or _maybe(left, right, "int", "float", "string") else None
    if operator in ("contains", "startsWith", "endsWith", "matches"):
        return BOOL if kinds == ("string", "string") or _maybe(left, right, "string") else None
    if operator == "in":
        return _membership(left, right)
    if operator == "??":
        return _coalesced(left, right)
    if operator == "..":
        return INTS if kinds == ("int", "int") or _maybe(left, right, "int") else None
    return _arithmetic(operator, left, right)


def _maybe(left: Type, right: Type, *kinds: str) -> bool:
    """Tell whether at least one is not known and the other not known or of these kinds."""
    return (left.is_any and (right.is_any or right.kind in kinds)) or (right.is_any and left.kind in kinds)


def _membership(left: Type, right: Type) -> Type | None:
    if right.kind == "role" and (left.kind == "string" or left.is_any):
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
        return INT if left.kind == right.kind == "int" or _maybe(left, right, "int") else None
    if left.is_number and right.is_number:
        whole = left.kind == right.kind == "int" and operator in ("+", "-", "*")
        return INT if whole else FLOAT
    extra = ("string",) if operator == "+" else ()
    if not _maybe(left, right, "int", "float", *extra):
        return None
    return FLOAT if operator in ("/", "**") else UNKNOWN
