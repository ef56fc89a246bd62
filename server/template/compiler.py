"""From the tree of an expression to code, with the checks that come before any evaluation (workflows-config.md 6.2, 6.5).

Below a call through a dotted name nothing is checked in advance, which is why undefined names are tolerated there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from server.template import nodes as n
from server.template import types as t
from server.template.builtins import DATE_IN_ZONE, FUNCTIONS, call_builtin, static_result
from server.template.code import (
    Checks,
    Code,
    Step,
    calling,
    coalescing,
    ending_at_nil,
    fetching,
    folded,
    function_name,
    is_env,
    logical,
    mapped,
    member_type,
    method_of,
    placed,
    row,
    spend_on_times,
    sum_of,
    weighed,
    work_of,
)
from server.template.errors import ExpressionError
from server.template.methods import Method
from server.template.operators import check_pattern, condition
from server.template.predicates import BOOLEAN, POINTERS, Run, call_predicate, result_type
from server.template.scope import Frame, Function, Scope, call_flat
from server.template.syntax import PREDICATES
from server.template.types import Type
from server.template.values import cut, negative


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
        self._checks = Checks.ALL
        self._doubtful = False
        """Something in the node at hand does not fit."""
        self._lets: dict[str, Type] = {}
        self._predicates: list[tuple[str, Type]] = []
        """Those around the node at hand, with the types of their elements."""
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
        outer, self._doubtful = self._doubtful, False
        code = self._by_class[type(node)](node)
        if self._doubtful or self._checks is Checks.NONE:
            code = code._replace(type=t.UNKNOWN)
        self._doubtful = outer
        return code

    def _refuse(self, reason: str, at: int, *, missing: str = "") -> None:
        """Raise, unless checks are left to the evaluation here."""
        if self._checks is Checks.ALL:
            raise ExpressionError(reason, offset=at, missing=missing)
        self._doubtful = True

    def _with(self, checks: Checks, nodes: Iterable[n.Node]) -> list[Code]:
        """Compile nodes with no more checks than these."""
        outer = self._checks
        if outer is not Checks.NONE:
            self._checks = checks
        try:
            return [self.compile(node) for node in nodes]
        finally:
            self._checks = outer

    # ---- values ------------------------------------------------------------------------------

    def _literal(self, node: n.Literal) -> Code:
        value = node.value
        names = {str: t.STRING, bool: t.BOOL, int: t.INT, float: t.FLOAT}
        return Code(names.get(type(value), t.NIL), lambda frame: value, value)

    def _name(self, node: n.Name) -> Code:
        name = node.name
        if name in self._lets:
            return Code(self._lets[name], lambda frame: frame.lets[name])
        if name == "$env":
            return Code(t.UNKNOWN, lambda frame: frame.scope.everything())
        if self._scope.kind(name) is None and (name in FUNCTIONS or name in PREDICATES):
            return Code(t.FUNC, lambda frame: None)
        return Code(self._type_of_name(name, node.at), lambda frame: frame.scope.get(name))

    def _type_of_name(self, name: str, at: int) -> Type:
        kind = self._scope.kind(name)
        if kind is None:
            self._refuse(f"unknown name {name}", at, missing=name)
            return t.UNKNOWN
        return t.NAMED[kind] if isinstance(kind, str) else t.FUNC

    def _pointer(self, node: n.Pointer) -> Code:
        predicate, element = self._predicates[-1] if self._predicates else ("", t.UNKNOWN)
        known = POINTERS.get(predicate, {})
        if node.name == "":
            return Code(element, lambda frame: frame.element)
        if node.name not in ("index", "acc") or (self._checks is Checks.ALL and node.name not in known):
            raise ExpressionError(f"unknown pointer #{node.name}", offset=node.at)
        if node.name == "index":
            return Code(known.get("index", t.UNKNOWN), lambda frame: frame.index)
        return Code(t.UNKNOWN, lambda frame: frame.accumulator)

    def _array(self, node: n.Array) -> Code:
        items = [self.compile(item) for item in node.items]
        runs = [item.run for item in items]
        shapes = {item.type.shape for item in items}
        kind = t.ARRAY if len(shapes) > 1 else t.array_of(items[-1].type if items else t.UNKNOWN)
        return Code(kind, lambda frame: [run(frame) for run in runs])

    def _map(self, node: n.Map) -> Code:
        pairs = [(self.compile(key).run, self.compile(value).run) for key, value in node.pairs]
        return Code(t.MAP, placed(node.at, mapped(pairs)))

    # ---- operators ---------------------------------------------------------------------------

    def _unary(self, node: n.Unary) -> Code:
        kind, run, constant = self.compile(node.operand)
        operator, at = node.operator, node.at
        if operator == "!":
            if kind.kind != "bool" and not kind.is_any:
                self._refuse(f"invalid operation: ! (mismatched type {kind})", at)
            value = not constant if isinstance(constant, bool) else None
            return Code(t.BOOL, placed(at, lambda frame: not condition(run(frame))), value)
        if not kind.is_number and not kind.is_any:
            self._refuse(f"invalid operation: {operator} (mismatched type {kind})", at)
        kind = t.UNKNOWN if kind.is_any else kind
        is_number = isinstance(constant, (int, float)) and not isinstance(constant, bool)
        if operator == "+":
            return Code(kind, run, constant if is_number else None)
        folded = negative(constant) if is_number else None
        return Code(kind, placed(at, lambda frame: negative(run(frame))), folded)

    def _chain(self, node: n.Chain) -> Code:
        code = self.compile(node.first)
        steps: list[Step] = []
        for operator, operand, at in node.rest:
            right = self.compile(operand)
            kind = t.binary(operator, code.type, right.type)
            if kind is None:
                self._refuse(f"invalid operation: {operator} (mismatched types {code.type} and {right.type})", at)
            if operator == "matches" and isinstance(right.constant, str):
                check_pattern(right.constant, operand.at)
            if operator in ("&&", "||"):
                code = logical(code, operator, right, at)._replace(type=kind or t.UNKNOWN)
                continue
            if operator == "??":
                code = Code(kind or t.UNKNOWN, coalescing(code.run, right.run))
                continue
            steps.append(Step(work_of(operator, operand, code.type, right.type), right.run, at))
            code = Code(kind or t.UNKNOWN, code.run, folded(operator, code, right, at))
        return code._replace(run=row(code.run, steps)) if steps else code

    def _conditional(self, node: n.Conditional) -> Code:
        test, yes, no = self.compile(node.condition), self.compile(node.yes), self.compile(node.no)
        if test.type.kind != "bool" and not test.type.is_any:
            self._refuse(f"non-bool expression (type {test.type}) used as condition", node.condition.at)
        decide, left, right = placed(node.at, lambda frame: condition(test.run(frame))), yes.run, no.run
        return Code(t.common(yes.type, no.type), lambda frame: left(frame) if decide(frame) else right(frame))

    # ---- members and calls -------------------------------------------------------------------

    def _member(self, node: n.Member) -> Code:
        base = self.compile(node.base)
        (key,) = self._with(Checks.NONE if is_env(node.base) else self._checks, [node.key])
        kind = self._member_type(node, base.type, key.type)
        return Code(kind, placed(node.at, fetching(base.run, key.run, node.optional)))

    def _member_type(self, node: n.Member, base: Type, key: Type) -> Type:
        name = node.key.value if isinstance(node.key, n.Literal) and isinstance(node.key.value, str) else None
        if is_env(node.base):
            if name is None or (node.optional and self._scope.kind(name) is None):
                return t.UNKNOWN
            return self._type_of_name(name, node.at)
        kind = member_type(base, key, name)
        if kind is None:
            field = f"type {base} has no field {name}" if name else f"type {base}[{key}] is undefined"
            self._refuse(field if base.kind not in ("map", "array") else f"{key} is no key of {base}", node.at)
        return kind or t.UNKNOWN

    def _optional(self, node: n.Optional) -> Code:
        body = self.compile(node.body)
        return Code(body.type, ending_at_nil(body.run))

    def _slice(self, node: n.Slice) -> Code:
        base = self.compile(node.base)
        if base.type.kind not in ("array", "string") and not base.type.is_any:
            self._refuse(f"cannot slice {base.type}", node.at)
        bounds: list[Run] = []
        checks = Checks.NONE if base.type.is_any else self._checks
        for bound, default in ((node.start, 0), (node.stop, sys.maxsize)):
            (code,) = self._with(checks, [bound or n.Literal(node.at, default)])
            if not code.type.is_integer and not code.type.is_any:
                self._refuse(f"non-integer slice index {code.type}", node.at)
            bounds.append(code.run)
        start, stop = bounds
        kind = t.UNKNOWN if base.type.is_any else base.type
        return Code(kind, placed(node.at, lambda frame: cut(base.run(frame), start(frame), stop(frame))))

    def _call(self, node: n.Call) -> Code:
        name = function_name(node.callee)
        if name and name not in self._lets and self._checks is not Checks.NONE:
            return self._call_name(node, name)
        callee = self._callee(node.callee)
        method = method_of(callee.type)
        if method is not None:
            return self._call_method(node, callee.run, method)
        if not callee.type.is_any and callee.type.kind != "func":
            self._refuse(f"{callee.type} is not callable", node.at)
        arguments = [code.run for code in self._with(Checks.NONE, node.arguments)]
        return Code(t.UNKNOWN, placed(node.at, calling(callee.run, arguments)))

    def _callee(self, node: n.Node) -> Code:
        """Compile what is called; AliECS passes over what is wrong inside of it if it is a method all the same."""
        doubtful = self._doubtful
        try:
            return self.compile(node)
        except ExpressionError:
            self._doubtful = doubtful
            if self._checks is Checks.ALL:
                (code,) = self._with(Checks.TYPES, [node])
                if method_of(code.type) is not None:
                    return code
            raise

    def _call_method(self, node: n.Call, callee: Run, method: Method) -> Code:
        """Compile the call of a method that is known in advance, on a time or the like."""
        if method.results > 2:
            self._refuse("a function with more than two results is none to call", node.at)
        arguments = self._given(method.parameters, Checks.TYPES, node)
        return Code(t.NAMED[method.result], placed(node.at, calling(callee, arguments, method)))

    def _call_name(self, node: n.Call, name: str) -> Code:
        kind = self._type_of_name(name, node.callee.at)
        function = self._scope.get(name)
        if isinstance(function, Function):
            arguments = self._given_to(function, node)
            result = t.NAMED[function.result]
        else:
            if not kind.is_any:
                self._refuse(f"{kind} is not callable", node.at)
            arguments, result = [code.run for code in self._with(Checks.NONE, node.arguments)], t.UNKNOWN

        def run(frame: Frame) -> object:
            return call_flat(frame.scope.get(name), weighed(arguments, frame), frame.scope)

        return Code(result, placed(node.at, run))

    def _given_to(self, function: Function, node: n.Call) -> list[Run]:
        """Compile the arguments of a function called by its bare name, whose types are known.

        AliECS checks twice and passes over a call whose type it knows already: what is wrong inside the arguments
        shows only if the function gives anything at all, or in the evaluation.
        """
        checks = self._checks if function.result == "any" else Checks.TYPES
        return self._given(function.parameters, checks, node)

    def _given(self, parameters: tuple[str, ...], checks: Checks, node: n.Call) -> list[Run]:
        codes = self._with(checks, node.arguments)
        if len(codes) != len(parameters):
            few = len(codes) < len(parameters)
            self._refuse(f"{'not enough' if few else 'too many'} arguments to call a function", node.at)
        for code, wanted, argument in zip(codes, parameters, node.arguments, strict=False):
            if wanted != "any" and not code.type.is_any and not t.given_as(code.type, wanted):
                self._refuse(f"cannot use {code.type} as argument (type {wanted})", argument.at)
        return [code.run for code in codes]

    def _builtin(self, node: n.Builtin) -> Code:
        if node.name in PREDICATES:
            return self._predicate(node)
        name, function = node.name, FUNCTIONS[node.name]
        codes = [self.compile(argument) for argument in node.arguments]
        runs = [code.run for code in codes]
        if name == "date" and codes and codes[0].type.kind == "location":
            function = DATE_IN_ZONE
        if not function.takes(len(codes)):
            self._refuse(f"wrong number of arguments for {name}: {len(codes)}", node.at)
            return Code(t.UNKNOWN, placed(node.at, lambda frame: call_builtin(name, function, weighed(runs, frame, 8))))
        kind = static_result(name, [code.type for code in codes])
        if kind is None:
            shown = ", ".join(str(code.type) for code in codes)
            self._refuse(f"invalid argument for {name} (type {shown})", node.at)
        if name == "get" and is_env(node.arguments[0]):
            key = codes[1].constant
            known = self._scope.kind(key) is not None if isinstance(key, str) else False
            kind = self._type_of_name(str(key), node.at) if known else t.UNKNOWN

        def run_builtin(frame: Frame) -> object:
            given = weighed(runs, frame, 8)
            if name == "date":
                spend_on_times(given, frame, 200)
            result = call_builtin(name, function, given)
            frame.weigh(result)
            return result

        return Code(kind or t.UNKNOWN, placed(node.at, run_builtin))

    def _predicate(self, node: n.Builtin) -> Code:
        name = node.name
        collection = self.compile(node.arguments[0])
        if collection.type.kind != "array" and not collection.type.is_any:
            self._refuse(f"builtin {name} takes only an array (got {collection.type})", node.arguments[0].at)
        predicate: Code | None = None
        if len(node.arguments) > 1:
            element = t.UNKNOWN if collection.type.is_any else collection.type.item
            self._predicates.append((name, element))
            try:
                predicate = self.compile(node.arguments[1])
            finally:
                self._predicates.pop()
            kind = predicate.type.kind
            if kind == "nil" or (name in BOOLEAN and kind != "bool" and not predicate.type.is_any):
                self._refuse(f"a predicate is a condition: expected bool, got {predicate.type}", node.arguments[1].at)
        given = len(node.arguments) > 2
        extra: Run = self.compile(node.arguments[2]).run if given else lambda frame: None
        body = predicate.run if predicate else None

        def run(frame: Frame) -> object:
            return call_predicate(name, frame, collection.run(frame), body, extra(frame), given)

        result = result_type(name, collection.type, predicate.type if predicate else None)
        if name == "sum" and predicate is None and isinstance(node.arguments[0], n.Array):
            added = sum_of([self.compile(item) for item in node.arguments[0].items])
            return Code(result, placed(node.at, added or run))
        return Code(result, placed(node.at, run))

    def _let(self, node: n.Let) -> Code:
        name = node.name
        if name in self._lets or self._scope.kind(name) is not None or name in FUNCTIONS or name in PREDICATES:
            self._refuse(f"cannot redeclare {name}", node.at)
        value = self.compile(node.value)
        outer = self._lets
        self._lets = {**outer, name: value.type}
        try:
            body = self.compile(node.body)
        finally:
            self._lets = outer

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
