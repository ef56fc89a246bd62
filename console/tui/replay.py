"""The screen on a recording: the live screens, with a time line, and nothing that can be changed."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from console.execute import open_recording
from console.session import Session
from console.settings import Settings
from console.sources.replay import ReplaySource
from console.tui.app import ConsoleApp
from console.tui.run import in_turn, prepare_environment
from console.tui.widgets.replay_bar import ReplayBar, position

STEP_S = 10.0
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
BAR_S = 0.2
"""Between two paints of the time line."""


class ReplayApp(ConsoleApp):
    """Plays the recording of its session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "pause", id="replay.pause", priority=True),
        Binding("left", "skip(-1)", f"-{STEP_S:.0f} s", id="replay.back", priority=True),
        Binding("right", "skip(1)", f"+{STEP_S:.0f} s", id="replay.forward", priority=True),
        Binding("left_square_bracket", "mark(-1)", "mark before", id="replay.mark_before"),
        Binding("right_square_bracket", "mark(1)", "next mark", id="replay.mark_next"),
        Binding("minus", "pace(-1)", "slower", id="replay.slower"),
        Binding("plus,equals_sign", "pace(1)", "faster", id="replay.faster"),
    ]

    def __init__(self, session: Session, settings: Settings | None = None, *, problem: str = "") -> None:
        super().__init__(session, settings, problem=problem)
        assert session.replay is not None, "a session that plays a recording"
        self.replay: ReplaySource = session.replay

    def mode_text(self) -> tuple[str, str]:
        return "REPLAY", "replay"

    def extra_lines(self) -> Iterable[Widget]:
        return (ReplayBar(),)

    def on_mount(self) -> None:
        self.set_interval(BAR_S, self._paint_bar)
        for warning in self.replay.recording.warnings:
            self.notify(warning, title=self.replay.name, severity="warning", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of the time line to a line of text that is being typed."""
        if action in ("pause", "skip") and hasattr(self.focused, "cursor_position"):
            return False
        return super().check_action(action, parameters)

    # ---- keys --------------------------------------------------------------------------------

    def action_pause(self) -> None:
        if self.replay.is_paused:
            self.replay.resume()
        else:
            self.replay.pause()
        self._paint_bar()

    def action_skip(self, direction: int) -> None:
        self.replay.seek(self.replay.position_s + direction * STEP_S)
        self._paint_bar()

    def action_mark(self, direction: int) -> None:
        mark = self.replay.next_mark() if direction > 0 else self.replay.previous_mark()
        text = f"{position(mark.t)}  {mark.text}" if mark else f"no mark {'after' if direction > 0 else 'before'} this"
        self.notify(text, markup=False, timeout=3)
        self._paint_bar()

    def action_pace(self, direction: int) -> None:
        faster = [speed for speed in SPEEDS if speed > self.replay.speed]
        slower = [speed for speed in SPEEDS if speed < self.replay.speed]
        if direction > 0 and faster:
            self.replay.set_speed(faster[0])
        elif direction < 0 and slower:
            self.replay.set_speed(slower[-1])
        self._paint_bar()

    def _paint_bar(self) -> None:
        screen = self.console_screen
        if screen is not None and screen.is_mounted:
            screen.repaint_lines(("ReplayBar", "Header"))


def run_replay(args: argparse.Namespace, settings: Settings, problem: str = "") -> int:
    """Play the recording that the arguments name and return the exit code when the screen is closed.

    Args:
        problem: what is wrong with the settings, to be shown.

    Raises:
        AliecsError: the recording cannot be played.
    """
    prepare_environment(settings)

    async def run() -> int:
        session = await open_recording(args, settings, usual_speed=1.0)
        return await in_turn(lambda: ReplayApp(session, settings, problem=problem), settings)

    return asyncio.run(run())
