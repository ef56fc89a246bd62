"""Tags about the text itself: autoescape, comment, filter, spaceless, templatetag, now, widthratio."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from server.config.payload.cursor import Cursor
from server.config.payload.document import Document, Text
from server.config.payload.expressions import Expression, FilterCall
from server.config.payload.frame import Frame, Node, Output, captured, execute_all
from server.config.payload.numbers import divide, truncate
from server.config.payload.syntax import expression, filter_call
from server.config.payload.tags.entries import Nothing
from server.config.payload.tokens import Kind, Token
from server.config.payload.values import floating, text
from server.template.layouts import formatted
from server.template.moments import moment_of, now
from server.template.zones import UTC


@dataclass(frozen=True, slots=True, eq=False)
class Autoescape:
    escapes: bool
    nodes: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        before = frame.escapes
        frame.escapes = self.escapes
        execute_all(self.nodes, frame, output)
        frame.escapes = before


def read_autoescape(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% autoescape on|off %}…{% endautoescape %}``."""
    body = document.body("endautoescape")
    mode = arguments.name("on", "off")
    if mode is None:
        raise arguments.error("autoescape: expected on or off")
    arguments.end("autoescape")
    return Autoescape(mode.text == "on", body.nodes)


def read_comment(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% comment %}…{% endcomment %}``."""
    document.skip("endcomment")
    arguments.end("comment")
    return Nothing()


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    filters: tuple[FilterCall, ...]
    nodes: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        value: object = captured(self.nodes, frame)
        for filter_ in self.filters:
            value = filter_.apply(value, frame)
        output.write(text(value))


def read_filter(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% filter lower|cut:" " %}…{% endfilter %}``."""
    body = document.body("endfilter")
    filters: list[FilterCall] = []
    while arguments.remains:
        filters.append(filter_call(arguments, arguments.need_name("the name of a filter")))
        if arguments.symbol("|") is None:
            break
    arguments.end("filter")
    return Filter(tuple(filters), body.nodes)


@dataclass(frozen=True, slots=True, eq=False)
class Spaceless:
    nodes: tuple[Node, ...]

    def execute(self, frame: Frame, output: Output) -> None:
        shown = captured(self.nodes, frame)
        while (closer := _moved_together(shown)) != shown:
            frame.run.budget.read(closer)
            shown = closer
        output.write(shown)


def read_spaceless(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% spaceless %}…{% endspaceless %}``: no white space between tags of HTML."""
    body = document.body("endspaceless")
    arguments.end("spaceless")
    return Spaceless(body.nodes)


_BETWEEN = re.compile(r">[\t\n\v\f\r ]+<")


def _moved_together(whole: str) -> str:
    """Take the space out between pairs of tags, each tag within its line; pairs do not overlap."""
    kept: list[str] = []
    at = 0
    for between in _BETWEEN.finditer(whole):
        first_line = max(at, whole.rfind("\n", at, between.start()) + 1)
        opening = whole.find("<", first_line, between.start())
        closing = whole.find(">", between.end())
        if opening < 0 or closing < 0 or whole.find("\n", between.end(), closing) >= 0:
            continue
        kept += (whole[at : between.start() + 1], whole[between.end() - 1 : closing + 1])
        at = closing + 1
    return "".join(kept) + whole[at:]


_TEMPLATE_TAGS = {
    "openblock": "{%",
    "closeblock": "%}",
    "openvariable": "{{",
    "closevariable": "}}",
    "openbrace": "{",
    "closebrace": "}",
    "opencomment": "{#",
    "closecomment": "#}",
}


def read_templatetag(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% templatetag openblock %}``: braces as text."""
    wanted = arguments.name(*_TEMPLATE_TAGS)
    if wanted is None:
        raise arguments.error("templatetag: unknown word", hint=f"known: {', '.join(_TEMPLATE_TAGS)}")
    arguments.end("templatetag")
    return Text(_TEMPLATE_TAGS[wanted.text])


@dataclass(frozen=True, slots=True, eq=False)
class Now:
    layout: str
    fixed: bool

    def execute(self, frame: Frame, output: Output) -> None:
        time = moment_of((2014, 2, 5), (18, 31, 45), 0, UTC) if self.fixed else now()
        output.write(formatted(time.clock, self.layout))


def read_now(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% now "2006-01-02 15:04:05" [fake] %}``: the time, laid out as Go does."""
    layout = arguments.take(Kind.STRING)
    if layout is None:
        raise arguments.error('now: expected a layout in quotes, such as "2006-01-02 15:04:05"')
    fixed = arguments.name("fake") is not None
    arguments.end("now")
    return Now(layout.text, fixed)


@dataclass(frozen=True, slots=True, eq=False)
class WidthRatio:
    current: Expression
    greatest: Expression
    width: Expression
    name: str

    def execute(self, frame: Frame, output: Output) -> None:
        current, greatest, width = (
            floating(value.evaluate(frame)) for value in (self.current, self.greatest, self.width)
        )
        ratio = divide(current, greatest) * width + 0.5
        value = truncate(math.ceil(ratio) if math.isfinite(ratio) else ratio)
        if self.name:
            frame.private[self.name] = value
        else:
            output.write(str(value))


def read_widthratio(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% widthratio value greatest width [as name] %}``."""
    current, greatest, width = expression(arguments), expression(arguments), expression(arguments)
    given = arguments.need_name("a name after 'as'").text if arguments.keyword("as") else ""
    arguments.end("widthratio")
    return WidthRatio(current, greatest, width, given)
