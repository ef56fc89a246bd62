"""What every dialog is made of: the header above it, a framed box, facts and sentences in it, a row of choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

from rich.cells import cell_len
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen

from console.store import Key
from console.tui.painting import AtDesk, Desk, Lines, Part, Parts, plain
from console.tui.widgets.header import Header

if TYPE_CHECKING:
    from console.tui.looks import Styles

T = TypeVar("T")

CHOICE = "choice-"
"""Before the names of choices, in ids."""


class Hall(Protocol):
    """What a dialog tells the app."""

    def dialog_closed(self) -> None: ...


class Fact(NamedTuple):
    """A label and what stands behind it."""

    label: str
    value: Parts


Row = Fact | Parts
Rows = Sequence[Row]
"""Facts are aligned with each other; anything else is a sentence over the whole width, () an empty line."""


class Choice(NamedTuple):
    """One button."""

    name: str
    label: str
    kind: str = ""
    """"" for an ordinary one, "act" for what changes something, "danger" for what cannot be taken back."""


class Dialog(AtDesk, ModalScreen[T], Generic[T]):
    """Base of what stands over a screen. The header stays in sight: whose data it is, how old, armed or not."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 55%; }
    Dialog > #box {
        width: 76; max-width: 100%; height: auto; max-height: 100%; overflow-y: auto; scrollbar-size-vertical: 1;
        background: $surface; border: round $accent; padding: 1 2; border-title-style: bold;
        border-title-color: $accent; border-subtitle-color: $dim;
    }
    Dialog.-ascii > #box { border: ascii $accent; }
    Dialog.-warn > #box { border: round $warn; border-title-color: $warn; }
    Dialog.-warn.-ascii > #box { border: ascii $warn; }
    Dialog.-danger > #box { border: heavy $alarm; border-title-color: $alarm; }
    Dialog.-danger.-ascii > #box { border: ascii $alarm; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", id="dialog.leave")]

    def __init__(self, title: str, *, kind: str = "") -> None:
        super().__init__()
        self._title = title
        if kind:
            self.add_class(f"-{kind}")

    def body(self) -> ComposeResult:
        """Yield what stands in the box."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        yield Header(id="header")
        with Vertical(id="box") as box:
            box.border_title = Content(plain(self._title))
            box.border_subtitle = Content(plain(self.place))
            yield from self.body()

    def on_mount(self) -> None:
        self.set_class(self.looks.ascii, "-ascii")

    @property
    def place(self) -> str:
        """The core that an answer goes to."""
        return place_of(self.desk)

    def take(self, changed: set[Key]) -> None:
        """Show what changed."""
        self.query_one(Header).repaint()

    def tick(self) -> None:
        """Show that time passed."""
        self.query_one(Header).repaint()

    def action_leave(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def on_unmount(self) -> None:
        cast("Hall", self.app).dialog_closed()


def place_of(desk: Desk) -> str:
    """Return instance and endpoint of the core that the screen is on."""
    session = desk.session
    core = session.store.core
    instance = core.instance if core is not None and core.instance else "AliECS"
    return f"{instance} {desk.looks.glyph('dot')} {session.client.endpoint}"


class Sheet(Lines):
    """Facts with aligned labels, and sentences; as high as they need to be."""

    DEFAULT_CSS = "Sheet { height: auto; width: 1fr; background: $surface; }"

    def __init__(self, rows: Rows = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows = rows

    def show(self, rows: Rows) -> None:
        """Show something else."""
        self._rows = rows
        self._drawn = None
        self.refresh(layout=True)

    def below(self, looks: Styles) -> Style:
        return looks.surface

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(laid_out(self._rows, width, self.looks))

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        return laid_out(self._rows, width, looks)


def laid_out(rows: Rows, width: int, looks: Styles) -> list[Parts]:
    """Return rows as lines: labels in one column, what is too long goes on below its own beginning."""
    indent = max((cell_len(row.label) for row in rows if isinstance(row, Fact)), default=0) + 2
    lines: list[Parts] = []
    for row in rows:
        if isinstance(row, Fact):
            value = wrapped(row.value, max(1, width - indent)) or [[]]
            label = row.label
            for line in value:
                lines.append([(label + " " * (indent - cell_len(label)), looks.dim), *line])
                label = ""
        else:
            lines += wrapped(row, width) or [[]]
    return lines


def wrapped(parts: Parts, width: int) -> list[list[Part]]:
    """Return parts broken between words into lines that fit."""
    lines: list[list[Part]] = []
    line: list[Part] = []
    used = 0
    for text, style in parts:
        for at, word in enumerate(plain(text).split(" ")):
            length = cell_len(word)
            gap = 1 if at else 0
            if line and used + gap + length > width:
                lines.append(line)
                line, used, gap = [], 0, 0
            if gap and line:
                line.append((" ", style))
                used += 1
            if word:
                line.append((word, style))
                used += length
    return [*lines, line] if line else lines


class Press(Lines, can_focus=True):
    """One choice to press: Enter or a click."""

    DEFAULT_CSS = "Press { width: auto; height: 1; margin-left: 2; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "press", "press", show=False, id="dialog.press")]

    class Pressed(Message):
        """The choice was taken."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, choice: Choice) -> None:
        super().__init__(id=f"{CHOICE}{choice.name}")
        self._choice = choice

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return cell_len(self._choice.label) + 4

    def below(self, looks: Styles) -> Style:
        return looks.surface

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        style = {"act": looks.key, "danger": looks.alarm}.get(self._choice.kind, looks.bold)
        if self.has_focus:
            return [[(f"[ {self._choice.label} ]", looks.focused)]]
        return [[("[ ", looks.dim), (self._choice.label, style), (" ]", looks.dim)]]

    def action_press(self) -> None:
        self.post_message(self.Pressed(self._choice.name))

    def on_click(self) -> None:
        self.action_press()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.repaint()


class Choices(Horizontal):
    """A row of choices; arrows and Tab move between them."""

    DEFAULT_CSS = "Choices { height: 1; width: 1fr; align-horizontal: right; margin-top: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "app.focus_previous", show=False, id="dialog.left"),
        Binding("right,l", "app.focus_next", show=False, id="dialog.right"),
    ]

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = choices

    def compose(self) -> ComposeResult:
        for choice in self._choices:
            yield Press(choice)

    def choice(self, name: str) -> Press:
        """Return the widget of a choice."""
        return self.query_one(f"#{CHOICE}{name}", Press)


class Question(Dialog[str]):
    """Some rows and a choice; the answer is the name of the choice, None for Esc.

    Args:
        default: name of the choice that Enter takes.
    """

    def __init__(self, title: str, rows: Rows, choices: Sequence[Choice], *, default: str, kind: str = "") -> None:
        super().__init__(title, kind=kind)
        self._rows = rows
        self._choices = choices
        self._default = default

    def body(self) -> ComposeResult:
        yield Sheet(self._rows)
        yield Choices(self._choices)

    def on_mount(self) -> None:
        self.query_one(Choices).choice(self._default).focus()

    @on(Press.Pressed)
    def _on_pressed(self, event: Press.Pressed) -> None:
        event.stop()
        self.dismiss(event.name)
