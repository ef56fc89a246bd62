"""What a screen records of itself: begun and ended by a key, noted in the header, with what the operator did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from console.present import size, span

if TYPE_CHECKING:
    from console.recorder import Recorder
    from console.recording_lines import Act
    from console.session import Session


class Taping:
    """The recording that one screen makes; none at first.

    Args:
        say: tells what happened: words, title, severity.
    """

    def __init__(self, session: Session, say: Callable[[str, str, str], None]) -> None:
        self._session = session
        self._say = say
        self._recorder: Recorder | None = None
        self._turn = asyncio.Lock()

    @property
    def is_on(self) -> bool:
        return self._recorder is not None and self._recorder.is_on

    @property
    def duration_s(self) -> float:
        """Seconds since it began, 0 while there is none."""
        return self._recorder.duration_s if self._recorder is not None and self.is_on else 0.0

    async def toggle(self, path: Path) -> str:
        """End the recording, or begin one to a new file; return in words what was done.

        Raises:
            ConfigError: the file cannot be made.
        """
        async with self._turn:
            if self.is_on:
                return await self.end()
            await self.end()  # one that broke off
            await self._begin(path)
            return f"to {path}"

    async def _begin(self, path: Path) -> None:
        from console.recorder import Recorder  # few screens record

        recorder = Recorder(self._session, path, say=lambda why: self._say(why, "recording ended", "error"))
        await recorder.__aenter__()
        self._recorder = recorder

    async def end(self) -> str:
        """End the recording and return what there is of it in words, "" if there was none."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return ""
        await recorder.__aexit__(None, None, None)
        return f"recorded {span(recorder.duration_s)}, {size(recorder.size_bytes)} to {recorder.path}"

    def act(self, act: Act) -> None:
        """Note what the operator did."""
        if self._recorder is not None:
            self._recorder.act(act)

    def mark(self, text: str) -> bool:
        """Note a moment; say whether there is a recording that it stands in."""
        if self._recorder is None or not self.is_on:
            return False
        self._recorder.mark(text)
        return True
