"""A bench for tests of a Device, without a core: drives it through its transitions, collects states and events.

``Bench`` is for plain tests, ``AsyncBench`` for asyncio tests. docs/controllable-task.md shows one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

from occ.background import Background
from occ.client import OccClient
from occ.control import Controller, Refusal, RefusalKind
from occ.device import Device
from occ.errors import RefusedError, TaskError
from occ.events import DeviceEvent, Outcome
from occ.process import Settings, served
from occ.states import TaskEvent, TaskState

TIMEOUT_S = 10.0
"""Deadline of every call: a device that hangs fails its test."""
_T = TypeVar("_T")


class AsyncBench:
    """One device under test, from ``async with`` to the end of its block.

    Args:
        over_port: serve the device on a free port of the loopback and drive it over gRPC, as an executor does; otherwise
            the device is driven in this process without one. The answers are the same.
    """

    def __init__(self, device: Device, *, over_port: bool = False, timeout_s: float = TIMEOUT_S) -> None:
        self.device = device
        self.states: list[TaskState] = []
        """Every state that was published, in order; STANDBY of the beginning is not."""
        self.events: list[DeviceEvent] = []
        """Every event that the device reported, in order."""
        self.port = 0
        """The control port, with ``over_port``."""
        self._timeout_s = timeout_s
        self._over_port = over_port
        self._stack = AsyncExitStack()
        self._news = asyncio.Condition()
        self._seen = 0
        self._controller: Controller
        self._client: OccClient | None = None
        self._followers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> AsyncBench:
        if self._over_port:
            settings = Settings(port=0, exit_grace_s=0.0)
            self._controller, self.port = await self._stack.enter_async_context(served(self.device, settings))
            self._client = await self._stack.enter_async_context(OccClient(f"127.0.0.1:{self.port}"))
            self._follow(self._client.state_stream(), self.states)
            self._follow(self._client.event_stream(), self.events)
        else:
            self._controller = Controller(self.device)
            self._stack.push_async_callback(self._controller.close)
            self._follow(self._controller.states.subscribe(), self.states)
            self._follow(self._controller.events.subscribe(), self.events)
        async with asyncio.timeout(self._timeout_s):
            while not (self._controller.states.subscribers and self._controller.events.subscribers):
                await (self._client.get_state(self._timeout_s) if self._client else asyncio.sleep(0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for follower in self._followers:
            follower.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)
        await self._stack.aclose()

    @property
    def state(self) -> TaskState:
        """The state at this moment."""
        return self._controller.state

    # ---- events ------------------------------------------------------------------------------

    async def configure(self, properties: Mapping[str, str] | None = None) -> Outcome:
        """Send CONFIGURE; keys may be dotted, and ``__ptree__:<syntax>:<name>``, as those of the core."""
        return await self.send(TaskEvent.CONFIGURE, properties)

    async def start(self, run_number: int = 1, arguments: Mapping[str, str] | None = None) -> Outcome:
        """Send START with a run number."""
        return await self.send(TaskEvent.START, {"runNumber": str(run_number), **(arguments or {})})

    async def stop(self, arguments: Mapping[str, str] | None = None) -> Outcome:
        """Send STOP."""
        return await self.send(TaskEvent.STOP, arguments)

    async def reset(self) -> Outcome:
        """Send RESET."""
        return await self.send(TaskEvent.RESET)

    async def recover(self) -> Outcome:
        """Send RECOVER."""
        return await self.send(TaskEvent.RECOVER)

    async def exit(self) -> Outcome:
        """Send EXIT."""
        return await self.send(TaskEvent.EXIT)

    async def pause(self) -> Outcome:
        """PAUSE the device, as its own program would: OCC cannot ask for it."""
        return await self._request(TaskEvent.PAUSE)

    async def resume(self) -> Outcome:
        """RESUME the device, likewise."""
        return await self._request(TaskEvent.RESUME)

    async def send(
        self,
        event: TaskEvent | str,
        arguments: Mapping[str, str] | None = None,
        source: TaskState | str | None = None,
    ) -> Outcome:
        """Send any event, from the present state unless ``source`` names another, and return the answer.

        Raises:
            RefusedError: ``source`` is not the present state, or the device is DONE.
            TaskError: no such event, or the device refused it.
            TimeoutError: no answer in time.
        """
        source = self.state if source is None else source
        async with asyncio.timeout(self._timeout_s):
            if self._client is not None:
                return await self._client.transition(source, event, arguments or {}, self._timeout_s)
            answer = await self._controller.transition(str(source), str(event), (arguments or {}).items())
        return _outcome(answer)

    async def _request(self, event: TaskEvent) -> Outcome:
        async with asyncio.timeout(self._timeout_s):
            return _outcome(await self._controller.request(event))

    # ---- what the device tells ---------------------------------------------------------------

    async def wait_for_state(self, state: TaskState) -> None:
        """Return once the device is in ``state``; AssertionError if it is not in time."""
        await self._wait(
            lambda: self.state is state, lambda: f"not in {state}, but in {self.state} after {self.states}"
        )

    async def wait_for_event(self, event: DeviceEvent) -> None:
        """Return at the next ``event`` that no call before this one has waited for; AssertionError if none comes."""

        def came() -> bool:
            while self._seen < len(self.events):
                self._seen += 1
                if self.events[self._seen - 1] is event:
                    return True
            return False

        await self._wait(came, lambda: f"no {event.name}, but {[one.name for one in self.events]}")

    async def metrics(self) -> dict[str, float]:
        """Return the device's numbers of now, by name."""
        async with asyncio.timeout(self._timeout_s):
            return {metric.name: metric.value for metric in await self._controller.metrics()}

    async def _wait(self, done: Callable[[], bool], why: Callable[[], str]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s), self._news:
                await self._news.wait_for(done)
        except TimeoutError:
            raise AssertionError(f"{self.device.name} is after {self._timeout_s:g} s {why()}") from None

    def _follow(self, stream: AsyncIterator[_T], into: list[_T]) -> None:
        async def collect() -> None:
            async for value in stream:
                async with self._news:
                    into.append(value)
                    self._news.notify_all()

        self._followers.append(asyncio.create_task(collect(), name=f"{self.device.name} bench"))


