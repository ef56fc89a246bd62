"""Pieces of compiled code and how they are joined: places of errors, rows of operators. What is compiled: compiler.py."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from server.template import nodes as n
from server.template.containers import is_nil
from server.template.errors import ExpressionError
from server.template.methods import METHODS, Bound, Method
from server.template.operators import OPERATORS, Operator, among, condition, equal_of
from server.template.predicates import Run
from server.template.scope import Frame, call_member
from server.template.types import BOOL, ROLE_FIELDS, STRING, UNKNOWN, Type, assignable
from server.template.values import add, fetch, type_name


class Checks(Enum):
    ALL = "all"
    TYPES = "types"
    """What does not fit is of unknown type: arguments of a function called by its bare name."""
    NONE = "none"
    """Everything is of unknown type: arguments of a function called by a dotted name."""


class Code(NamedTuple):
    """Something compiled."""

    type: Type
    run: Run
    constant: bool | int | float | str | None = None
    """Its value, if literals alone make it."""


class Step(NamedTuple):
    """An operator of a row with what stands behind it."""

    operator: Operator
    run: Run
    at: int


class NilBaseError(Exception):
    """Inside a run of members: ``?.`` met nil."""


def placed(at: int, run: Run) -> Run:
    """Give errors of the code the place of its node, unless they have one."""

    def run_placed(frame: Frame) -> object:
        try:
            return run(frame)
        except ExpressionError as error:
            if error.offset < 0 and not error.expression:
                error.offset = at
            raise

    return run_placed


def row(first: Run, steps: list[Step]) -> Run:
    """Join operands by operators of one level, from left to right."""

    def run_row(frame: Frame) -> object:
        value = first(frame)
        for work, run, at in steps:
            other = run(frame)
            try:
                frame.weigh(other)
                value = work(value, other)
                frame.weigh(value)
            except ExpressionError as error:
                if error.offset < 0 and not error.expression:
                    error.offset = at
                raise
        return value

    return run_row


def mapped(pairs: list[tuple[Run, Run]]) -> Run:
    """Make a map of keys and values."""

    def run_mapped(frame: Frame) -> object:
        found: dict[str, object] = {}
        for key, value in pairs:
            name = key(frame)
            if not isinstance(name, str):
                raise ExpressionError(f"a key of a map is a string, not {type_name(name)}")
            item = value(frame)
            found.setdefault(name, item)  # of a key written twice the first one counts
        return found

    return run_mapped


def fetching(base: Run, key: Run, optional: bool) -> Run:
    """Get a member or an element; ``?.`` of nil ends the whole run of members."""

    def run_fetching(frame: Frame) -> object:
        value = base(frame)
        if optional and is_nil(value):
            raise NilBaseError
        frame.weigh(value)
        return fetch(value, key(frame))

    return run_fetching


def ending_at_nil(body: Run) -> Run:
    """Carry out a run of members with ``?.`` in it."""

    def run_ending(frame: Frame) -> object:
        try:
            value = body(frame)
        except NilBaseError:
            return None
        return None if is_nil(value) else value

    return run_ending


def calling(callee: Run, arguments: list[Run], method: Method | None = None) -> Run:
    """Call what stands for a function; ``method`` if that is known in advance."""

    def run_calling(frame: Frame) -> object:
        function = callee(frame)
        given = weighed(arguments, frame)
        if method is not None and method.strict and None in given:
            raise ExpressionError(f"cannot use nil as type {method.parameters[given.index(None)]}")
        if isinstance(function, Bound):
            spend_on_times(given, frame, 20)
        return call_member(function, given, frame.scope)

    return run_calling


def spend_on_times(given: list[object], frame: Frame, least: int) -> None:
    """Count what it takes to read or write a time, which is more the longer the texts are."""
    frame.spend(least + sum(len(value) for value in given if isinstance(value, str)))


def coalescing(first: Run, second: Run) -> Run:
    """Join two operands by ``??``: the second is evaluated if the first is nil."""

    def run_coalescing(frame: Frame) -> object:
        value = first(frame)
        return second(frame) if is_nil(value) else value

    return run_coalescing


def logical(left: Code, operator: str, right: Code, at: int) -> Code:
    """Join two conditions by ``&&`` or ``||``.

    A literal one decides before any evaluation, hence the other is never looked at.
    """
    decisive = operator == "||"
    for one, other in ((left, right), (right, left)):
        if isinstance(one.constant, bool):
            return one if one.constant is decisive else other
    first, second = left.run, right.run

    def run_logical(frame: Frame) -> object:
        value = first(frame)
        return value if condition(value) is decisive else second(frame)

    return Code(BOOL, placed(at, run_logical))


def folded(operator: str, left: Code, right: Code, at: int) -> bool | int | float | str | None:
    """Return what an operator makes of two literals, None if that is left to the evaluation.

    Raises:
        ExpressionError: division by zero.
    """
    one, other = left.constant, right.constant
    if one is None or other is None:
        return None
    kinds = {type(one), type(other)}
    same = len(kinds) == 1
    if not (
        (operator in ("+", "-", "*", "/", "**") and kinds <= {int, float})
        or (operator == "+" and kinds == {str})
        or (operator == "%" and kinds == {int})
        or (operator == "==" and same and kinds != {float})
    ):
        return None
    try:
        value = OPERATORS[operator](one, other)
    except ExpressionError as error:
        error.offset = at
        raise
    assert isinstance(value, (bool, int, float, str))
    return value


def sum_of(items: list[Code]) -> Run | None:
    """Return the sum of the items of an array literal, None if literals make them all.

    It is computed like ``a + (b + c)``, hence texts can be added too.
    """
    if len(items) < _SEVERAL or all(item.constant is not None for item in items):
        return None
    runs = [item.run for item in items]

    def run_sum(frame: Frame) -> object:
        values = [run(frame) for run in runs]
        total = values.pop()
        while values:
            total = add(values.pop(), total)
        return total

    return run_sum


_SEVERAL = 2


def work_of(operator: str, operand: n.Node, left: Type, right: Type) -> Operator:
    """Return what an operator does with operands of these static types."""
    if operator in ("==", "!=") and left.kind == right.kind and left.kind in _EXACT:
        equal = _EXACT[left.kind]
        return equal if operator == "==" else lambda one, other: not equal(one, other)
    if operator == "in" and isinstance(operand, n.Array) and operand.items:
        literals = [item.value for item in operand.items if isinstance(item, n.Literal)]
        for kind in (str, int) if left.kind == "int" else (str,):
            if len(literals) == len(operand.items) and all(type(value) is kind for value in literals):
                return among(literals)  # type: ignore[arg-type]
    return OPERATORS[operator]


_EXACT: dict[str, Operator] = {"int": equal_of(int), "string": equal_of(str)}


def is_env(node: n.Node) -> bool:
    return isinstance(node, n.Name) and node.name == "$env"


def function_name(callee: n.Node) -> str:
    """Return the name of a function that is called by nothing else, be it as a member of ``$env``."""
    if isinstance(callee, n.Name):
        return callee.name
    if isinstance(callee, n.Member) and is_env(callee.base) and isinstance(callee.key, n.Literal):
        return str(callee.key.value)
    return ""


def method_of(kind: Type) -> Method | None:
    """Return the method that a type is the type of, None if of no known one."""
    owner, _, name = kind.variant.partition(".") if kind.kind == "func" else ("", "", "")
    return METHODS.get(owner, {}).get(name)


def member_type(base: Type, key: Type, name: str | None) -> Type | None:
    """Return the type of a member or an element, None if there is none such.

    Args:
        name: the key, if it is written there.
    """
    if base.is_any:
        return UNKNOWN
    if name is not None and name in METHODS.get(base.kind, {}):
        return Type("func", variant=f"{base.kind}.{name}")
    if base.kind == "map":
        return base.item if key.is_any or assignable(key, base.key) else None
    if base.kind == "array":
        return base.item if key.is_any or key.is_integer else None
    return STRING if base.kind == "role" and name in ROLE_FIELDS else None


def weighed(arguments: list[Run], frame: Frame, shift: int = 4) -> list[object]:
    """Evaluate arguments, and count what a function may have to do with them."""
    values = [run(frame) for run in arguments]
    for value in values:
        frame.weigh(value, shift)
    return values
