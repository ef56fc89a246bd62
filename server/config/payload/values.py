"""Values in component templates: their kinds, truth, text form, equality (workflows-config.md 9.5; pongo2 v6).

nil is None; int, float, bool, str; a list from JSON is ``list``, one of texts only ``tuple``; a map is ``dict``; what tags
make (``forloop``) is a Record. A byte of a text is ``Byte``. Nothing here reads Python attributes by a template's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from server.config.payload.errors import PayloadError
from server.config.payload.numbers import fixed, to_float, truncate
from server.template.scope import Function


class SafeText(str):
    """A text that needs no escaping: what a macro or a parent's block made."""

    __slots__ = ()


class Byte(int):
    """One byte of a text, a number of another type than ``int``."""

    __slots__ = ()


class Facts(dict[str, object]):
    """The map ``pongo2``, of a type of its own."""


class Record:
    """A structure of named fields that a tag gives to the template."""

    __slots__ = ()
    TYPE = ""

    def fields(self) -> Mapping[str, object]:
        return {}

    def method(self, name: str) -> Callable[[], object] | None:
        """Return what gives the result of a method, None if there is none of that name."""
        return None

    def same(self, other: object) -> bool:
        """Tell whether another value of the type is this one; raises PayloadError if that cannot be told."""
        return self is other

    def shown(self) -> str:
        return f"<pongo2.{self.TYPE} Value>"


class Routine(Record):
    """Something to call that is not one of the functions of AliECS: a macro."""

    __slots__ = ()
    TYPE = "func"

    def run(self, arguments: list[object]) -> object:
        """Return what a call gives; raises PayloadError."""
        raise NotImplementedError


def kind(value: object) -> str:
    """Return the name of the value's Go type."""
    if value is None:
        return "invalid"
    for python, name in _KINDS:
        if isinstance(value, python):
            return name
    if isinstance(value, Record):
        return value.TYPE
    return "func"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (str, "string"),
    (Byte, "uint8"),
    (int, "int"),
    (float, "float64"),
    (list, "[]interface {}"),
    (tuple, "[]string"),
    (Facts, "pongo2.Context"),
    (dict, "map[string]interface {}"),
)


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, float) or is_integer(value)


def is_function(value: object) -> bool:
    return isinstance(value, (Function, Routine))


def text(value: object) -> str:
    """Return the text that stands for a value; maps and lists show their type only."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return fixed(value, 6)
    if isinstance(value, Record) and not is_function(value):
        return value.shown()
    return f"<{kind(value)} Value>"


def integer(value: object) -> int:
    """Return a value as an integer, 0 if it is none."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return int(value)
    number = value if isinstance(value, float) else to_float(value) if isinstance(value, str) else None
    return 0 if number is None else truncate(number)


def floating(value: object) -> float:
    """Return a value as a float, 0 if it is none."""
    if isinstance(value, float):
        return value
    if is_integer(value):
        assert isinstance(value, int)
        return float(value)
    number = to_float(value) if isinstance(value, str) else None
    return 0.0 if number is None else number


def truth(value: object) -> bool:
    """Tell whether a value counts as true: not zero, not empty; ``"false"`` is true."""
    if isinstance(value, (bool, int, float, str, list, tuple, dict)):
        return bool(value)
    return isinstance(value, Record) and not is_function(value)


def negate(value: object) -> object:
    """Return the contrary of a value, of the same type where it is a number."""
    if is_integer(value):
        return 0 if value else 1
    if isinstance(value, float):
        return 0.0 if value else 1.1
    return not truth(value)


def length(value: object) -> int:
    """Return the number of characters or elements, 0 for what has none."""
    return len(value) if isinstance(value, (str, list, tuple, dict)) else 0


def equal(left: object, right: object) -> bool:
    """Tell whether two values are equal: integers by value, all else only within its type.

    Raises:
        PayloadError: two lists, two maps or two functions cannot be compared.
    """
    if is_integer(left) and is_integer(right):
        return left == right
    of = kind(left)
    if of != kind(right):
        return False
    if isinstance(left, (list, tuple, dict)) or is_function(left):
        raise PayloadError(f"two values of type {of} cannot be compared", hint="compare json.Marshal of them")
    return left.same(right) if isinstance(left, Record) else left == right


def contains(container: object, item: object) -> bool:
    """Tell whether an item is in a list, a key in a map, a text in a text.

    Raises:
        PayloadError: a number looked for in a map, or values that cannot be compared.
    """
    if isinstance(container, str):
        return text(item) in container
    if isinstance(container, dict):
        if is_integer(item) and not isinstance(item, Byte):
            raise PayloadError("a number cannot be a key of a map", hint="write the key as a string")
        return isinstance(item, str) and item in container
    if isinstance(container, (list, tuple)):
        return any(equal(item, other) for other in container)
    return isinstance(container, Record) and text(item) in container.fields()


def escape(value: str) -> str:
    """Return a text with the characters that HTML gives a meaning written out."""
    for character, name in _ESCAPES:
        value = value.replace(character, name)
    return value


_ESCAPES = (("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ('"', "&quot;"), ("'", "&#39;"))
