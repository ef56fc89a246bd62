"""The grammar of expressions: text to tree (workflows-config.md 6.2). What a tree means: compiler.py.

A precedence climber, because the language needs one: a prefix operator reaches as far to the right as its own level
says, whatever stands before it. Levels are those of expr-lang 1.17.
"""

from __future__ import annotations

from server.template.builtins import FUNCTIONS
from server.template.errors import ExpressionError
from server.template.nodes import (
    Array,
    Builtin,
    Call,
    Chain,
    Conditional,
    Let,
    Literal,
    Map,
    Member,
    Name,
    Node,
    Optional,
    Pointer,
    Sequence,
    Slice,
    Unary,
)  # fmt: skip
from server.template.tokens import Token, TokenKind, tokenize

PREDICATES: dict[str, tuple[int, ...]] = {
    "all": (2,), "none": (2,), "any": (2,), "one": (2,), "filter": (2,), "map": (2,), "find": (2,), "findIndex": (2,),
    "findLast": (2,), "findLastIndex": (2,), "groupBy": (2,), "count": (1, 2), "sum": (1, 2), "sortBy": (2, 3),
    "reduce": (2, 3),
}  # fmt: skip
"""Builtins whose second argument is evaluated for each element, with the numbers of arguments they take."""

MAX_DEPTH = 80
"""Nesting of an expression."""
MAX_NODES = 10_000

_LEVELS = {
    "|": 0, "||": 10, "or": 10, "&&": 15, "and": 15, "==": 20, "!=": 20, "<": 20, ">": 20, "<=": 20, ">=": 20, "in": 20,
    "contains": 20, "matches": 20, "startsWith": 20, "endsWith": 20, "..": 25, "+": 30, "-": 30, "*": 60, "/": 60,
    "%": 60, "**": 100, "^": 100, "??": 500,
}  # fmt: skip
_PREFIXES = {"!": 50, "not": 50, "-": 90, "+": 90}
_COMPARISONS = frozenset({"<", ">", "<=", ">="})
_NEGATABLE = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
_ALIASES = {"or": "||", "and": "&&", "^": "**", "not": "!"}


def parse(text: str, overridden: frozenset[str] = frozenset()) -> Node:
    """Parse the text between the braces.

    Args:
        overridden: variables named like builtins; they hide them.

    Raises:
        ExpressionError: says where and what was expected.
    """
    return _Parser(text, overridden).parse()


