"""What an expression can see and call: variables, objects, functions. Which functions there are: functions.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from server.template.errors import ExpressionError
from server.template.methods import Bound, zero
from server.template.moments import Duration, Moment
from server.template.sized import Bytes
from server.template.values import BUDGET, TOO_MUCH, type_name
from server.template.zones import Zone


class NilArgument(Enum):
    """What a function called by its bare name does with an undefined name as argument (workflows-config.md 6.5)."""

    EMPTY = "empty"
    """Takes it for the empty value."""
    REFUSED = "refused"
    """Fails when it is called."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that expressions may call, as a member of a namespace or by its bare name."""

    parameters: tuple[str, ...]
    """Each "string", "int", "any", or "nil" for one that only takes nil."""
    work: Callable[..., object]
    result: str = "string"
    """Static type of a call by bare name: string, bool, int, any or role."""
    nil: NilArgument = NilArgument.REFUSED
    scoped: bool = False
    """Takes the Scope as first argument."""


class Scope:
    """The names of one evaluation.

    Args:
        variables: all texts. A dict that nobody changes meanwhile.
        objects: functions, and namespaces of functions; they hide variables of the same name.
    """

    __slots__ = ("objects", "variables")

    def __init__(self, variables: Mapping[str, str], objects: Mapping[str, object]) -> None:
        self.variables = variables
        self.objects = objects

    def get(self, name: str) -> object:
        """Return what the name stands for, None if nothing."""
        found = self.objects.get(name, self)
        return self.variables.get(name) if found is self else found

    def kind(self, name: str) -> object:
        """Return a key for what the name is: equal keys compile to the same code."""
        found = self.objects.get(name, self)
        if found is self:
            return "string" if name in self.variables else None
        if isinstance(found, Function):
            return (found.parameters, found.result, found.nil)
        return "map" if isinstance(found, Mapping) else "string" if isinstance(found, str) else "any"

    def everything(self) -> dict[str, object]:
        """Return what ``$env`` is."""
        return {**self.variables, **self.objects}


class Frame:
    """The state of one evaluation: scope, ``let`` names, the element of the innermost predicate, what is left to spend."""

    __slots__ = ("accumulator", "element", "index", "lets", "scope", "spent")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.lets: dict[str, object] = {}
        self.element: object = None
        self.index = 0
        self.accumulator: object = None
        self.spent = [0]

    def inner(self) -> Frame:
        """Return a frame for a predicate or the body of a ``let``."""
        frame = Frame(self.scope)
        frame.lets = dict(self.lets)
        frame.element, frame.index, frame.accumulator = self.element, self.index, self.accumulator
        frame.spent = self.spent
        return frame

    def spend(self, count: int) -> None:
        """Count elements looked at.

        Raises:
            ExpressionError: more than an expression may.
        """
        self.spent[0] += count
        if self.spent[0] > BUDGET:
            raise ExpressionError(TOO_MUCH)

    def weigh(self, value: object, shift: int = 6) -> None:
        """Count the work on a long text or a list, which costs little for each character and more for each element."""
        if isinstance(value, str):
            if len(value) >> shift:
                self.spend(len(value) >> shift)
        elif isinstance(value, (list, dict)) and len(value) > 15:
            self.spend(len(value) >> 4)


def call_member(function: object, arguments: Sequence[object], scope: Scope) -> object:
    """Call what a dotted name stands for; nil becomes the zero value of the parameter (workflows-config.md 6.6).

    Raises:
        ExpressionError: nothing to call, or wrong number or types of arguments.
    """
    if function is None:
        raise ExpressionError("invalid operation: cannot call nil")
    function = _as_function(function)
    _check_count(function, len(arguments))
    return _call(
        function, [_zero(kind, value) for kind, value in zip(function.parameters, arguments, strict=True)], scope
    )


def call_flat(function: object, arguments: Sequence[object], scope: Scope) -> object:
    """Call what a bare name stands for.

    Raises:
        ExpressionError: nothing to call, or wrong number or types of arguments.
    """
    if not isinstance(function, Function):
        return call_member(function, arguments, scope)
    _check_count(function, len(arguments))
    given: list[object] = []
    for kind, value in zip(function.parameters, arguments, strict=True):
        if value is None and kind != "any" and function.nil is not NilArgument.EMPTY:
            raise ExpressionError(f"interface conversion: interface {{}} is nil, not {kind}")
        given.append(_zero(kind, value))
    return _call(function, given, scope)


def _as_function(function: object) -> Function:
    """Take a method as the function that it is, a plain callable for one of as many texts as it has parameters."""
    if isinstance(function, Function):
        return function
    if isinstance(function, Bound):
        return Function(function.method.parameters, partial(function.method.work, function.owner), "any")
    if not callable(function):
        raise ExpressionError(f"{type_name(function)} is not callable")
    return Function(("string",) * len(inspect.signature(function).parameters), function)


def _call(function: Function, arguments: list[object], scope: Scope) -> object:
    return function.work(scope, *arguments) if function.scoped else function.work(*arguments)


def _check_count(function: Function, count: int) -> None:
    wanted = len(function.parameters)
    if count != wanted:
        raise ExpressionError(f"too {'few' if count < wanted else 'many'} arguments: expected {wanted}, found {count}")


def _zero(kind: str, value: object) -> object:
    if kind == "any":
        return value
    if value is None:
        return zero(kind) if kind in _CLASSES else ""
    wanted = _CLASSES.get(kind)
    if wanted is not None and (isinstance(value, wanted) if wanted is not int else type(value) is int):
        return value
    raise ExpressionError(f"cannot use {type_name(value)} as type {kind}")


_CLASSES: dict[str, type] = {
    "string": str, "int": int, "bytes": Bytes, "time": Moment, "duration": Duration, "location": Zone,
}  # fmt: skip
"""Classes of values by the kinds of parameters."""
