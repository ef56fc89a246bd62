"""Expressions read from tokens. Levels, the loosest first: ``and or``; relations; ``+ -``; ``* / %``; ``^``; brackets.

A sign and ``not`` stand before a whole product and bind tighter than a relation: ``not a in b`` is ``(not a) in b``.
"""

from __future__ import annotations

from server.config.payload.cursor import Cursor
from server.config.payload.expressions import Chain, Expression, FilterCall, Filtered, Literal, Logic, Power, Relation
from server.config.payload.filters import FILTERS
from server.config.payload.paths import Part, Path
from server.config.payload.tokens import Kind, Token
from server.template.gojson import to_integer

_RELATIONS = ("==", "<=", ">=", "!=", "<>", ">", "<")


def expression(cursor: Cursor) -> Expression:
    """Read an expression.

    Raises:
        PayloadError: there is none.
    """
    with cursor.deeper():
        operands = [_relation(cursor)]
        ands: list[bool] = []
        while operator := cursor.symbol("&&", "||") or cursor.keyword("and", "or"):
            ands.append(operator.text in ("&&", "and"))
            operands.append(_relation(cursor))
    return Logic(tuple(operands), tuple(ands)) if ands else operands[0]


def _relation(cursor: Cursor) -> Expression:
    left = _sum(cursor)
    if operator := cursor.symbol(*_RELATIONS):
        with cursor.deeper():
            return Relation(operator, left, _relation(cursor))
    if operator := cursor.keyword("in"):
        return Relation(operator, left, _sum(cursor))
    return left


def _sum(cursor: Cursor) -> Expression:
    start = cursor.current
    sign = cursor.symbol("+", "-")
    negated = bool(cursor.symbol("!") or cursor.keyword("not"))
    first = _product(cursor)
    rest: list[tuple[Token, Expression]] = []
    while operator := cursor.symbol("+", "-"):
        rest.append((operator, _product(cursor)))
    negative = sign is not None and sign.text == "-"
    if not (negated or negative or rest):
        return first
    assert start is not None
    return Chain(start, first, tuple(rest), negated, negative)


def _product(cursor: Cursor) -> Expression:
    start = cursor.current
    first = _power(cursor)
    rest: list[tuple[Token, Expression]] = []
    while operator := cursor.symbol("*", "/", "%"):
        rest.append((operator, _power(cursor)))
    if not rest:
        return first
    assert start is not None
    return Chain(start, first, tuple(rest))


def _power(cursor: Cursor) -> Expression:
    base = _factor(cursor)
    if cursor.symbol("^"):
        with cursor.deeper():
            return Power(base, _power(cursor))
    return base


def _factor(cursor: Cursor) -> Expression:
    if cursor.symbol("("):
        inner = expression(cursor)
        if cursor.symbol(")") is None:
            raise cursor.error("expected ')'")
        return inner
    return _filtered(cursor)


def _filtered(cursor: Cursor) -> Expression:
    base = operand(cursor)
    filters: list[FilterCall] = []
    safe = False
    while cursor.symbol("|"):
        name = cursor.need_name("the name of a filter")
        filters.append(filter_call(cursor, name))
        safe = safe or name.text == "safe"
    return Filtered(base, tuple(filters), safe) if filters else base


def filter_call(cursor: Cursor, name: Token) -> FilterCall:
    """Read what follows the name of a filter.

    Raises:
        PayloadError: no such filter, or a bad parameter.
    """
    work = FILTERS.get(name.text)
    if work is None:
        raise cursor.error("unknown filter", name, hint=f"known: {', '.join(sorted(FILTERS))}")
    return FilterCall(name, work, operand(cursor) if cursor.symbol(":") else None)


def operand(cursor: Cursor) -> Expression:
    """Read a literal or a path, without filters.

    Raises:
        PayloadError: there is neither.
    """
    token = cursor.current
    if token is None:
        raise cursor.error("expected a number, a string or a name")
    if token.kind is Kind.NUMBER:
        return _number(cursor)
    if token.kind is Kind.STRING:
        cursor.advance()
        return Literal(token.text)
    if token.kind is Kind.KEYWORD and token.text in ("true", "false"):
        cursor.advance()
        return Literal(token.text == "true")
    if token.kind is not Kind.NAME:
        hint = 'write not ("X" in y)' if token.text == "not" else ""
        raise cursor.error("expected a number, a string or a name", token, hint=hint)
    return _path(cursor)


def _number(cursor: Cursor) -> Expression:
    whole = cursor.take(Kind.NUMBER)
    assert whole is not None
    if cursor.symbol("."):
        fraction = cursor.take(Kind.NUMBER)
        if fraction is None:
            raise cursor.error("expected digits after the '.'")
        return Literal(_decimal(cursor, whole, fraction))
    return Literal(_integer(cursor, whole))


def _decimal(cursor: Cursor, whole: Token, fraction: Token) -> float:
    value = float(f"{whole.text}.{fraction.text}")
    if value == float("inf"):
        raise cursor.error("the number is too great", whole)
    return value


def _integer(cursor: Cursor, token: Token) -> int:
    value = to_integer(token.text)
    if value is None:
        raise cursor.error("the number is too great", token)
    return value


def _path(cursor: Cursor) -> Expression:
    first = cursor.need_name("a name")
    parts = [Part(name=first.text)]
    while True:
        if cursor.symbol("."):
            parts.append(_member(cursor))
        elif cursor.symbol("["):
            parts.append(Part(subscript=expression(cursor)))
            if cursor.symbol("]") is None:
                raise cursor.error("expected ']'")
            break  # nothing may follow a subscript but filters
        elif cursor.symbol("("):
            parts[-1].arguments = [*(parts[-1].arguments or ()), *_arguments(cursor)]
        else:
            break
    return Path(first, parts)


def _member(cursor: Cursor) -> Part:
    if name := cursor.name():
        return Part(name=name.text)
    if number := cursor.take(Kind.NUMBER):
        return Part(index=_integer(cursor, number))
    raise cursor.error("expected a name or a number after the '.'")


def _arguments(cursor: Cursor) -> list[Expression]:
    found: list[Expression] = []
    while not cursor.symbol(")"):
        found.append(expression(cursor))
        if cursor.symbol(")"):
            break
        if cursor.symbol(",") is None:
            raise cursor.error("expected ',' or ')' after an argument")
    return found
