"""Progress of long work on stderr: one updating line on a terminal, else a line per step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from console.present import fault_line, look, step_line
from console.results import Context
from console.session import Session
from console.store import Key
from server.api.model import Environment

QUIET_S = 0.5
"""Work that is over sooner is not worth a line."""
LINE_INTERVAL_S = 1.0
"""Without a terminal, a line that differs from the last one only in counts comes no more often."""


def progress(context: Context, choose: Callable[[], Environment | None]) -> contextlib.AbstractContextManager[None]:
    """Return the context in which a verb shows its progress, one that shows nothing if that is asked for."""
    if context.args.quiet:
        return contextlib.nullcontext()
    return Progress(context.session, choose).shown()


class Progress:
    """Prints what one environment is doing.

    Args:
        choose: returns the environment; it may not exist yet.
    """

    def __init__(
        self, session: Session, choose: Callable[[], Environment | None], stream: TextIO | None = None
    ) -> None:
        self._session = session
        self._choose = choose
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._started = time.monotonic()
        self._started_ms = int(time.time() * 1000)
        self._is_quiet = True
        self._last_step = ""
        self._last_line = ""
        self._last_at = 0.0
        self._fault_shown = ""

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Print while the context is open; leave a clean line behind."""
        timer = asyncio.get_running_loop().call_later(QUIET_S, self._begin)
        try:
            with self._session.listening(self._on_change):
                yield
        finally:
            timer.cancel()
            if self._is_terminal and self._last_line:
                self._stream.write("\r\x1b[K")
                self._stream.flush()

    def _begin(self) -> None:
        self._is_quiet = False
        self._on_change(set())

    def _on_change(self, changed: set[Key]) -> None:
        environment = self._choose()
        if environment is None:
            return
        self._show_fault(environment.id)
        if environment.transition is None or self._is_quiet:
            return
        step = f"{environment.id} {environment.transition.event} {environment.transition.step}"
        line = f"{environment.id}  {look(environment.state).code}  {step_line(environment.transition)}"
        now = time.monotonic()
        if line == self._last_line:
            return
        if not self._is_terminal and step == self._last_step and now - self._last_at < LINE_INTERVAL_S:
            return
        self._last_line, self._last_step, self._last_at = line, step, now
        self._write(line)

    def _show_fault(self, environment_id: str) -> None:
        fault = self._session.store.fault(environment_id)
        if fault is None or fault.at_ms < self._started_ms:
            return  # what failed before is no news
        if (line := fault_line(fault)) != self._fault_shown:
            self._fault_shown = line
            self._write(f"{environment_id}  {line}", stays=True)

    def _write(self, line: str, *, stays: bool = False) -> None:
        elapsed = f"{time.monotonic() - self._started:6.1f} s  "
        if self._is_terminal:
            width = os.get_terminal_size(self._stream.fileno()).columns - 1
            shown = (elapsed + line) if stays else (elapsed + line)[:width]
            self._stream.write(f"\r\x1b[K{shown}" + ("\n" if stays else ""))
        else:
            self._stream.write(f"{elapsed}{line}\n")
        self._stream.flush()
