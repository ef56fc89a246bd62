"""The tag lorem: dummy text. Its words are those of pongo2, so that what is rendered is the same."""

from __future__ import annotations

import random
from dataclasses import dataclass

from server.config.payload.cursor import Cursor
from server.config.payload.document import Document
from server.config.payload.frame import Frame, Node, Output
from server.config.payload.tokens import Kind, Token
from server.config.payload.values import integer


@dataclass(frozen=True, slots=True, eq=False)
class Lorem:
    count: int
    method: str
    """w: words, p: paragraphs of HTML, b: paragraphs."""
    is_random: bool

    def execute(self, frame: Frame, output: Output) -> None:
        pieces = _WORDS if self.method == "w" else PARAGRAPHS
        for number in range(self.count):
            frame.run.budget.step()
            piece = random.choice(pieces) if self.is_random else pieces[number % len(pieces)]
            if number:
                output.write(" " if self.method == "w" else "\n")
            output.write(f"<p>{piece}</p>" if self.method == "p" else piece)


def read_lorem(document: Document, name: Token, arguments: Cursor) -> Node:
    """Read ``{% lorem [count] [w|p|b] [random] %}``."""
    count = arguments.take(Kind.NUMBER)
    method = arguments.name()
    if method is not None and method.text not in ("w", "p", "b"):
        raise arguments.error("lorem: expected w, p or b", method)
    is_random = arguments.name("random") is not None
    arguments.end("lorem")
    return Lorem(integer(count.text) if count else 1, method.text if method else "b", is_random)


PARAGRAPHS = (
    (
        "Lorem ipsum dolor sit amet, consectetur adipisici elit, sed eiusmod tempor incidunt ut labore et dolore "
        "magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquid ex ea "
        "commodi consequat. Quis aute iure reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
        "pariatur. Excepteur sint obcaecat cupiditat non proident, sunt in culpa qui officia deserunt mollit anim id "
        "est laborum."
    ),
    (
        "Duis autem vel eum iriure dolor in hendrerit in vulputate velit esse molestie consequat, vel illum dolore eu"
        " feugiat nulla facilisis at vero eros et accumsan et iusto odio dignissim qui blandit praesent luptatum "
        "zzril delenit augue duis dolore te feugait nulla facilisi. Lorem ipsum dolor sit amet, consectetuer "
        "adipiscing elit, sed diam nonummy nibh euismod tincidunt ut laoreet dolore magna aliquam erat volutpat."
    ),
    (
        "Ut wisi enim ad minim veniam, quis nostrud exerci tation ullamcorper suscipit lobortis nisl ut aliquip ex ea"
        " commodo consequat. Duis autem vel eum iriure dolor in hendrerit in vulputate velit esse molestie consequat,"
        " vel illum dolore eu feugiat nulla facilisis at vero eros et accumsan et iusto odio dignissim qui blandit "
        "praesent luptatum zzril delenit augue duis dolore te feugait nulla facilisi."
    ),
    (
        "Nam liber tempor cum soluta nobis eleifend option congue nihil imperdiet doming id quod mazim placerat facer"
        " possim assum. Lorem ipsum dolor sit amet, consectetuer adipiscing elit, sed diam nonummy nibh euismod "
        "tincidunt ut laoreet dolore magna aliquam erat volutpat. Ut wisi enim ad minim veniam, quis nostrud exerci "
        "tation ullamcorper suscipit lobortis nisl ut aliquip ex ea commodo consequat."
    ),
    (
        "Duis autem vel eum iriure dolor in hendrerit in vulputate velit esse molestie consequat, vel illum dolore eu"
        " feugiat nulla facilisis."
    ),
    (
        "At vero eos et accusam et justo duo dolores et ea rebum. Stet clita kasd gubergren, no sea takimata sanctus "
        "est Lorem ipsum dolor sit amet. Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy "
        "eirmod tempor invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua. At vero eos et accusam et"
        " justo duo dolores et ea rebum. Stet clita kasd gubergren, no sea takimata sanctus est Lorem ipsum dolor sit"
        " amet. Lorem ipsum dolor sit amet, consetetur sadipscing elitr, At accusam aliquyam diam diam dolore dolores"
        " duo eirmod eos erat, et nonumy sed tempor et et invidunt justo labore Stet clita ea et gubergren, kasd "
        "magna no rebum. sanctus sea sed takimata ut vero voluptua. est Lorem ipsum dolor sit amet. Lorem ipsum dolor"
        " sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt ut labore et dolore magna "
        "aliquyam erat."
    ),
    (
        "Consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt ut labore et dolore magna aliquyam erat,"
        " sed diam voluptua. At vero eos et accusam et justo duo dolores et ea rebum. Stet clita kasd gubergren, no "
        "sea takimata sanctus est Lorem ipsum dolor sit amet. Lorem ipsum dolor sit amet, consetetur sadipscing "
        "elitr, sed diam nonumy eirmod tempor invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua. At"
        " vero eos et accusam et justo duo dolores et ea rebum. Stet clita kasd gubergren, no sea takimata sanctus "
        "est Lorem ipsum dolor sit amet. Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy "
        "eirmod tempor invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua. At vero eos et accusam et"
        " justo duo dolores et ea rebum. Stet clita kasd gubergren, no sea takimata sanctus est Lorem ipsum dolor sit"
        " amet."
    ),
)

_WORDS = tuple(word for paragraph in PARAGRAPHS for word in paragraph.split())
