"""Where a template is in its rendering: the names it sees, whether it escapes, what its tags remember, what it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from server.config.payload.budget import MAX_TEXT, Budget
from server.config.payload.errors import LimitError
from server.template.scope import Scope

State = dict[object, object]
"""What tags remember between their executions, by node."""


class Output:
    """The text written so far."""

    __slots__ = ("_length", "_parts")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0

    def write(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise LimitError(f"the result is longer than {MAX_TEXT} characters")
        self._parts.append(text)

    def text(self) -> str:
        return "".join(self._parts)


class Node(Protocol):
    """A piece of a template: text, braces or a tag."""

    def execute(self, frame: Frame, output: Output) -> None:
        """Write what the node stands for; raises PayloadError."""
        ...


@dataclass(eq=False, slots=True)
class Template:
    """A parsed entry."""

    entry: str
    nodes: tuple[Node, ...] = ()
    blocks: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    macros: dict[str, Node] = field(default_factory=dict)
    """Those that others may import."""
    parent: Template | None = None
    """What it extends."""

    def line(self) -> tuple[Template, ...]:
        """Return the template with all it extends, the topmost first."""
        found: list[Template] = []
        template: Template | None = self
        while template is not None:
            found.append(template)
            template = template.parent
        return tuple(reversed(found))


class Source(Protocol):
    """Where included templates come from."""

    def load(self, name: str) -> Template:
        """Return the template of a name; raises PayloadError."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What all frames of one rendering share."""

    budget: Budget
    source: Source
    """Of templates whose names are only known while rendering."""
    scope: Scope
    """The variables as the functions of AliECS see them."""


@dataclass(slots=True)
class Frame:
    """One execution of a template, or of a part with names of its own."""

    run: Run
    line: tuple[Template, ...]
    public: Mapping[str, object]
    """Given to the template."""
    private: dict[str, object]
    """Made by its tags; they hide the public ones."""
    state: State
    escapes: bool = True

    def child(self) -> Frame:
        """Return a frame whose new names do not outlive it."""
        return replace(self, private=dict(self.private))

    def knows(self, name: str) -> bool:
        return name in self.private or name in self.public

    def get(self, name: str) -> object:
        """Return what a name stands for, None if nothing."""
        return self.private[name] if name in self.private else self.public.get(name)

    def names(self) -> dict[str, object]:
        """Return all names, for an included template."""
        return {**self.public, **self.private}


def execute_all(nodes: Iterable[Node], frame: Frame, output: Output) -> None:
    """Execute nodes in order."""
    for node in nodes:
        frame.run.budget.step()
        node.execute(frame, output)


def captured(nodes: Iterable[Node], frame: Frame) -> str:
    """Return what nodes write."""
    output = Output()
    execute_all(nodes, frame, output)
    text = output.text()
    frame.run.budget.wrote(text)
    return text
