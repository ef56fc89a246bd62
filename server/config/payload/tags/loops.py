"""Tags that repeat: for, cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.config.payload.characters import from_bytes, to_bytes
from server.config.payload.cursor import Cursor
from server.config.payload.document import Document
from server.config.payload.errors import LimitError, PayloadError
from server.config.payload.expressions import Expression, located
from server.config.payload.frame import Frame, Node, Output, State, execute_all
from server.config.payload.syntax import expression
from server.config.payload.tokens import Token
from server.config.payload.values import Record, text


class Loop(Record):
    """``forloop``: where a loop is."""

    __slots__ = ("count", "counter", "first", "last", "parent")
    TYPE = "tagForLoopInformation"

    def __init__(self, parent: Loop | None) -> None:
        self.parent = parent
        self.counter = 0
        self.count = 0
        self.first = True
        self.last = False

    def move(self, index: int, count: int) -> None:
        """Go to an element. What was the first stays so until the second, what was the last stays so."""
        self.counter, self.count = index + 1, count
        self.first = self.first and index != 1
        self.last = self.last or index + 1 == count

    def fields(self) -> Mapping[str, object]:
        before = self.counter == 0  # only the expression that is looped over is evaluated before the first element
        return {
            "Counter": self.counter,
            "Counter0": 0 if before else self.counter - 1,
            "Revcounter": 0 if before else self.count - self.counter + 1,
            "Revcounter0": 0 if before else self.count - self.counter,
            "First": self.first,
            "Last": self.last,
            "Parentloop": self.parent,
        }


@dataclass(frozen=True, slots=True, eq=False)
class For:
    token: Token
    key: str
    value: str
    """Name for the values of a map, "" if none is given."""
    iterable: Expression
    is_reversed: bool
    is_sorted: bool
    nodes: tuple[Node, ...]
    empty: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        inner = frame.child()
        outer = inner.private.get("forloop")
        if outer is not None and not isinstance(outer, Loop):
            raise located(self.token, PayloadError("forloop is set to something else", hint="use another name"))
        loop = Loop(outer)
        inner.private["forloop"] = loop
        items = self._items(self.iterable.evaluate(inner), inner)
        try:
            for index, key, value in items:
                inner.run.budget.step()
                inner.private[self.key] = key
                if value is not None:
                    inner.private[self.value] = value[0]
                loop.move(index, len(items))
                execute_all(self.nodes, inner, output)
        except LimitError as error:
            raise located(self.token, error) from error.__cause__
        if not items:
            execute_all(self.empty, inner, output)

    def _items(self, iterable: object, frame: Frame) -> list[tuple[int, object, tuple[object] | None]]:
        """Return index, key or element, and of a map the value, in order."""
        frame.run.budget.read(iterable)
        if isinstance(iterable, dict):
            keys = sorted(iterable, reverse=self.is_reversed and self.is_sorted)
            return [(index, key, (iterable[key],)) for index, key in enumerate(keys)]
        if isinstance(iterable, str):
            return self._characters(iterable)
        if not isinstance(iterable, (list, tuple)):
            return []
        elements: list[object] = list(iterable)
        if not self.is_sorted:
            elements = elements[::-1] if self.is_reversed else elements
        elif isinstance(iterable, tuple):  # the elements of other lists have no order
            elements = sorted(elements, key=text, reverse=self.is_reversed)
        return [(index, element, None) for index, element in enumerate(elements)]

    def _characters(self, iterable: str) -> list[tuple[int, object, tuple[object] | None]]:
        """Return the bytes of a text, each as a text; backwards with their own indices."""
        if self.is_sorted:
            raise located(self.token, PayloadError("a text cannot be sorted", hint="use x|make_list"))
        data = to_bytes(iterable)
        found: list[tuple[int, object, tuple[object] | None]] = [
            (index, from_bytes(bytes((byte,))), None) for index, byte in enumerate(data)
        ]
        return found[::-1] if self.is_reversed else found


def read_for(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% for x in list [reversed] [sorted] %}…{% empty %}…{% endfor %}``."""
    key = arguments.need_name("the name of a variable").text
    value = arguments.need_name("the name of a second variable").text if arguments.symbol(",") else ""
    if arguments.keyword("in") is None:
        raise arguments.error("expected 'in'")
    iterable = expression(arguments)
    is_reversed = arguments.name("reversed") is not None
    is_sorted = arguments.name("sorted") is not None
    arguments.end("for")
    body = document.plain_body("empty", "endfor")
    empty = document.plain_body("endfor").nodes if body.end == "empty" else ()
    return For(name, key, value, iterable, is_reversed, is_sorted, body.nodes, empty)


class CycleValue(Record):
    """What ``{% cycle … as name %}`` sets: its current value."""

    __slots__ = ("cycle", "state", "value")
    TYPE = "tagCycleValue"

    def __init__(self, cycle: Cycle, state: State, value: object) -> None:
        self.cycle = cycle
        self.state = state
        self.value = value

    def method(self, name: str) -> Callable[[], object] | None:
        return self.shown if name == "String" else None

    def shown(self) -> str:
        return text(self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    token: Token
    values: tuple[Expression, ...]
    name: str
    silent: bool

    def execute(self, frame: Frame, output: Output) -> None:
        if not self.values:
            raise located(self.token, PayloadError("cycle: no values"))
        value = self.next(frame, frame.state)
        if isinstance(value, CycleValue):  # {% cycle name %}: the cycle of that name goes on
            silent = value.cycle.silent
            value.value = value.cycle.next(frame, value.state)
            value = value.value
        else:
            silent = self.silent
            if self.name:
                frame.private[self.name] = CycleValue(self, frame.state, value)
        if not silent:
            output.write(text(value))

    def next(self, frame: Frame, state: State) -> object:
        """Return the next value."""
        index = state.get(self, 0)
        assert isinstance(index, int)
        state[self] = index + 1
        return self.values[index % len(self.values)].evaluate(frame)


def read_cycle(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% cycle a b [as name [silent]] %}``."""
    values: list[Expression] = []
    given, silent = "", False
    while arguments.remains:
        values.append(expression(arguments))
        if arguments.keyword("as"):
            given = arguments.need_name("a name after 'as'").text
            silent = arguments.name("silent") is not None
            break
    arguments.end("cycle")
    return Cycle(name, tuple(values), given, silent)
