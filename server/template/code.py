"""Pieces of compiled code and how they are joined: places of errors, rows of operators. What is compiled: compiler.py."""

from __future__ import annotations

from typing import NamedTuple

from server.template.errors import ExpressionError
from server.template.operators import OPERATORS, condition
from server.template.predicates import Run
from server.template.scope import Frame
from server.template.types import Type


class Code(NamedTuple):
    """Something compiled."""

    type: Type
    run: Run


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


def row(first: Run, steps: list[tuple[str, Run, int]]) -> Run:
    """Join operands by operators of one level, from left to right; a step is (operator, operand, its offset)."""
    works = [(OPERATORS[operator], run, at) for operator, run, at in steps]

    def run_row(frame: Frame) -> object:
        value = first(frame)
        for work, run, at in works:
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


def logical(first: Run, steps: list[tuple[str, Run, int]]) -> Run:
    """Join operands by ``&&``, ``||`` or ``??``, evaluating no more of them than needed."""
    operator = steps[0][0]
    if operator == "??":

        def run_coalescing(frame: Frame) -> object:
            value = first(frame)
            for _, run, _ in steps:
                value = run(frame) if value is None else value
            return value

        return run_coalescing
    stop = operator == "||"

    def run_logical(frame: Frame) -> object:
        value = first(frame)
        for _, run, _ in steps:
            if condition(value) is stop:
                return value
            value = run(frame)
        return value

    return placed(steps[0][2], run_logical)
