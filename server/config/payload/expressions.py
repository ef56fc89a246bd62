"""The nodes of expressions and what they give: operators with the precedence quirks of pongo2 (workflows-config.md 9.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from server.config.payload.errors import PayloadError
from server.config.payload.filters import Filter
from server.config.payload.frame import Frame
from server.config.payload.numbers import divide, power, quotient, remainder, wrap
from server.config.payload.tokens import Token
from server.config.payload.values import contains, equal, floating, integer, is_number, negate, text, truth


class Expression(Protocol):
    """A part of a template that has a value."""

    @property
    def is_safe(self) -> bool:
        """``|safe`` was written at every operand: the value is not escaped."""
        ...

    def evaluate(self, frame: Frame) -> object:
        """Return the value; raises PayloadError."""
        ...


def located(token: Token, error: PayloadError) -> PayloadError:
    """Return the error with the place of the token, unless it has one."""
    return error.at(token.entry, token.line, token.column)


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    value: object
    is_safe = False

    def evaluate(self, frame: Frame) -> object:
        return self.value


@dataclass(frozen=True, slots=True, eq=False)
class FilterCall:
    token: Token
    work: Filter
    parameter: Expression | None

    def apply(self, value: object, frame: Frame) -> object:
        """Return the filtered value."""
        parameter = self.parameter.evaluate(frame) if self.parameter else None
        budget = frame.run.budget
        try:
            budget.read(value)
            result = self.work(value, parameter, budget)
            budget.wrote(result)
        except PayloadError as error:
            raise located(self.token, error) from error.__cause__
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    base: Expression
    filters: tuple[FilterCall, ...]
    is_safe: bool

    def evaluate(self, frame: Frame) -> object:
        value = self.base.evaluate(frame)
        for filter_call in self.filters:
            value = filter_call.apply(value, frame)
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Logic:
    """``a and b or c``: both operators are of one level and group from the right, hence ``a and (b or c)``."""

    operands: tuple[Expression, ...]
    ands: tuple[bool, ...]
    """Between the operands: True for and, False for or."""

    @property
    def is_safe(self) -> bool:
        return all(operand.is_safe for operand in self.operands)

    def evaluate(self, frame: Frame) -> object:
        for operand, is_and in zip(self.operands, self.ands, strict=False):
            frame.run.budget.step()
            if truth(operand.evaluate(frame)) is not is_and:
                return not is_and
        return truth(self.operands[-1].evaluate(frame))


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    token: Token
    left: Expression
    right: Expression

    @property
    def is_safe(self) -> bool:
        return self.left.is_safe and self.right.is_safe

    def evaluate(self, frame: Frame) -> object:
        left, right = self.left.evaluate(frame), self.right.evaluate(frame)
        try:
            match self.token.text:
                case "==":
                    return equal(left, right)
                case "!=" | "<>":
                    return not equal(left, right)
                case "in":
                    frame.run.budget.read(right)
                    return contains(right, left)
        except PayloadError as error:
            raise located(self.token, error) from error.__cause__
        if isinstance(left, float) or isinstance(right, float):
            return _COMPARISONS[self.token.text](floating(left), floating(right))
        return _COMPARISONS[self.token.text](integer(left), integer(right))


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Operands of ``+ -`` or ``* / %`` in a row; the first may have a sign and a ``not`` before it."""

    token: Token
    """Where it begins."""
    first: Expression
    rest: tuple[tuple[Token, Expression], ...]
    negated: bool = False
    negative: bool = False

    @property
    def is_safe(self) -> bool:
        return self.first.is_safe and all(operand.is_safe for _, operand in self.rest)

    def evaluate(self, frame: Frame) -> object:
        value = self.first.evaluate(frame)
        if self.negated:
            value = negate(value)
        if self.negative:
            if not is_number(value):
                error = PayloadError(f"a minus before {text(value)!r}", hint="only numbers have a sign: x|integer")
                raise located(self.token, error)
            value = -value if isinstance(value, float) else wrap(-integer(value))
        for operator, operand in self.rest:
            frame.run.budget.step()
            try:
                value = _arithmetic(operator.text, value, operand.evaluate(frame), frame)
            except PayloadError as error:
                raise located(operator, error) from error.__cause__
        return value


def _arithmetic(operator: str, left: object, right: object, frame: Frame) -> object:
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        whole = text(left) + text(right)
        frame.run.budget.wrote(whole)
        return whole
    if operator == "%" or not (isinstance(left, float) or isinstance(right, float)):
        return _integers(operator, integer(left), integer(right))
    a, b = floating(left), floating(right)
    return a + b if operator == "+" else a - b if operator == "-" else a * b if operator == "*" else divide(a, b)


def _integers(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            return wrap(left + right)
        case "-":
            return wrap(left - right)
        case "*":
            return wrap(left * right)
    if right == 0:
        raise PayloadError("division of an integer by zero", hint="a text that is no number counts as 0")
    return quotient(left, right) if operator == "/" else remainder(left, right)


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    base: Expression
    exponent: Expression

    @property
    def is_safe(self) -> bool:
        return self.base.is_safe and self.exponent.is_safe

    def evaluate(self, frame: Frame) -> object:
        base = floating(self.base.evaluate(frame))
        return power(base, floating(self.exponent.evaluate(frame)))
