"""FairMQ's state machine: what a device is in, what it can be asked for, and when it moves by itself.

Tables: occ/fairmq.py. The work of a state runs in the one thread of the device; everything else belongs to the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from occ.fairmq import AUTOMATIC, MOVES, DeviceState, DeviceTransition

_log = logging.getLogger(__name__)

Observer = Callable[[DeviceState], None]


class Machine:
    """One device from IDLE to EXITING or ERROR, which are its ends.

    Args:
        works: what a state has to do, in the thread of the device. An exception leads to ERROR. That of RUNNING returns soon
            after ``interrupted`` is set, or earlier, which is a STOP by itself; that of INITIALIZING DEVICE belongs to
            COMPLETE INIT.
    """

    def __init__(self, works: Mapping[DeviceState, Callable[[], None]]) -> None:
        self.state = DeviceState.IDLE
        self.interrupted = threading.Event()
        """STOP was asked for, or ERROR was found."""
        self.failed = False
        """ERROR was reached by the device itself, not by ERROR FOUND."""
        self._works = works
        self._observers: list[Observer] = []
        self._working = False
        self._moving = False
        self._error_found = False
        self._thread = ThreadPoolExecutor(1, "device")
        self._tasks: set[asyncio.Task[None]] = set()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Have ``observer`` told every new state, before anything else happens; returns what ends it."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    @property
    def is_moving(self) -> bool:
        """Whether a transition is under way, so that none but ERROR FOUND is taken."""
        return self._moving

    def request(self, transition: DeviceTransition) -> bool:
        """Ask for a transition; False if the device does not take it now."""
        if self.state in (DeviceState.EXITING, DeviceState.ERROR):
            return False
        if transition is DeviceTransition.ERROR_FOUND:
            self._error_found = True
            self.interrupted.set()
            if not self._working:
                self._enter(DeviceState.ERROR)
                self._enter(DeviceState.ERROR)  # as FairMQ does: once by request, once by what it throws
            return True
        if self._moving or (self.state, transition) not in MOVES:
            return False
        self._moving = True
        if transition is DeviceTransition.STOP:
            self.interrupted.set()
        else:
            task = asyncio.get_running_loop().create_task(self._move(transition))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    def close(self) -> None:
        """Let go of the thread; does not wait for work that hangs."""
        self.interrupted.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _move(self, transition: DeviceTransition) -> None:
        target = MOVES[self.state, transition]
        if transition is DeviceTransition.COMPLETE_INIT:
            if await self._work():
                self._enter(target)
            return
        self._enter(target)
        if target not in self._works or self.state is not target or target is DeviceState.INITIALIZING_DEVICE:
            return
        if await self._work():
            self._enter(DeviceState.READY if target is DeviceState.RUNNING else AUTOMATIC[target])

    async def _work(self) -> bool:
        """Do the work of the present state; False if that led to ERROR."""
        self._working = True
        self.interrupted.clear()
        if self.state is DeviceState.RUNNING:
            self._moving = False
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._works[self.state])
        except Exception as error:
            print(f"[ERROR] {error}", flush=True)  # noqa: T201 - a device logs on its standard output
            self.failed = True
            self._enter(DeviceState.ERROR)
            return False
        finally:
            self._working = False
        if self._error_found:
            self._enter(DeviceState.ERROR)
            self._enter(DeviceState.ERROR)
            return False
        return True

    def _enter(self, state: DeviceState) -> None:
        if state is not self.state:
            print(f"[STATE] {self.state} ---> {state}", flush=True)  # noqa: T201
        self.state = state
        if not state.is_intermediate:
            self._moving = False
        for observer in list(self._observers):
            try:
                observer(state)
            except Exception as error:  # an observer that fails is a fault of the device, as with FairMQ
                if self.state is DeviceState.ERROR:
                    _log.exception("observer of ERROR failed")
                    continue
                print(f"[ERROR] {error}", flush=True)  # noqa: T201
                self.failed = True
                self._enter(DeviceState.ERROR)
                return
