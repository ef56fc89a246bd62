"""Static types of expressions: what is refused before anything is evaluated (workflows-config.md 6.2).

A variable is a string; what a dotted call returns is ANY, and with ANY everything is left to the evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    kind: str
    """string, int, float, bool, nil, any, array, map, func or role."""
    element: Type | None = None
    """Of an array; None is anything."""

    def __str__(self) -> str:
        return "unknown" if self.kind in ("any", "nil") else self.kind

    @property
    def is_any(self) -> bool:
        return self.kind == "any"

    @property
    def is_number(self) -> bool:
        return self.kind in ("int", "float")

    @property
    def item(self) -> Type:
        """Type of an element of it."""
        return self.element or ANY


ANY = Type("any")
STRING = Type("string")
INT = Type("int")
FLOAT = Type("float")
BOOL = Type("bool")
NIL = Type("nil")
MAP = Type("map")
FUNC = Type("func")
ROLE = Type("role")
ARRAY = Type("array")
STRINGS = Type("array", STRING)
INTS = Type("array", INT)

NAMED = {
    "any": ANY, "string": STRING, "int": INT, "float": FLOAT, "bool": BOOL, "nil": NIL, "map": MAP, "func": FUNC,
    "role": ROLE, "array": ARRAY, "strings": STRINGS,
}  # fmt: skip

ROLE_FIELDS = frozenset({"Name", "Path"})


def comparable(left: Type, right: Type) -> bool:
    """Tell whether ``==`` between them is allowed."""
    return (
        left.kind == right.kind
        or (left.is_number and right.is_number)
        or "nil" in (left.kind, right.kind)
        or left.is_any
        or right.is_any
    )


def common(left: Type, right: Type) -> Type:
    """Return the type of a value that is the one or the other."""
    if left.kind == "nil":
        return right
    if right.kind == "nil" or left == right:
        return left
    return ARRAY if left.kind == right.kind == "array" else ANY


def _either(left: Type, right: Type, *kinds: str) -> bool:
    """Tell whether at least one is ANY and the other ANY or of these kinds."""
    return (left.is_any and (right.is_any or right.kind in kinds)) or (right.is_any and left.kind in kinds)


def binary(operator: str, left: Type, right: Type) -> Type | None:
    """Return the type of ``left operator right``, None if it is refused."""
    kinds = (left.kind, right.kind)
    if operator in ("==", "!="):
        return BOOL if comparable(left, right) else None
    if operator in ("&&", "||"):
        return BOOL if kinds == ("bool", "bool") else ANY if _either(left, right, "bool") else None
    if operator in ("<", "<=", ">", ">="):
        fits = (left.is_number and right.is_number) or kinds == ("string", "string")
        return BOOL if fits or _either(left, right, "int", "float", "string") else None
    if operator in ("contains", "startsWith", "endsWith", "matches"):
        return BOOL if kinds == ("string", "string") or _either(left, right, "string") else None
    if operator == "in":
        return _membership(left, right)
    if operator == "??":
        return common(left, right)
    if operator == "..":
        return INTS if kinds == ("int", "int") or _either(left, right, "int") else None
    return _arithmetic(operator, left, right)


def _membership(left: Type, right: Type) -> Type | None:
    if right.kind == "map":
        return BOOL if left.kind in ("string", "any", "nil") else None
    if right.kind == "array":
        return BOOL if comparable(left, right.item) else None
    return BOOL if right.kind in ("any", "nil") else None


def _arithmetic(operator: str, left: Type, right: Type) -> Type | None:
    if operator == "+" and left.kind == right.kind == "string":
        return STRING
    if operator == "%":
        return INT if left.kind == right.kind == "int" else ANY if _either(left, right, "int") else None
    if left.is_number and right.is_number:
        whole = left.kind == right.kind == "int" and operator in ("+", "-", "*")
        return INT if whole else FLOAT
    extra = ("string",) if operator == "+" else ()
    if not _either(left, right, "int", "float", *extra):
        return None
    return FLOAT if operator in ("/", "**") else ANY
