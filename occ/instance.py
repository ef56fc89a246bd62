"""Serves a Device beside what else a program does, plain or asyncio; for one that has nothing else to do: process.py."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

from occ.background import Background
from occ.control import Controller, Refusal
from occ.device import Device
from occ.errors import RefusedError
from occ.events import Outcome
from occ.process import Settings, announced, served
from occ.states import TaskEvent, TaskState

_T = TypeVar("_T")


class AsyncInstance:
    """A device that is served in the running loop from ``async with`` to the end of its block.

    Callbacks that are plain functions run in the device's worker thread, as always.

    Args:
        settings: port, address and role; None: from the environment, as for a program without flags. Port 0: a free one.

    Raises:
        ConfigError: on entering, if the control port cannot be bound.
    """

    def __init__(self, device: Device, settings: Settings | None = None) -> None:
        self.device = device
        self.port = 0
        """The control port, once open."""
        self._settings = Settings.find({}, os.environ) if settings is None else settings
        self._stack = AsyncExitStack()
        self._controller: Controller | None = None

    @property
    def state(self) -> TaskState:
        """The state at this moment; UNKNOWN before and after the block."""
        return self.device.state

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Return once the device is DONE; False if it was not within ``timeout_s`` (None: wait for ever)."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._open_controller().done.wait()
        except TimeoutError:
            return False
        return True

    async def request(self, event: TaskEvent, arguments: Mapping[str, str] | None = None) -> Outcome:
        """Process an event on the program's own account, such as PAUSE and RESUME, which OCC cannot ask for.

        Cancelled, it is finished nevertheless.

        Raises:
            RefusedError: the device refused it; the state stays.
        """
        outcome = await self._open_controller().request(event, (arguments or {}).items())
        if isinstance(outcome, Refusal):
            raise RefusedError(outcome.message)
        return outcome

    async def __aenter__(self) -> AsyncInstance:
        controller, self.port = await self._stack.enter_async_context(served(self.device, self._settings))
        self._stack.enter_context(announced(controller))
        self._controller = controller
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller = None
        await self._stack.aclose()

    def _open_controller(self) -> Controller:
        if self._controller is None:
            raise RuntimeError("this instance is not open")
        return self._controller


class Instance:
    """AsyncInstance for plain programs: the same calls, which block; the device runs on a loop in a thread of its own.

    Served from ``with`` to the end of its block, or from ``open`` to ``close``.
    """

    def __init__(self, device: Device, settings: Settings | None = None) -> None:
        self.device = device
        self._background: Background | None = None
        self._instance = AsyncInstance(device, settings)

    def open(self) -> Instance:
        """Open the control port; returns once it accepts connections.

        Raises:
            ConfigError: the control port cannot be bound.
            RuntimeError: it is open.
        """
        if self._background is not None:
            raise RuntimeError("this Instance is open already")
        self._background = Background(f"{self.device.name}-occ")
        try:
            self._run(self._instance.__aenter__())
        except BaseException:
            background, self._background = self._background, None
            background.close()
            raise
        return self

    @property
    def port(self) -> int:
        """The control port, once open."""
        return self._instance.port

    @property
    def state(self) -> TaskState:
        """The state at this moment; UNKNOWN before ``open`` and after ``close``."""
        return self.device.state

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until the device is DONE; False if it was not within ``timeout_s`` (None: wait for ever).

        Raises:
            RuntimeError: it is not open, or was closed meanwhile.
        """
        return self._run(self._instance.wait(timeout_s))

    def request(
        self, event: TaskEvent, arguments: Mapping[str, str] | None = None, timeout_s: float | None = None
    ) -> Outcome:
        """Process an event on the program's own account, such as PAUSE and RESUME, which OCC cannot ask for.

        Raises:
            RefusedError: the device refused it; the state stays.
            TimeoutError: not done within ``timeout_s``; it is finished nevertheless.
        """
        return self._run(self._instance.request(event, arguments), timeout_s)

    def close(self) -> None:
        """Close the port, end all streams; what replies are being written has the grace of ``Settings.exit_grace_s``."""
        background, self._background = self._background, None
        if background is None:
            return
        try:
            background.run(self._instance.__aexit__(None, None, None))
        finally:
            background.close()

    def __enter__(self) -> Instance:
        return self if self._background is not None else self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, _T], timeout_s: float | None = None) -> _T:
        if self._background is None:
            work.close()
            raise RuntimeError("this Instance is not open")
        return self._background.run(work, timeout_s)
