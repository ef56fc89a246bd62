"""Runs a Device through its machine: one event at a time, in fair order, and publishes what changed. No gRPC: service.py."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from occ.device import Device
from occ.errors import RefusedError, TaskError
from occ.events import DeviceEvent, Iteration, Metric, Outcome, Trigger
from occ.machine import TaskMachine
from occ.properties import Properties, parse_run_number
from occ.states import EXPECTED_FINAL, TaskEvent, TaskState
from occ.worker import Worker

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_BACKLOG = 1000
"""Values that a subscriber may be behind before it is dropped; a task changes state a few times per run."""


_EXPECTED = EXPECTED_FINAL | {TaskEvent.PAUSE: TaskState.PAUSED, TaskEvent.RESUME: TaskState.RUNNING}
"""The state that makes an event a success, wherever it comes from."""


class RefusalKind(Enum):
    """Why a transition was not even tried."""

    UNEXPECTED = auto()
    """The event cannot be asked for, or the device refused it."""
    WRONG_SOURCE = auto()
    FINISHED = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer to a transition that was not tried; the state is unchanged and nothing was published."""

    kind: RefusalKind
    message: str


class Channel(Generic[_T]):
    """Hands every value to each subscriber of that moment; no replay. Ends all subscriptions when closed."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[_T | None]] = set()
        self._closed = False

    def publish(self, value: _T) -> None:
        """Queue ``value`` for every subscriber; one that is too far behind is dropped: its subscription ends."""
        for queue in list(self._queues):
            if queue.qsize() >= _BACKLOG:
                self._end(queue)
            else:
                queue.put_nowait(value)

    async def subscribe(self) -> AsyncIterator[_T]:
        """Yield the values published from now on, until the channel is closed."""
        if self._closed:
            return
        queue: asyncio.Queue[_T | None] = asyncio.Queue(_BACKLOG + 1)
        self._queues.add(queue)
        try:
            while (value := await queue.get()) is not None:
                yield value
        finally:
            self._queues.discard(queue)

    @property
    def subscribers(self) -> int:
        """Number of open subscriptions."""
        return len(self._queues)

    def close(self) -> None:
        """End all subscriptions once they have delivered what is queued."""
        self._closed = True
        for queue in list(self._queues):
            self._end(queue)

    def _end(self, queue: asyncio.Queue[_T | None]) -> None:
        self._queues.discard(queue)
        queue.put_nowait(None)


class Controller:
    """The one owner of a Device: its machine, its lock, its worker thread. All methods but ``report_*`` belong to the loop."""

    def __init__(self, device: Device) -> None:
        self.states: Channel[TaskState] = Channel()
        self.events: Channel[DeviceEvent] = Channel()
        self.done = asyncio.Event()
        """Set once the state is DONE and published."""
        self.on_state: Callable[[TaskState], object] | None = None
        """Called on the loop with every state that is reached, before anybody else hears of it."""
        self._device = device
        self._machine = TaskMachine()
        self._lock = asyncio.Lock()  # first come, first served: a busy iterate_running cannot starve a command
        self._loop = asyncio.get_running_loop()
        self._worker = Worker(f"{device.name}-callbacks")
        self._meter = Worker(f"{device.name}-metrics")
        self._wake = asyncio.Event()
        self._failure: str | None = None
        self._end_noted = False
        self._ended = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._callbacks: dict[TaskEvent, Callable[[], Any]] = {
            TaskEvent.CONFIGURE: lambda: self._device.configure(self._device.properties),
            TaskEvent.RESET: device.reset,
            TaskEvent.START: device.start,
            TaskEvent.STOP: device.stop,
            TaskEvent.PAUSE: device.pause,
            TaskEvent.RESUME: device.resume,
            TaskEvent.EXIT: device.exit,
            TaskEvent.RECOVER: device.recover,
        }
        device.attach(self)
        self._own(self._check()).add_done_callback(self._report_end_of_checker)

    @property
    def name(self) -> str:
        """Of the device, in log lines."""
        return self._device.name

    @property
    def state(self) -> TaskState:
        """The state at this moment, also while a callback runs."""
        return self._machine.state

    async def settled_state(self) -> TaskState:
        """Return the state once no callback is running (the original's GetState waits likewise)."""
        async with self._lock:
            return self.state

    async def transition(self, source: str, event: str, arguments: Iterable[tuple[str, str]] = ()) -> Outcome | Refusal:
        """Process an event as ``Occ.Transition`` does. Once begun it is finished, whether or not the caller waits for it."""
        return await asyncio.shield(self._own(self._transition(source, event, arguments)))

    async def request(self, event: TaskEvent, arguments: Iterable[tuple[str, str]] = ()) -> Outcome | Refusal:
        """Process an event that this process itself asks for, from the present state.

        The only way to PAUSE and RESUME: ``Occ.Transition`` knows neither (occ-executor-mesos.md 1.2).
        """
        return await asyncio.shield(self._own(self._request(event, arguments)))

    @property
    def has_metrics(self) -> bool:
        """Whether the device has any numbers to tell."""
        return self._overridden("metrics")

    async def metrics(self) -> tuple[Metric, ...]:
        """Return the device's numbers; none if its ``metrics`` raises, which is logged."""
        try:
            return await self._meter.call(lambda: tuple(self._device.metrics()))
        except Exception:
            _log.exception("device=%s metrics failed", self._device.name)
            return ()

    def report_failure(self, reason: str) -> None:
        """Put the device into ERROR as soon as no callback is running; callable from any thread."""
        self._loop.call_soon_threadsafe(self._note_failure, reason)

    def report_end_of_stream(self) -> None:
        """Publish END_OF_STREAM, once per run and once no callback is running; callable from any thread."""
        self._loop.call_soon_threadsafe(self._note_end_of_stream)

    async def close(self) -> None:
        """End the subscriptions, give up what is running and let go of the threads; does not wait for a callback that hangs."""
        self._device.attach(None)
        for channel in (self.states, self.events):
            channel.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._worker.close()
        self._meter.close()

    # ---- one transition ----------------------------------------------------------------------

    async def _transition(self, source: str, event: str, arguments: Iterable[tuple[str, str]]) -> Outcome | Refusal:
        async with self._lock:
            current = self.state
            if event not in EXPECTED_FINAL:
                return Refusal(RefusalKind.UNEXPECTED, f"{event!r} is no event that can be asked for")
            if source != current.value:
                text = f"transition not possible: state mismatch: source: {source} current: {current.value}"
                return Refusal(RefusalKind.WRONG_SOURCE, text)
            if current is TaskState.DONE:
                return Refusal(RefusalKind.FINISHED, "transition not possible: the task is DONE")
            return await self._answer(TaskEvent(event), arguments)

    async def _request(self, event: TaskEvent, arguments: Iterable[tuple[str, str]]) -> Outcome | Refusal:
        async with self._lock:
            return await self._answer(event, arguments)

    async def _answer(self, event: TaskEvent, arguments: Iterable[tuple[str, str]]) -> Outcome | Refusal:
        refused = await self._process(event, Properties.from_arguments(arguments))
        if refused is not None:
            return Refusal(RefusalKind.UNEXPECTED, refused)
        state = self.state
        ok = state is _EXPECTED.get(event)
        trigger = Trigger.EXECUTOR if ok else Trigger.DEVICE_INTENTIONAL
        if state is TaskState.ERROR:
            trigger = Trigger.DEVICE_ERROR
        return Outcome(state=state, event=event.value, ok=ok, trigger=trigger, native=state.value)

    async def _process(self, event: TaskEvent, arguments: Properties) -> str | None:
        """Run the callback and make the move; return the reason if the device refused it.

        An event that is not accepted in this state does nothing at all.
        """
        if self._machine.target(event) is None:
            return None
        device = self._device
        previous = device.arguments, device.properties, device.run_number
        run_number = arguments.find("runNumber")
        if run_number is not None:
            device.run_number = parse_run_number(run_number.value)
        elif event is TaskEvent.START:
            device.run_number = 0
        device.arguments = arguments
        if event is TaskEvent.CONFIGURE:
            device.properties = device.preset or arguments
        if event is TaskEvent.START:
            self._end_noted = self._ended = False
        if event is TaskEvent.RECOVER:
            self._failure = None  # of the time before; one that is reported from now on counts
        try:
            result = await self._call(self._callbacks[event], event.value.lower())
        except RefusedError as refusal:
            device.arguments, device.properties, device.run_number = previous
            _log.warning("device=%s event=%s refused: %s", device.name, event.value, refusal)
            return str(refusal)
        except Exception:
            _log.exception("device=%s event=%s failed", device.name, event.value)
            result = -1
        if result:
            _log.error("device=%s event=%s result=%s", device.name, event.value, result)
            self._publish(self._machine.fail())
        else:
            self._publish(self._machine.fire(event))
        return None

    def _publish(self, state: TaskState) -> None:
        if state is TaskState.ERROR:
            self._failure = None
        if self.on_state is not None:
            self.on_state(state)
        self.states.publish(state)
        if self._iterates or self._end_noted or self._failure is not None or state is TaskState.DONE:
            self._wake.set()
        if state is TaskState.DONE:
            for channel in (self.states, self.events):
                channel.close()
            self.done.set()

    # ---- what happens by itself --------------------------------------------------------------

    async def _check(self) -> None:
        """Call the iterate functions, and act on reported failures, until DONE."""
        while self.state is not TaskState.DONE:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            except TimeoutError:
                pass  # nothing happened: time for the next call
            self._wake.clear()
            async with self._lock:
                await self._iterate()

    @property
    def _iterates(self) -> bool:
        return self._overridden("iterate_running") or self._overridden("iterate_check")

    def _pause(self) -> float | None:
        if self._is_over():
            return None
        if self.state is TaskState.RUNNING and not self._ended and self._overridden("iterate_running"):
            return self._device.iterate_pause_s
        return self._device.check_period_s if self._overridden("iterate_check") else None

    async def _iterate(self) -> None:
        if self._is_over():
            return
        if self._failure is not None:
            self._fail_by_itself(self._failure)
        elif self.state is TaskState.RUNNING and not self._ended and self._overridden("iterate_running"):
            result = await self._guarded(self._device.iterate_running, "iterate_running")
            if result == Iteration.END:
                self._end_noted = True
            elif result:
                self._fail_by_itself(f"iterate_running: {result}")
        if self._end_noted and not self._ended and self.state is TaskState.RUNNING:
            self._ended = True
            self.events.publish(DeviceEvent.END_OF_STREAM)
        if not self._is_over() and self._overridden("iterate_check"):
            result = await self._guarded(self._device.iterate_check, "iterate_check")
            if result:
                self._fail_by_itself(f"iterate_check: {result}")

    def _is_over(self) -> bool:
        return self.state in (TaskState.ERROR, TaskState.DONE)

    async def _guarded(self, function: Callable[[], Any], name: str) -> object:
        try:
            return await self._call(function, name)
        except Exception as error:
            _log.exception("device=%s %s failed", self._device.name, name)
            return f"{type(error).__name__}: {error}"

    def _note_failure(self, reason: str) -> None:
        if self.state is not TaskState.DONE:
            self._failure = reason
            self._wake.set()

    def _note_end_of_stream(self) -> None:
        self._end_noted = True
        self._wake.set()

    def _fail_by_itself(self, reason: str) -> None:
        _log.error("device=%s failed: %s", self._device.name, reason)
        self._publish(self._machine.fail())
        self.events.publish(DeviceEvent.TASK_INTERNAL_ERROR)

    # ---- calling the device ------------------------------------------------------------------

    def _overridden(self, name: str) -> bool:
        return getattr(type(self._device), name) is not getattr(Device, name) or name in vars(self._device)

    async def _call(self, function: Callable[[], Any], name: str) -> object:
        """Call one callback where it belongs: on the loop if it is a coroutine function, else in the worker thread."""
        if not self._overridden(name):
            return None
        if inspect.iscoroutinefunction(getattr(self._device, name)):
            return await _finished(function())
        return await _finished(await self._worker.call(function))

    def _report_end_of_checker(self, checker: asyncio.Task[None]) -> None:
        if not checker.cancelled() and (error := checker.exception()) is not None:
            _log.critical("device=%s nobody watches it any more", self._device.name, exc_info=error)

    def _own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _finished(result: object) -> object:
    """Wait for what a coroutine function of the device returned.

    Raises:
        TaskError: something in it was cancelled, but not by us.
    """
    if not isinstance(result, Awaitable):
        return result
    try:
        return await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise TaskError("something that it waited for was cancelled") from error
