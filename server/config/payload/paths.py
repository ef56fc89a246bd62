"""``a.b.0``, ``a["b"]``, ``f(x)``: what a name with its members and calls stands for.

Members are those of maps, lists, texts and records; nothing else can be reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from occ.errors import AliecsError
from server.config.payload.characters import to_bytes
from server.config.payload.errors import PayloadError
from server.config.payload.expressions import Expression, located
from server.config.payload.frame import Frame
from server.config.payload.tokens import Token
from server.config.payload.values import Byte, Record, Routine, integer, is_function, kind, text
from server.template.functions import UTILITIES
from server.template.scope import Function


@dataclass(slots=True, eq=False)
class Part:
    """One member of a path."""

    name: str = ""
    index: int = -1
    subscript: Expression | None = None
    arguments: list[Expression] | None = None
    """Of a call; None if it is not called."""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    token: Token
    parts: list[Part] = field(default_factory=list)
    is_safe = False

    def shown(self) -> str:
        """Return the path for messages."""
        words = [part.name or (str(part.index) if part.index >= 0 else "[…]") for part in self.parts[:_SHOWN]]
        return ".".join(words) + (".…" if len(self.parts) > _SHOWN else "")

    def evaluate(self, frame: Frame) -> object:
        frame.run.budget.step()
        try:
            return self._resolve(frame)
        except PayloadError as error:
            raise located(self.token, error) from error.__cause__

    def _resolve(self, frame: Frame) -> object:
        first = self.parts[0]
        exists, value = frame.knows(first.name), frame.get(first.name)
        for number, part in enumerate(self.parts):
            if number:
                exists, value = self._member(part, value, frame)
            if not exists:
                return None
            if part.arguments is not None or is_function(value):
                value = self._call(value, part.arguments or [], frame)
            if value is None:
                return None
        return value

    def _member(self, part: Part, value: object, frame: Frame) -> tuple[bool, object]:
        """Return whether there is such a member, and it."""
        if part.subscript is not None:
            return self._subscript(part.subscript, value, frame)
        if part.index >= 0:
            if isinstance(value, (str, list, tuple)):
                return _at(value, part.index)
            raise PayloadError(f"{self.shown()}: no index in a value of type {kind(value)}")
        if isinstance(value, Record) and not is_function(value):
            method = value.method(part.name)
            return (True, method()) if method else _key(value.fields(), part.name)
        if isinstance(value, dict):
            return _key(value, part.name)
        raise PayloadError(f"{self.shown()}: no field {part.name!r} in a value of type {kind(value)}")

    def _subscript(self, subscript: Expression, value: object, frame: Frame) -> tuple[bool, object]:
        if isinstance(value, (str, list, tuple)):
            return _at(value, integer(subscript.evaluate(frame)))
        if isinstance(value, Record) and not is_function(value):
            return _key(value.fields(), text(subscript.evaluate(frame)))
        if isinstance(value, dict):
            key = subscript.evaluate(frame)
            if key is None:
                raise PayloadError(f"{self.shown()}: the key is not defined")
            return _key(value, str(key)) if isinstance(key, str) else (False, None)
        raise PayloadError(f"{self.shown()}: no index in a value of type {kind(value)}")

    def _call(self, function: object, arguments: list[Expression], frame: Frame) -> object:
        if isinstance(function, Routine):
            return function.run([argument.evaluate(frame) for argument in arguments])
        if not isinstance(function, Function):
            raise PayloadError(f"{self.shown()} is not a function but of type {kind(function)}")
        wanted = len(function.parameters)
        if len(arguments) != wanted:
            raise PayloadError(f"{self.shown()} takes {wanted} arguments, {len(arguments)} are given")
        given: list[object] = []
        for argument, expected in zip(arguments, function.parameters, strict=True):
            value = argument.evaluate(frame)
            if expected == "any" and isinstance(value, Record) and not is_function(value):
                raise PayloadError(f"{self.shown()}: {kind(value)} cannot be given to a function")
            if expected != "any" and kind(value) != expected:
                undefined = value is None
                raise PayloadError(
                    f"{self.shown()}: argument {len(given) + 1} must be of type {expected}, found "
                    f"{'nothing' if undefined else kind(value)}",
                    hint="the variable is not defined" if undefined else "",
                )
            frame.run.budget.wrote(value)
            given.append(str(value) if isinstance(value, str) else value)
        try:
            result = function.work(frame.run.scope, *given) if function.scoped else function.work(*given)
        except PayloadError:
            raise
        except AliecsError as error:
            raise PayloadError(f"{self.shown()}: {error.message}", hint=error.hint) from error
        frame.run.budget.wrote(result)
        return tuple(map(str, result)) if function is _SORT and isinstance(result, list) else result


_SHOWN = 8
"""Parts of a path that an error shows."""


def _at(value: str | list[object] | tuple[str, ...], index: int) -> tuple[bool, object]:
    """Return an element; of a text, one byte as a number."""
    sequence = to_bytes(value) if isinstance(value, str) else value
    if not 0 <= index < len(sequence):
        return False, None
    return True, Byte(sequence[index]) if isinstance(sequence, bytes) else sequence[index]


def _key(fields: object, name: str) -> tuple[bool, object]:
    assert isinstance(fields, dict)
    return name in fields, fields.get(name)


_JSON = UTILITIES["json"]
_SORT = _JSON["Sort"] if isinstance(_JSON, dict) else None
"""Its list is one of texts, of another type than lists from JSON."""
