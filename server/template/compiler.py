"""From the tree of an expression to code, with the checks that come before any evaluation (workflows-config.md 6.2, 6.5).

Below a call through a dotted name nothing is checked in advance, which is why undefined names are tolerated there.
"""

from __future__ import annotations

from collections.abc import Callable

from server.template import nodes as n
from server.template import types as t
from server.template.builtins import ACCEPTS, FUNCTIONS, call_builtin
from server.template.code import Code, NilBaseError, logical, placed, row
from server.template.errors import ExpressionError
from server.template.operators import check_pattern, condition
from server.template.predicates import BOOLEAN, Run, call_predicate, result_type
from server.template.scope import Frame, Function, NilArgument, Scope, call_flat, call_member
from server.template.syntax import PREDICATES
from server.template.types import Type
from server.template.values import cut, fetch, is_number, multiply, subtract, type_name


def compile_node(node: n.Node, scope: Scope) -> Run:
    """Check an expression against the names of a scope, and compile it.

    The result may run on any scope whose names are of the same kinds.

    Raises:
        ExpressionError: an undefined name, or operands that cannot fit.
    """
    return _Compiler(scope).compile(node).run


class _Compiler:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._strict = True
        self._lets: dict[str, Type] = {}
        self._elements: list[Type] = []
        self._by_class: dict[type[n.Node], Callable[[n.Node], Code]] = {
            n.Literal: self._literal,  # type: ignore[dict-item]
            n.Name: self._name,  # type: ignore[dict-item]
            n.Pointer: self._pointer,  # type: ignore[dict-item]
            n.Array: self._array,  # type: ignore[dict-item]
            n.Map: self._map,  # type: ignore[dict-item]
            n.Unary: self._unary,  # type: ignore[dict-item]
            n.Chain: self._chain,  # type: ignore[dict-item]
            n.Conditional: self._conditional,  # type: ignore[dict-item]
            n.Member: self._member,  # type: ignore[dict-item]
            n.Optional: self._optional,  # type: ignore[dict-item]
            n.Slice: self._slice,  # type: ignore[dict-item]
            n.Call: self._call,  # type: ignore[dict-item]
            n.Builtin: self._builtin,  # type: ignore[dict-item]
            n.Let: self._let,  # type: ignore[dict-item]
            n.Sequence: self._sequence,  # type: ignore[dict-item]
        }

    def compile(self, node: n.Node) -> Code:
        return self._by_class[type(node)](node)

    def _refuse(self, reason: str, at: int, *, missing: str = "") -> None:
        """Raise, unless checks are left to the evaluation here."""
        if self._strict:
            raise ExpressionError(reason, offset=at, missing=missing)

    # ---- values ------------------------------------------------------------------------------

    def _literal(self, node: n.Literal) -> Code:
        value = node.value
        names = {str: t.STRING, bool: t.BOOL, int: t.INT, float: t.FLOAT}
        return Code(names.get(type(value), t.NIL), lambda frame: value)

    def _name(self, node: n.Name) -> Code:
        name = node.name
        if name in self._lets:
            return Code(self._lets[name], lambda frame: frame.lets[name])
        if name == "$env":
            return Code(t.MAP, lambda frame: frame.scope.everything())
        return Code(self._type_of_name(name, node.at), lambda frame: frame.scope.get(name))

    def _type_of_name(self, name: str, at: int) -> Type:
        kind = self._scope.kind(name)
        if kind is None:
            self._refuse(f"unknown name {name}", at, missing=name)
            return t.ANY
        return t.NAMED[kind] if isinstance(kind, str) else t.FUNC

    def _pointer(self, node: n.Pointer) -> Code:
        if node.name == "":
            return Code(self._elements[-1] if self._elements else t.ANY, lambda frame: frame.element)
        if node.name == "index":
            return Code(t.INT, lambda frame: frame.index)
        if node.name == "acc":
            return Code(t.ANY, lambda frame: frame.accumulator)
        raise ExpressionError(f"unknown pointer #{node.name}", offset=node.at)

    def _array(self, node: n.Array) -> Code:
        items = [self.compile(item) for item in node.items]
        runs = [item.run for item in items]
        kinds = {item.type.kind for item in items}
        kind = Type("array", items[0].type) if len(kinds) == 1 else t.ARRAY
        return Code(kind, lambda frame: [run(frame) for run in runs])

    def _map(self, node: n.Map) -> Code:
        pairs = [(self.compile(key).run, self.compile(value).run) for key, value in node.pairs]

        def run(frame: Frame) -> object:
            found: dict[str, object] = {}
            for key, value in pairs:
                name = key(frame)
                if not isinstance(name, str):
                    raise ExpressionError(f"a key of a map is a string, not {type_name(name)}")
                found[name] = value(frame)
            return found

        return Code(t.MAP, placed(node.at, run))

    # ---- operators ---------------------------------------------------------------------------

    def _unary(self, node: n.Unary) -> Code:
        kind, run = self.compile(node.operand)
        operator, at = node.operator, node.at
        if operator == "!":
            if kind.kind != "bool" and not kind.is_any:
                self._refuse(f"invalid operation: ! (mismatched type {kind})", at)
            return Code(t.BOOL, placed(at, lambda frame: not condition(run(frame))))
        if not kind.is_number and not kind.is_any:
            self._refuse(f"invalid operation: {operator} (mismatched type {kind})", at)

        def signed(frame: Frame) -> object:
            value = run(frame)
            if not is_number(value):
                raise ExpressionError(f"invalid operation: {operator} {type_name(value)}")
            return subtract(0, value) if isinstance(value, int) else multiply(-1, value)

        def positive(frame: Frame) -> object:
            value = run(frame)
            if not is_number(value):
                raise ExpressionError(f"invalid operation: {operator} {type_name(value)}")
            return value

        return Code(kind, placed(at, signed if operator == "-" else positive))

    def _chain(self, node: n.Chain) -> Code:
        kind, run = self.compile(node.first)
        decides = node.rest[0][0] in ("&&", "||", "??")
        steps: list[tuple[str, Run, int]] = []
        for operator, operand, at in node.rest:
            right = self.compile(operand)
            found = t.binary(operator, kind, right.type)
            if found is None:
                self._refuse(f"invalid operation: {operator} (mismatched types {kind} and {right.type})", at)
            if operator == "matches" and isinstance(operand, n.Literal) and isinstance(operand.value, str):
                check_pattern(operand.value, operand.at)
            kind = found or t.ANY
            steps.append((operator, right.run, at))
        return Code(kind, logical(run, steps) if decides else row(run, steps))

    def _conditional(self, node: n.Conditional) -> Code:
        test, yes, no = self.compile(node.condition), self.compile(node.yes), self.compile(node.no)
        if test.type.kind != "bool" and not test.type.is_any:
            self._refuse(f"non-bool expression (type {test.type}) used as condition", node.condition.at)
        decide, left, right = placed(node.at, lambda frame: condition(test.run(frame))), yes.run, no.run
        return Code(t.common(yes.type, no.type), lambda frame: left(frame) if decide(frame) else right(frame))

    # ---- members and calls -------------------------------------------------------------------

    def _member(self, node: n.Member) -> Code:
        base = self.compile(node.base)
        key = self.compile(node.key)
        kind = self._member_type(node, base.type, key.type)
        get, at, optional = base.run, node.at, node.optional
        look = key.run

        def run(frame: Frame) -> object:
            value = get(frame)
            if value is None and optional:
                raise NilBaseError
            frame.weigh(value)
            return fetch(value, look(frame))

        return Code(kind, placed(at, run))

    def _member_type(self, node: n.Member, base: Type, key: Type) -> Type:
        name = node.key.value if isinstance(node.key, n.Literal) and isinstance(node.key.value, str) else None
        if isinstance(node.base, n.Name) and node.base.name == "$env":
            if name is None or (node.optional and self._scope.kind(name) is None):
                return t.ANY
            return self._type_of_name(name, node.at)
        if base.is_any:
            return t.ANY
        if base.kind == "map":
            if key.kind not in ("string", "any"):
                self._refuse(f"cannot use {key} to get an element from a map", node.at)
            return t.ANY
        if base.kind == "array":
            if key.kind not in ("int", "any"):
                self._refuse(f"array elements can only be selected using an integer (got {key})", node.at)
            return base.item
        if base.kind == "role" and name in t.ROLE_FIELDS:
            return t.STRING
        self._refuse(f"type {base} has no field {name}" if name else f"type {base}[{key}] is undefined", node.at)
        return t.ANY

    def _optional(self, node: n.Optional) -> Code:
        body = self.compile(node.body)

        def run(frame: Frame) -> object:
            try:
                return body.run(frame)
            except NilBaseError:
                return None

        return Code(body.type, run)

    def _slice(self, node: n.Slice) -> Code:
        base = self.compile(node.base)
        if base.type.kind not in ("array", "string", "any"):
            self._refuse(f"cannot slice {base.type}", node.at)
        bounds: list[Run] = []
        for bound in (node.start, node.stop):
            code = self.compile(bound) if bound else Code(t.INT, lambda frame: None)
            if code.type.kind not in ("int", "any"):
                self._refuse(f"non-integer slice index {code.type}", node.at)
            bounds.append(code.run)
        start, stop = bounds
        return Code(base.type, placed(node.at, lambda frame: cut(base.run(frame), start(frame), stop(frame))))

    def _call(self, node: n.Call) -> Code:
        if isinstance(node.callee, n.Name) and node.callee.name not in self._lets:
            return self._call_name(node, node.callee)
        callee = self.compile(node.callee)
        if not callee.type.is_any and callee.type.kind != "func":
            self._refuse(f"{callee.type} is not callable", node.at)
        arguments = self._unchecked(node.arguments)

        def run(frame: Frame) -> object:
            return call_member(callee.run(frame), _weighed(arguments, frame), frame.scope)

        return Code(t.ANY, placed(node.at, run))

    def _call_name(self, node: n.Call, callee: n.Name) -> Code:
        kind = self._type_of_name(callee.name, callee.at)
        function = self._scope.get(callee.name)
        if isinstance(function, Function):
            arguments = self._given_to(function, node)
            result = t.NAMED[function.result]
        else:
            if not kind.is_any:
                self._refuse(f"{kind} is not callable", node.at)
            arguments, result = self._unchecked(node.arguments), t.ANY
        name = callee.name

        def run(frame: Frame) -> object:
            return call_flat(frame.scope.get(name), _weighed(arguments, frame), frame.scope)

        return Code(result, placed(node.at, run))

    def _given_to(self, function: Function, node: n.Call) -> list[Run]:
        """Compile the arguments of a function called by its bare name, whose types are known."""
        if len(node.arguments) != len(function.parameters):
            few = len(node.arguments) < len(function.parameters)
            self._refuse(f"{'not enough' if few else 'too many'} arguments to call a function", node.at)
        runs: list[Run] = []
        for index, argument in enumerate(node.arguments):
            wanted = function.parameters[index] if index < len(function.parameters) else "any"
            undefined = isinstance(argument, n.Name) and self._scope.kind(argument.name) is None
            if undefined and argument.name not in self._lets and function.nil is not NilArgument.UNDEFINED:  # type: ignore[attr-defined]
                runs.extend(self._unchecked((argument,)))
                continue
            code = self.compile(argument)
            if wanted != "any" and code.type.kind not in (wanted, "any"):
                self._refuse(f"cannot use {code.type} as argument (type {wanted})", argument.at)
            runs.append(code.run)
        return runs

    def _unchecked(self, arguments: tuple[n.Node, ...]) -> list[Run]:
        strict, self._strict = self._strict, False
        try:
            return [self.compile(argument).run for argument in arguments]
        finally:
            self._strict = strict

    def _builtin(self, node: n.Builtin) -> Code:
        if node.name in PREDICATES:
            return self._predicate(node)
        name, function = node.name, FUNCTIONS[node.name]
        codes = [self.compile(argument) for argument in node.arguments]
        if not function.takes(len(codes)):
            raise ExpressionError(f"wrong number of arguments for {name}: {len(codes)}", offset=node.at)
        for index, code in enumerate(codes):
            if not code.type.is_any and code.type.kind not in ACCEPTS[function.parameter(index)]:
                self._refuse(f"invalid argument for {name} (type {code.type})", node.arguments[index].at)
        runs = [code.run for code in codes]

        def run_builtin(frame: Frame) -> object:
            result = call_builtin(name, _weighed(runs, frame, 8))
            frame.weigh(result)
            return result

        kind = codes[0].type.item if name in ("first", "last") else t.NAMED[function.result]
        return Code(kind, placed(node.at, run_builtin))

    def _predicate(self, node: n.Builtin) -> Code:
        name = node.name
        collection = self.compile(node.arguments[0])
        if collection.type.kind not in ("array", "any"):
            self._refuse(f"builtin {name} takes only an array (got {collection.type})", node.arguments[0].at)
        predicate: Code | None = None
        if len(node.arguments) > 1:
            self._elements.append(collection.type.item)
            try:
                predicate = self.compile(node.arguments[1])
            finally:
                self._elements.pop()
            if name in BOOLEAN and predicate.type.kind not in ("bool", "any"):
                self._refuse(f"a predicate is a condition: expected bool, got {predicate.type}", node.arguments[1].at)
        given = len(node.arguments) > 2
        extra: Run = self.compile(node.arguments[2]).run if given else lambda frame: None
        body = predicate.run if predicate else None

        def run(frame: Frame) -> object:
            return call_predicate(name, frame, collection.run(frame), body, extra(frame), given)

        kind = result_type(name, collection.type, predicate.type if predicate else None)
        return Code(kind, placed(node.at, run))

    def _let(self, node: n.Let) -> Code:
        name = node.name
        if name in self._lets or self._scope.kind(name) is not None or name in FUNCTIONS or name in PREDICATES:
            raise ExpressionError(f"cannot redeclare {name}", offset=node.at)
        value = self.compile(node.value)
        self._lets[name] = value.type
        try:
            body = self.compile(node.body)
        finally:
            del self._lets[name]

        def run(frame: Frame) -> object:
            inner = frame.inner()
            inner.lets[name] = value.run(frame)
            return body.run(inner)

        return Code(body.type, run)

    def _sequence(self, node: n.Sequence) -> Code:
        codes = [self.compile(item) for item in node.items]
        if len(codes) == 1:
            return codes[0]
        runs = [code.run for code in codes]
        return Code(codes[-1].type, lambda frame: [run(frame) for run in runs][-1])


def _weighed(arguments: list[Run], frame: Frame, shift: int = 4) -> list[object]:
    """Evaluate arguments, and count what a function may have to do with them."""
    values = [run(frame) for run in arguments]
    for value in values:
        frame.weigh(value, shift)
    return values
