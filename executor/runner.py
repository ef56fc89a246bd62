"""Carries out what the Agent instructs, and tells it what came of it. The only place where both sides meet.

Decisions: agent.py. Processes: process.py. Connections to tasks: control.py. The link to the core: link.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from executor.agent import Agent
from executor.api.messages import Command, ControlMode, MetricSample, ReadOutput, Report, TaskSpec
from executor.api.patient_loop import tell_pauses
from executor.control import Control, OccControl, Reply
from executor.fairmq import FairMqControl
from executor.folders import TaskFolders
from executor.limits import TaskLimits
from executor.link import Link
from executor.output import read_output
from executor.output_file import OutputLimits
from executor.process import Ending, Processes
from executor.readiness import Readiness, first_answer
from executor.recording import Recorder
from executor.rounds import Rounds
from executor.settings import Identity, Settings
from executor.stimuli import (
    AnyEvent,
    CallOcc,
    CloseOcc,
    Commanded,
    ConnectOcc,
    Exit,
    Exited,
    LinkDown,
    LinkUp,
    MetricsSampled,
    OccEvent,
    OccReplied,
    Paused,
    PortOpened,
    QueryOcc,
    Ready,
    Send,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    Started,
    StartTimer,
    StateSeen,
    StopTimer,
    Terminated,
    TimerFired,
    Unready,
)
from executor.task import speaks_json
from occ.errors import TaskError

_LOG = logging.getLogger(__name__)


class AnyLink(Protocol):
    """What link.py and mesos_link.py have in common."""

    @property
    def has_room(self) -> bool: ...
    async def run(self) -> None: ...
    def send(self, report: Report) -> None: ...
    async def close(self) -> None: ...


LinkMaker = Callable[["Runner"], AnyLink]


class Runner:
    """One executor: Agent, processes, connections, timers and link, on one loop in the main thread.

    Args:
        target: where the core listens, ``unix:/path`` or ``host:port``; or what makes another kind of link.
        tasks_folder: output and working directories of tasks.
        recorder: gets every event and its instructions; None for no recording.
    """

    def __init__(
        self,
        identity: Identity,
        settings: Settings,
        target: str | LinkMaker,
        tasks_folder: Path,
        recorder: Recorder | None = None,
    ) -> None:
        self._agent = Agent(identity, settings)
        self._settings = settings
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._unix_s = time.time() - time.monotonic()
        self._tasks_folder = tasks_folder
        limits = OutputLimits(settings.output_file_bytes, settings.output_older_files)
        self._folders = TaskFolders(tasks_folder, settings.kept_tasks, settings.kept_tasks_s)
        off = "switched off" if settings.task_limits == "off" else ""
        task_limits = TaskLimits(identity.executor_id, off=off)
        self._processes = Processes(
            self._folders, identity.instance, settings.output_bytes, self._on_exit, limits, task_limits
        )
        self._rounds = Rounds(
            settings, self._processes, self._folders, task_limits, living=self._agent.living, tell=self._sampled,
            has_room=lambda: self._link.has_room, start=self._start,
        )  # fmt: skip
        self._readiness = Readiness()
        self._controls: dict[str, Control] = {}
        self._connecting: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._to_spawn: deque[TaskSpec] = deque()
        self._events: deque[AnyEvent] = deque()
        self._is_feeding = False
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._link = self._dialling(target) if isinstance(target, str) else target(self)
        self._deeds: dict[type, Callable[[Any], None]] = {
            Spawn: self._spawn,
            ConnectOcc: self._connect_occ,
            CallOcc: self._call_occ,
            QueryOcc: self._query_occ,
            CloseOcc: self._close_occ,
            Signal: lambda i: self._processes.signal(i.task_id, i.signal, i.pid),
            StartTimer: self._start_timer,
            StopTimer: self._stop_timer,
            Send: lambda i: self._link.send(i.report),
            Exit: self._finish,
        }

    def _dialling(self, target: str) -> AnyLink:
        return Link(target, self._settings, on_up=self.on_up, on_down=self.on_down, on_command=self.on_command)

    async def run(self) -> int:
        """Serve until told to end; return the exit code. No process of a task is left then."""
        self.feed(Started(at_ms=self.now_ms()))
        tell_pauses(lambda for_s: self.feed(Paused(for_ms=int(for_s * 1000), at_ms=self.now_ms())))
        self._rounds.begin()
        link = self._start(self._link.run(), "link")
        try:
            code = await self._exit
            await self._link.close()
            return code
        finally:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
            await self._close()

    def terminate(self) -> None:
        """End tasks, then the executor; called again: at once."""
        self.feed(Terminated(at_ms=self.now_ms()))

    def now_ms(self) -> int:
        """Return Unix milliseconds that never step: wall time at the start, monotonic since."""
        return int((self._unix_s + time.monotonic()) * 1000)

    def feed(self, event: AnyEvent) -> None:
        """Give an event to the Agent and do what it says; events that arise meanwhile follow in order."""
        self._events.append(event)
        if self._is_feeding:
            return
        self._is_feeding = True
        try:
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self._is_feeding = False

    def _handle(self, event: AnyEvent) -> None:
        # A fault at one event must not cost every task of the host its life, nor one at an instruction those that follow.
        try:
            instructions = self._agent.handle(event)
        except Exception:
            _LOG.exception("event=%r was not handled", event)
            return
        if self._recorder is not None:
            self._recorder.write(event, instructions)
        for instruction in instructions:
            try:
                self._deeds[type(instruction)](instruction)
            except Exception:
                _LOG.exception("instruction=%r was not carried out", instruction)

    # ---- processes ---------------------------------------------------------------------------

    def _spawn(self, instruction: Spawn) -> None:
        self._to_spawn.append(instruction.spec)
        if len(self._to_spawn) == 1:
            self._loop.call_soon(self._spawn_next)

    def _spawn_next(self) -> None:
        """Start one process per turn of the loop, in the main thread, so that a launch of many blocks nobody."""
        spec = self._to_spawn[0]
        try:
            child = self._processes.spawn(spec)
        except TaskError as error:
            _LOG.warning("task=%s env=%s error=%r", spec.task_id, spec.environment_id, error.message)
            self.feed(SpawnFailed(task_id=spec.task_id, error=error.message, at_ms=self.now_ms()))
        except Exception as error:
            # A fault of ours: whoever waits for the task is answered all the same.
            _LOG.exception("task=%s was not started", spec.task_id)
            self.feed(SpawnFailed(task_id=spec.task_id, error=f"cannot start it: {error!r}", at_ms=self.now_ms()))
        else:
            _LOG.info("task=%s env=%s pid=%d class=%s", spec.task_id, spec.environment_id, child.pid, spec.class_name)
            told = child.confinement.told
            self.feed(Spawned(task_id=spec.task_id, pid=child.pid, limits=told, at_ms=self.now_ms()))
        finally:
            self._to_spawn.popleft()
            if self._to_spawn:
                self._loop.call_soon(self._spawn_next)

    def _on_exit(self, end: Ending) -> None:
        _LOG.info("task=%s exit_code=%s signal=%s", end.task_id, end.exit_code, end.signal)
        if end.out_of_memory:
            _LOG.warning("task=%s a process was killed by %s", end.task_id, end.out_of_memory)
        self._rounds.ended(end.task_id, end.lost_bytes)
        self.feed(
            Exited(
                task_id=end.task_id,
                exit_code=end.exit_code,
                signal=end.signal,
                stdout=end.stdout,
                stderr=end.stderr,
                out_of_memory=end.out_of_memory,
                at_ms=self.now_ms(),
            )
        )
        if not self._agent.is_living(end.task_id):
            self._folders.let_go(end.task_id)

    # ---- OCC ---------------------------------------------------------------------------------

    def _connect_occ(self, instruction: ConnectOcc) -> None:
        task_id, port = instruction.task_id, instruction.port
        self._connecting[task_id] = self._start(self._connect(task_id, port), f"{task_id} connect")

    async def _connect(self, task_id: str, port: int) -> None:
        child = self._processes.get(task_id)
        pipe = child.take_pipe() if child else None
        await self._readiness.port_open(port, pipe)
        self.feed(PortOpened(task_id=task_id, at_ms=self.now_ms()))
        spec = child.spec if child else None
        kind = FairMqControl if spec and spec.mode is ControlMode.FAIRMQ else OccControl
        as_json = spec is not None and speaks_json(spec)
        control = self._controls[task_id] = kind(task_id, port, self._settings.resubscriptions, pipe, as_json=as_json)
        state, pid, error = await first_answer(
            lambda: control.get_state(self._settings.standby_s),
            lambda pid: self._processes.find_stranger(task_id, port, pid),
            lambda why: self.feed(Unready(task_id=task_id, why=why, at_ms=self.now_ms())),
        )
        del self._connecting[task_id]
        self.feed(Ready(task_id=task_id, pid=pid, state=state, error=error, at_ms=self.now_ms()))
        if not error:
            control.watch(self)

    def _call_occ(self, instruction: CallOcc) -> None:
        control = self._controls.get(instruction.task_id)
        if control is None:
            self._replied(instruction, Reply("", f"{instruction.event} failed: not connected", lost=True))
        else:
            self._start(self._call(instruction, control), "occ call")

    async def _call(self, i: CallOcc, control: Control) -> None:
        call = control.transition(i.source, i.event, i.destination, i.arguments, i.timeout_s)
        self._replied(i, await _outcome(i.task_id, i.event, call))

    def _query_occ(self, instruction: QueryOcc) -> None:
        control = self._controls.get(instruction.task_id)
        if control is None:
            self._replied(instruction, Reply("", "GetState failed: not connected", lost=True))
        else:
            self._start(self._query(instruction, control), "occ query")

    async def _query(self, i: QueryOcc, control: Control) -> None:
        self._replied(i, await _outcome(i.task_id, "GetState", control.get_state(i.timeout_s)))

    def _replied(self, instruction: CallOcc | QueryOcc, reply: Reply) -> None:
        self.feed(
            OccReplied(
                call_id=instruction.call_id,
                task_id=instruction.task_id,
                state=reply.state,
                error=reply.error,
                pid=reply.pid,
                lost=reply.lost,
                at_ms=self.now_ms(),
            )
        )

    def _close_occ(self, instruction: CloseOcc) -> None:
        if connecting := self._connecting.pop(instruction.task_id, None):
            connecting.cancel()
        if control := self._controls.pop(instruction.task_id, None):
            self._start(control.close(), f"{instruction.task_id} close")

    def on_state(self, task_id: str, state: str) -> None:
        self.feed(StateSeen(task_id=task_id, state=state, at_ms=self.now_ms()))

    def on_event(self, task_id: str, kind: int) -> None:
        self.feed(OccEvent(task_id=task_id, type=kind, at_ms=self.now_ms()))

    def on_metrics(self, task_id: str, metrics: list[tuple[str, float, str]]) -> None:
        self._rounds.take(task_id, metrics)

    def _sampled(self, samples: tuple[MetricSample, ...]) -> None:
        self.feed(MetricsSampled(samples=samples, at_ms=self.now_ms()))

    # ---- timers, link, end -------------------------------------------------------------------

    def _start_timer(self, instruction: StartTimer) -> None:
        self._stop_timer(StopTimer(instruction.timer_id))
        timer_id, after_s = instruction.timer_id, instruction.after_s
        self._timers[timer_id] = self._loop.call_later(after_s, self._timer_fired, timer_id)

    def _timer_fired(self, timer_id: str) -> None:
        del self._timers[timer_id]
        self.feed(TimerFired(timer_id=timer_id, at_ms=self.now_ms()))

    def _stop_timer(self, instruction: StopTimer) -> None:
        if timer := self._timers.pop(instruction.timer_id, None):
            timer.cancel()

    def on_up(self) -> None:
        self._rounds.tell_all()
        self.feed(LinkUp(at_ms=self.now_ms()))

    def on_down(self) -> None:
        self.feed(LinkDown(at_ms=self.now_ms()))

    def on_command(self, command: Command) -> None:
        if isinstance(command, ReadOutput):  # asks of a file, not of a task's state: nothing for the Agent to decide
            self._start(self._read_output(command), "read output")
        else:
            self.feed(Commanded(command=command, at_ms=self.now_ms()))

    async def _read_output(self, asked: ReadOutput) -> None:
        self._link.send(await asyncio.to_thread(read_output, self._tasks_folder, asked))

    def _finish(self, instruction: Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(instruction.code)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Own a piece of work until it ends; ``_close`` cancels what is left."""
        task = self._loop.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("work=%r failed", task.get_name(), exc_info=task.exception())

    async def _close(self) -> None:
        self._to_spawn.clear()
        self._processes.close()
        for task in tuple(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._rounds.close()
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*(control.close() for control in self._controls.values()), return_exceptions=True)
        await self._readiness.close()
        if self._recorder is not None:
            self._recorder.close()


async def _outcome(task_id: str, what: str, call: Awaitable[Reply]) -> Reply:
    """Return what came of a call, whatever that is: it is answered always."""
    try:
        return await call
    except Exception as error:
        _LOG.exception("task=%s call=%s", task_id, what)
        return Reply("", f"{what} failed: {error!r}")