class _Parser:
    def __init__(self, text: str, overridden: frozenset[str]) -> None:
        self._tokens = tokenize(text)
        self._position = 0
        self._overridden = overridden
        self._depth = 0
        self._predicates = 0
        self._nodes = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._position]

    def parse(self) -> Node:
        node = self._sequence()
        if self._token.kind is not TokenKind.END:
            raise self._unexpected()
        return node

    # ---- tokens ------------------------------------------------------------------------------

    def _is(self, *operators: str) -> bool:
        return self._token.kind is TokenKind.OPERATOR and self._token.text in operators

    def _next(self) -> Token:
        token = self._token
        if token.kind is not TokenKind.END:
            self._position += 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(f"an expression has at most {MAX_NODES} words", offset=token.at)
        return token

    def _accept(self, operator: str) -> bool:
        if self._is(operator):
            self._next()
            return True
        return False

    def _expect(self, operator: str) -> Token:
        if not self._is(operator):
            raise self._unexpected(f"{operator!r}")
        return self._next()

    def _unexpected(self, expected: str = "") -> ExpressionError:
        wanted = f", expected {expected}" if expected else ""
        return ExpressionError(f"unexpected {self._token}{wanted}", offset=self._token.at)

    def _expect_name(self) -> Token:
        if self._token.kind is not TokenKind.NAME:
            raise self._unexpected("a name")
        return self._next()

    # ---- expressions -------------------------------------------------------------------------

    def _sequence(self) -> Node:
        first = self._expression(0)
        items = [first]
        while self._accept(";"):
            if self._token.kind is TokenKind.END:
                break
            items.append(self._expression(0))
        return Sequence(first.at, tuple(items)) if len(items) > 1 else first

    def _expression(self, level: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"an expression nests at most {MAX_DEPTH} deep", offset=self._token.at)
        try:
            if level == 0 and self._is("let"):
                return self._let()
            if level == 0 and self._is("if"):
                return self._if()
            node = self._binary(self._primary(), level)
            return self._conditional(node) if level == 0 else node
        finally:
            self._depth -= 1

    def _binary(self, node: Node, least: int) -> Node:
        before = ""
        while self._token.kind is TokenKind.OPERATOR:
            token, negated = self._token, False
            if token.text == "not":
                following = self._tokens[self._position + 1]
                if following.kind is TokenKind.END or following.text not in _NEGATABLE:
                    raise ExpressionError(f"unexpected {following}, expected 'in' or another word after 'not'",
                                          offset=following.at)  # fmt: skip
                token, negated = following, True
            level = _LEVELS.get(token.text)
            if level is None or level < least:
                break
            if negated:
                self._next()
            self._next()
            if token.text == "|":
                name = self._expect_name()
                node = self._call(name, [node])
            elif before == "??" and token.text != "??":
                raise ExpressionError(f"{token.text!r} and '??' cannot be mixed without parentheses", offset=token.at)
            elif token.text in _COMPARISONS:
                node = self._comparison(node, token, level)
            else:
                right = self._expression(level if token.text in ("**", "^") else level + 1)
                node = _chained(node, _ALIASES.get(token.text, token.text), right, token.at)
                if negated:
                    node = Unary(token.at, "!", node)
            before = token.text
        return node

    def _comparison(self, left: Node, token: Token, level: int) -> Node:
        """Parse ``a < b < c``, which means ``a < b && b < c``."""
        whole: Node | None = None
        while True:
            right = self._expression(level + 1)
            pair = Chain(token.at, left, ((token.text, right, token.at),))
            whole = pair if whole is None else _chained(whole, "&&", pair, token.at)
            left, token = right, self._token
            if not self._is(*_COMPARISONS):
                return whole
            self._next()

    def _conditional(self, node: Node) -> Node:
        while self._is("?"):
            at = self._next().at
            if self._accept(":"):
                node = Conditional(at, node, node, self._expression(0))
                continue
            yes = self._expression(0)
            self._expect(":")
            node = Conditional(at, node, yes, self._expression(0))
        return node

    def _let(self) -> Node:
        at = self._next().at
        name = self._expect_name()
        self._expect("=")
        value = self._expression(0)
        self._expect(";")
        return Let(at, name.text, value, self._sequence())

    def _if(self) -> Node:
        at = self._next().at
        condition = self._expression(0)
        self._expect("{")
        yes = self._sequence()
        self._expect("}")
        self._expect("else")
        if self._is("if"):
            return Conditional(at, condition, yes, self._expression(0))
        self._expect("{")
        no = self._sequence()
        self._expect("}")
        return Conditional(at, condition, yes, no)

    # ---- operands ----------------------------------------------------------------------------

    def _primary(self) -> Node:
        token = self._token
        if token.kind is TokenKind.OPERATOR:
            if token.text in _PREFIXES:
                self._next()
                operand = self._expression(_PREFIXES[token.text])
                return self._postfix(Unary(token.at, _ALIASES.get(token.text, token.text), operand))
            if token.text == "(":
                self._next()
                inner = self._sequence()
                self._expect(")")
                return self._postfix(_sealed(inner))
            if self._predicates and token.text in ("#", "."):
                return self._pointer(token)
            if token.text == "::":
                self._next()
                return self._postfix(self._call(self._expect_name(), [], free=False))
        if token.kind is TokenKind.NUMBER:
            self._next()
            return Literal(token.at, token.number)
        if token.kind is TokenKind.NAME and token.text in _CONSTANTS:
            self._next()
            return Literal(token.at, _CONSTANTS[token.text])
        return self._postfix(self._operand())

    def _pointer(self, token: Token) -> Node:
        name = ""
        if token.text == "#":
            self._next()
            if self._token.kind is TokenKind.NAME:
                name = self._next().text
        return self._postfix(Pointer(token.at, name))

    def _operand(self) -> Node:
        token = self._token
        if token.kind is TokenKind.STRING:
            self._next()
            return Literal(token.at, token.text)
        if token.kind is TokenKind.NAME:
            self._next()
            return self._call(token, []) if self._is("(") else Name(token.at, token.text)
        if self._is("["):
            self._next()
            return Array(token.at, tuple(self._list("]")))
        if self._is("{"):
            return self._map()
        raise self._unexpected("a value")

    def _map(self) -> Node:
        at = self._next().at
        pairs: list[tuple[Node, Node]] = []
        while not self._is("}"):
            if pairs:
                self._expect(",")
                if self._is("}"):
                    break
            key = self._token
            if key.kind in (TokenKind.NAME, TokenKind.STRING, TokenKind.NUMBER):
                self._next()
                name: Node = Literal(key.at, key.text)
            elif self._is("("):
                name = self._expression(0)
            else:
                raise self._unexpected("a key: a name, a string, a number or an expression in parentheses")
            self._expect(":")
            pairs.append((name, self._expression(0)))
        self._expect("}")
        return Map(at, tuple(pairs))

    def _list(self, end: str) -> list[Node]:
        items: list[Node] = []
        while not self._is(end):
            if items:
                self._expect(",")
                if self._is(end):
                    break
            items.append(self._expression(0))
        self._expect(end)
        return items

    # ---- calls and members ---------------------------------------------------------------------

    def _call(self, name: Token, given: list[Node], *, free: bool = True) -> Node:
        hidden = free and name.text in self._overridden
        self._expect("(")
        if name.text in PREDICATES and not hidden:
            return Builtin(name.at, name.text, tuple(self._predicate_arguments(name, given)))
        arguments = (*given, *self._list(")"))
        if name.text in FUNCTIONS and not hidden:
            return Builtin(name.at, name.text, arguments)
        return Call(name.at, Name(name.at, name.text), arguments)

    def _predicate_arguments(self, name: Token, given: list[Node]) -> list[Node]:
        arguments = list(given)
        least, most = min(PREDICATES[name.text]), max(PREDICATES[name.text])
        while len(arguments) < most and not (len(arguments) >= least and self._is(")")):
            if len(arguments) > len(given):
                self._expect(",")
            arguments.append(self._predicate() if len(arguments) == 1 else self._expression(0))
        if len(arguments) == most or not self._is(")"):
            self._accept(",")
        self._expect(")")
        return arguments

    def _predicate(self) -> Node:
        braces = self._accept("{")
        self._predicates += 1
        try:
            node = self._sequence() if braces else self._expression(0)
        finally:
            self._predicates -= 1
        if braces:
            self._expect("}")
        return node

    def _postfix(self, node: Node) -> Node:
        length = 0
        while self._is(".", "?.", "["):
            token = self._next()
            length += 1
            if length > MAX_DEPTH:
                raise ExpressionError(f"a value has at most {MAX_DEPTH} members in a row", offset=token.at)
            absent = token.text == "?."
            if token.text == "[" or (absent and self._accept("[")):
                node = self._subscript(node, token.at, absent)
                continue
            name = self._next()
            if name.kind is not TokenKind.NAME and not (name.kind is TokenKind.OPERATOR and name.text.isidentifier()):
                raise ExpressionError(f"unexpected {name}, expected a name", offset=name.at)
            # A dotted name goes on with a run of members that may be nil, a subscript begins a new one.
            absent_before = isinstance(node, Optional)
            base = node.body if isinstance(node, Optional) else node
            node = Member(name.at, base, Literal(name.at, name.text), absent, True)
            if self._accept("("):
                node = Call(name.at, node, tuple(self._list(")")))
            if absent or absent_before:
                node = Optional(node.at, node)
        return node

    def _subscript(self, base: Node, at: int, optional: bool) -> Node:
        start: Node | None = None
        if not self._is(":"):
            start = self._expression(0)
            if self._accept("]"):
                member = Member(at, base, start, optional, False)
                return Optional(at, member) if optional else member
        self._expect(":")
        stop = None if self._is("]") else self._expression(0)
        self._expect("]")
        return Slice(at, base, start, stop)


_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}


def _chained(left: Node, operator: str, right: Node, at: int) -> Node:
    """Append to a row of operators of the same level, or begin one."""
    if operator != "**" and isinstance(left, Chain) and _LEVELS[left.rest[-1][0]] == _LEVELS[operator]:
        return Chain(left.at, left.first, (*left.rest, (operator, right, at)))
    return Chain(left.at, left, ((operator, right, at),))


def _sealed(node: Node) -> Node:
    """Keep a parenthesised row apart from what follows it."""
    return Sequence(node.at, (node,)) if isinstance(node, Chain) else node
