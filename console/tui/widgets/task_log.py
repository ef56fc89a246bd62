"""The output of a task, followed while it can be seen: from its address, or by way of the core where that leads nowhere.

Reading and making it safe: console/task_output.py, task_relay.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from console.filters import Fields, parse
from console.present import size
from console.task_output import OutputError, OutputLines, Piece, read_piece_aside, stream_url
from console.task_relay import relayed_piece
from console.tui.widgets.grid import Cell, Column, Grid

if TYPE_CHECKING:
    from console.tui.looks import Styles

READ_S = 0.5
"""Between two looks for more."""
DEADLINE_S = 4.0
"""For one of them."""
AGAIN_S = 5.0
"""After one that failed."""
SIDE_STEP = 20
"""Columns that one key moves the lines."""

STDOUT, STDERR = "stdout", "stderr"

_BAD = re.compile(r"\b(ERROR|FATAL|CRITICAL|Traceback)\b")
_DOUBTFUL = re.compile(r"\bWARN(ING)?\b")


class TaskLog(Grid):
    """Lines of one stream of one task; a row is named by the serial number of its line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "error(1)", "next error", show=False, id="log.next_error"),
        Binding("left_square_bracket", "error(-1)", "error before", show=False, id="log.error_before"),
        Binding("right,l", "sideways(1)", "right", show=False, id="log.right"),
        Binding("left,h", "sideways(-1)", "left", show=False, id="log.left"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.is_following = True
        self.stream = STDOUT
        self._stdout_url = ""
        self._task_id = ""
        self._is_relayed = False
        """Its address could not be read, and the core relays it."""
        self._lines = OutputLines()
        self._matching: list[int] | None = None
        """Serial numbers that the filter lets through; None without a filter."""
        self._left = 0
        self._end: int | None = None
        """Where to read on, None before the first time."""
        self._file_size = 0
        self._problem = ""
        self._quiet_until = 0.0
        self._is_reading = False
        self._may_switch = False

    # ---- what is read ------------------------------------------------------------------------

    def show_task(self, stdout_url: str, task_id: str) -> None:
        """Read the output of another task."""
        if (stdout_url, task_id) != (self._stdout_url, self._task_id):
            self._stdout_url, self._task_id, self._is_relayed = stdout_url, task_id, False
            self._begin(STDOUT)
            self._may_switch = True

    def show_stream(self, stream: str) -> None:
        """Read stdout or stderr."""
        if stream != self.stream:
            self._begin(stream)
        self._may_switch = False

    def _begin(self, stream: str) -> None:
        self.stream = stream
        self.is_following, self._left, self._end, self._file_size = True, 0, None, 0
        self._problem, self._quiet_until, self._is_reading = "", 0.0, False
        self.selected = ""
        self._lines.clear()
        self.reload()
        self._look()

    @property
    def url(self) -> str:
        """Where it is read, "" if the core does not say."""
        return self._stdout_url if self.stream == STDOUT else stream_url(self._stdout_url, self.stream)

    def on_mount(self) -> None:
        self.set_interval(READ_S, self._look)

    def _look(self) -> None:
        """Start to read what is new, if it can be seen and is not being read already."""
        if self._is_reading or not self.is_on_screen or time.monotonic() < self._quiet_until:
            return
        if self.desk.session.replay is not None:
            self._problem = "a recording does not hold what tasks write"
        elif not self._task_id:
            self._problem = "no task is looked at"
        else:
            self._is_reading = True
            self.run_worker(self._read(self.url, self._end), group="output", exclusive=True, exit_on_error=False)

    async def _read(self, url: str, end: int | None) -> None:
        asked = url, self._task_id, self.stream
        try:
            piece = await self._piece(url, end)
        except OutputError as error:
            piece = None
            problem = f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        if asked != (self.url, self._task_id, self.stream):
            return  # another one is shown by now
        self._is_reading = False
        if piece is None:
            self._problem, self._quiet_until = problem, time.monotonic() + AGAIN_S
            self.refresh()
        else:
            self._problem = ""
            self._take(piece)

    async def _piece(self, url: str, end: int | None) -> Piece:
        """Read on from the address, or by way of the core if that fails and the core does relay outputs.

        Raises:
            OutputError: neither is possible; says why the address is not.
        """
        direct = OutputError("the core does not say where this is kept")
        if url and not self._is_relayed:
            try:
                return await read_piece_aside(url, end, deadline_s=DEADLINE_S)
            except OutputError as error:
                direct = error
        client, task_id = self.desk.session.client, self._task_id
        try:
            piece = await relayed_piece(client, task_id, self.stream, end, deadline_s=DEADLINE_S)
        except OutputError as error:
            raise (error if self._is_relayed else direct) from None
        self._is_relayed = self._is_relayed or task_id == self._task_id
        return piece

    def _take(self, piece: Piece) -> None:
        data = piece.data
        if piece.is_anew:
            self._lines.note("--- the file was replaced, or much was written at once: what follows is later ---")
        elif self._end is None and piece.offset:
            data = data.partition(b"\n")[2] or data  # it begins within a line
        is_first = self._end is None
        self._end, self._file_size = piece.end, piece.size
        if data or piece.is_anew:
            newest = self._lines.serials.stop
            self._lines.feed(data)
            self._grow(newest)
        elif (
            is_first
            and not piece.size
            and self._may_switch
            and (self._is_relayed or stream_url(self._stdout_url, STDERR))
        ):
            self._may_switch = False
            self._begin(STDERR)  # many programs write nothing else
            return
        self.refresh()

    def _grow(self, newest: int) -> None:
        """Take in lines from one on, which may have grown."""
        serials = self._lines.serials
        if self._matching is not None:
            lets_through = parse(self.filter_text)
            self._matching = [serial for serial in self._matching if serials.start <= serial < newest - 1]
            after = range(max(serials.start, newest - 1), serials.stop)
            self._matching += [serial for serial in after if lets_through({"text": self._lines.line(serial)})]
        self.rows_changed()
        if self.is_following and self.row_count():
            self.select(self.row_id(self.row_count() - 1))

    # ---- for the grid ------------------------------------------------------------------------

    def reload(self) -> None:
        self._matching = [] if self.filter_text else None
        self._grow(0)

    def row_count(self) -> int:
        return len(self._lines.serials if self._matching is None else self._matching)

    def row_id(self, at: int) -> str:
        return str((self._lines.serials if self._matching is None else self._matching)[at])

    def row_index(self, row: str) -> int | None:
        if not row:
            return None
        rows = self._lines.serials if self._matching is None else self._matching
        return rows.index(int(row)) if int(row) in rows else None

    def fields(self, row: str) -> Fields:
        return {"text": self._lines.line(int(row))}

    def copied_text(self) -> str:
        """Return what is copied of the selected row: the line."""
        return self._lines.line(int(self.selected)) if self.selected else ""

    def empty_text(self) -> str:
        return self._problem or ("nothing written yet" if self._end is not None else "reading ...")

    def columns(self, width: int) -> Sequence[Column]:
        return [Column(self._heading(), 0)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        line = self._lines.line(int(row))
        return [Cell(line, _style(line, looks))]

    def _heading(self) -> str:
        words = [self.stream.upper()]
        if self._file_size:
            words.append(size(self._file_size))
        words.append("follows" if self.is_following else "stands still, G follows")
        if self._left:
            words.append(f"from column {self._left + 1}")
        if self._problem:
            words.append(self._problem)
        return "   ".join(words)

    def _strip(
        self, cells: Sequence[Cell], columns: Sequence[Column], looks: Styles, blank: Style, mark: str = " "
    ) -> Strip:
        if blank is looks.heading:
            return super()._strip(cells, columns, looks, blank, mark)
        (cell,) = cells
        line, style = cell.text, cell.style or looks.text
        segments = [Segment(mark, blank)]
        at = 0
        for begin, end in _found(line, self.filter_text or self.sought):
            segments += [Segment(line[at:begin], style), Segment(line[begin:end], style + looks.match)]
            at = end
        segments.append(Segment(line[at:], style))
        strip = Strip(segments)
        if self._left:
            strip = Strip.join([Strip(segments[:1]), Strip(segments[1:]).crop(self._left)])
        width = self.size.width
        if strip.cell_length > width:
            strip = Strip.join([strip.crop(0, width - 1), Strip([Segment(looks.glyph("ellipsis"), looks.dim)])])
        return strip.adjust_cell_length(width, blank)

    def on_resize(self, event: events.Resize) -> None:
        is_following = self.is_following
        super().on_resize(event)
        if is_following:
            self.action_bottom()

    # ---- keys --------------------------------------------------------------------------------

    def select(self, row: str) -> None:
        super().select(row)
        self.is_following = bool(self.row_count()) and row == self.row_id(self.row_count() - 1)

    def action_sideways(self, direction: int) -> None:
        """Move the lines to see what stands further right or left."""
        self._left = max(0, self._left + direction * SIDE_STEP)
        self.refresh()

    def action_error(self, direction: int) -> None:
        """Go to the next line that tells of an error."""
        self.go_to_next(lambda row: bool(_BAD.search(self._lines.line(int(row)))), direction, "error")


def _style(line: str, looks: Styles) -> Style:
    if _BAD.search(line):
        return looks.alarm
    return looks.warn if _DOUBTFUL.search(line) else looks.text


def _found(line: str, text: str) -> list[tuple[int, int]]:
    """Return where the words that were looked for stand, without overlaps."""
    words = [word.casefold() for word in text.split() if word[0] != "!"]
    lowered = line.casefold()
    if not words or len(lowered) != len(line):
        return []
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))
    return [match.span() for match in pattern.finditer(lowered)]