class Bench:
    """AsyncBench for plain tests: the same calls, which block; the device runs on a loop in a thread of its own."""

    def __init__(self, device: Device, *, over_port: bool = False, timeout_s: float = TIMEOUT_S) -> None:
        self.device = device
        self._background: Background | None = None
        self._bench = AsyncBench(device, over_port=over_port, timeout_s=timeout_s)

    def __enter__(self) -> Bench:
        self._background = Background(f"{self.device.name}-bench")
        try:
            self._run(self._bench.__aenter__())
        except BaseException:
            self._background.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        background, self._background = self._background, None
        if background is not None:
            try:
                background.run(self._bench.__aexit__(kind, error, trace))
            finally:
                background.close()

    @property
    def state(self) -> TaskState:
        return self._bench.state

    @property
    def states(self) -> list[TaskState]:
        return list(self._bench.states)

    @property
    def events(self) -> list[DeviceEvent]:
        return list(self._bench.events)

    @property
    def port(self) -> int:
        return self._bench.port

    def configure(self, properties: Mapping[str, str] | None = None) -> Outcome:
        return self._run(self._bench.configure(properties))

    def start(self, run_number: int = 1, arguments: Mapping[str, str] | None = None) -> Outcome:
        return self._run(self._bench.start(run_number, arguments))

    def stop(self, arguments: Mapping[str, str] | None = None) -> Outcome:
        return self._run(self._bench.stop(arguments))

    def reset(self) -> Outcome:
        return self._run(self._bench.reset())

    def recover(self) -> Outcome:
        return self._run(self._bench.recover())

    def exit(self) -> Outcome:
        return self._run(self._bench.exit())

    def pause(self) -> Outcome:
        return self._run(self._bench.pause())

    def resume(self) -> Outcome:
        return self._run(self._bench.resume())

    def send(
        self,
        event: TaskEvent | str,
        arguments: Mapping[str, str] | None = None,
        source: TaskState | str | None = None,
    ) -> Outcome:
        return self._run(self._bench.send(event, arguments, source))

    def wait_for_state(self, state: TaskState) -> None:
        self._run(self._bench.wait_for_state(state))

    def wait_for_event(self, event: DeviceEvent) -> None:
        self._run(self._bench.wait_for_event(event))

    def metrics(self) -> dict[str, float]:
        return self._run(self._bench.metrics())

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._background is None:
            work.close()
            raise RuntimeError("a Bench is used within its with block")
        return self._background.run(work)


def _outcome(answer: Outcome | Refusal) -> Outcome:
    if isinstance(answer, Refusal):
        kind = TaskError if answer.kind is RefusalKind.UNEXPECTED else RefusedError
        raise kind(answer.message)
    return answer
