"""Serves a Device beside the main loop of a plain program; for a program that has nothing else to do: process.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType

from occ.background import Background
from occ.control import Controller, Refusal
from occ.device import Device
from occ.errors import RefusedError
from occ.events import Outcome
from occ.process import Settings, announce_ready, served
from occ.states import TaskEvent, TaskState


class Instance:
    """A device that is served from ``with`` to the end of its block, or from ``open`` to ``close``.

    Callbacks run in the device's worker thread, as always. From asyncio code: ``await occ.serve(device, settings)``.

    Args:
        settings: port, address and role; None: from the environment, as for a program without flags. Port 0: a free one.
    """

    def __init__(self, device: Device, settings: Settings | None = None) -> None:
        self.device = device
        self.port = 0
        """The control port, once open."""
        self._settings = Settings.find({}, os.environ) if settings is None else settings
        self._background: Background | None = None
        self._stack = AsyncExitStack()
        self._controller: Controller | None = None

    def open(self) -> Instance:
        """Open the control port; returns once it accepts connections.

        Raises:
            ConfigError: the control port cannot be bound.
        """
        self._background = Background(f"{self.device.name}-occ")
        try:
            self._controller, self.port = self._background.run(
                self._stack.enter_async_context(served(self.device, self._settings))
            )
        except BaseException:
            self._background.close()
            raise
        announce_ready()
        return self

    @property
    def state(self) -> TaskState:
        """The state at this moment; UNKNOWN before ``open`` and after ``close``."""
        return self.device.state

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until the device is DONE; False if it was not within ``timeout_s`` (None: wait for ever)."""
        background, controller = self._parts()
        try:
            background.run(controller.done.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def request(
        self, event: TaskEvent, arguments: Mapping[str, str] | None = None, timeout_s: float | None = None
    ) -> Outcome:
        """Process an event on the program's own account, such as PAUSE and RESUME, which OCC cannot ask for.

        Raises:
            RefusedError: the device refused it; the state stays.
            TimeoutError: not done within ``timeout_s``; it is finished nevertheless.
        """
        background, controller = self._parts()
        outcome = background.run(controller.request(event, (arguments or {}).items()), timeout_s)
        if isinstance(outcome, Refusal):
            raise RefusedError(outcome.message)
        return outcome

    def close(self) -> None:
        """Close the port, end all streams; what replies are being written has the grace of ``Settings.exit_grace_s``."""
        if self._background is None:
            return
        background, self._background, self._controller = self._background, None, None
        try:
            background.run(self._stack.aclose())
        finally:
            background.close()

    def __enter__(self) -> Instance:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _parts(self) -> tuple[Background, Controller]:
        if self._background is None or self._controller is None:
            raise RuntimeError("this Instance is not open")
        return self._background, self._controller
