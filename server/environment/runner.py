"""Carry out what an environment decides, and bring every result back to it as a stimulus.

One runner per environment, one loop in it: stimuli are taken in order, decided, journalled, and only then acted on.
Environments never wait for each other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from occ.errors import AliecsError
from server.api.errors import Reason
from server.clock import now_ms
from server.environment import instructions as do
from server.environment.advance import advance
from server.environment.calls import run_call
from server.environment.configure import task_properties
from server.environment.environment import Environment
from server.environment.parts import Answer, Parts
from server.environment.stimuli import (
    Acquired,
    AnyStimulus,
    Assignment,
    CallDone,
    CommandDone,
    HooksTriggered,
    Outcome,
    RunNumberGranted,
    TaskChange,
    TasksChanged,
    TasksKilled,
    TimerFired,
    VariablesWritten,
    encode,
)
from server.environment.wanted import assignment, change_of, wanted_tasks
from server.journal import Record, Stimulus

log = logging.getLogger(__name__)


class EnvironmentRunner:
    """Runs one environment.

    Attributes:
        environment: the record; read it freely, only the loop here changes it.
        progress: (tasks that answered, tasks asked) of the command in progress.
    """

    def __init__(self, environment: Environment, parts: Parts, on_gone: Callable[[EnvironmentRunner], None]) -> None:
        self.environment = environment
        self.progress = (0, 0)
        self._parts = parts
        self._on_gone = on_gone
        self._stimuli: list[AnyStimulus] = []
        self._changes: dict[str, TaskChange] = {}
        self._wake = asyncio.Event()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._serial = 0
        self._finished = asyncio.Event()
        self._resumed: list[do.AnyInstruction] = []
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    # ---- life --------------------------------------------------------------------------------

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin to work in the core's task group; ``close`` or the end of the environment ends it."""
        self._task = group.create_task(self._run(), name=f"environment {self.environment.id}")

    async def close(self) -> None:
        """Stop working; what is in flight goes on at the executors and is taken up again by the next core."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def resume(self) -> None:
        """Take up an environment that was restored from the journal: ask again for what was never answered.

        A call of a service that was in flight has an unknown outcome and counts as failed (design 1b). Time without a core
        counts for no deadline, only a run goes on in it.
        """
        now = now_ms()
        for timer in list(self.environment.timers.values()):
            self._arm(timer, now if timer.timer == "auto_stop" else self.environment.latest_ms)
        for asked in list(self.environment.outstanding.values()):
            match asked:
                case do.RunCall():
                    error = "outcome unknown: the core was restarted while the call was in flight"
                    self.post(CallDone(at_ms=now, token=asked.token, error=error))
                case do.Acquire():
                    reason = "the core was restarted while tasks were being placed"
                    self.post(Acquired(at_ms=now, token=asked.token, undeployable=dict.fromkeys(asked.roles, reason)))
                case _:
                    self._resumed.append(asked)
        self._wake.set()

    # ---- in ----------------------------------------------------------------------------------

    def post(self, stimulus: AnyStimulus) -> None:
        """Queue a stimulus; changes of tasks that came before it are seen before it."""
        self._flush_changes()
        self._stimuli.append(stimulus)
        self._wake.set()

    def task_changed(self, change: TaskChange) -> None:
        """Queue what changed about a task; several changes of one task become one, so the queue is bounded."""
        before = self._changes.get(change.task_id)
        if before is not None and change.state is not None and before.state == "ERROR":
            self._flush_changes()
            before = None
        if before is None:
            self._changes[change.task_id] = change
        else:
            self._changes[change.task_id] = TaskChange(
                task_id=change.task_id,
                state=change.state if change.state is not None else before.state,
                status=change.status if change.status is not None else before.status,
                error=change.error or before.error,
                exit_code=change.exit_code if change.exit_code is not None else before.exit_code,
                signal=change.signal if change.signal is not None else before.signal,
            )
        self._wake.set()

    async def request(self, make: Callable[[str], AnyStimulus]) -> Answer:
        """Post the request that ``make`` builds around a new request id and wait for its answer.

        The wait is bounded by the deadlines of the steps that the request takes.
        """
        self._serial += 1
        request_id = f"{self.environment.id}/{now_ms()}/{self._serial}"
        self.expect(request_id)
        self.post(make(request_id))
        return await self.wait(request_id)

    def expect(self, request_id: str) -> None:
        """Be ready for the answer to a request that is about to be posted."""
        self._waiting[request_id] = asyncio.get_running_loop().create_future()

    async def wait(self, request_id: str) -> Answer:
        """Return the answer to an expected request. A caller that goes away does not stop what it asked for."""
        try:
            return await self._waiting[request_id]
        finally:
            self._waiting.pop(request_id, None)

    async def finished(self) -> None:
        """Wait until the environment is gone from the core; to be called once its last answer is there."""
        await self._finished.wait()

    @property
    def is_working(self) -> bool:
        """True while something is under way for it, also after its end: calls that nobody awaits take their time."""
        return self._task is not None and not self._task.done()

    def _flush_changes(self) -> None:
        if self._changes:
            self._stimuli.append(TasksChanged(at_ms=now_ms(), changes=tuple(self._changes.values())))
            self._changes = {}

    # ---- the loop ----------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for instruction in self._resumed:
                    self._carry_out(instruction)
                await self._loop()
        finally:
            self._finish()

    def _finish(self) -> None:
        self._finished.set()
        for handle in self._timers.values():
            handle.cancel()
        answer = Answer(error="the environment is gone", reason=Reason.ENVIRONMENT_NOT_FOUND.value)
        if not self.environment.is_gone:
            error = "this core ends before it is over: it goes on without it, and the next core takes it up"
            answer = Answer(error=error, reason=Reason.INTERNAL.value)
        for future in self._waiting.values():
            if not future.done():
                future.set_result(answer)

    async def _loop(self) -> None:
        environment = self.environment
        while not environment.is_gone:
            await self._wake.wait()
            self._wake.clear()
            self._flush_changes()
            stimuli, self._stimuli = self._stimuli, []
            wanted: list[do.AnyInstruction] = []
            for stimulus in stimuli:
                decided = advance(environment, stimulus)
                self._parts.record(environment.id, stimulus, decided)
                wanted += decided
            if stimuli:
                records: list[Record] = [Stimulus(environment.id, encode(stimulus)) for stimulus in stimuli]
                await self._parts.journal.append(records + self._durations())
            for instruction in wanted:
                self._carry_out(instruction)
            self._turn_away(stimuli)
            self._parts.changed(self)
        await self._parts.journal.delete_environment(environment.id)
        self._on_gone(self)
        self._turn_away(self._stimuli)
        self._finish()

    def _durations(self) -> list[Record]:
        """Learn from the transitions that ended how long such ones take; return what is to be journalled of it."""
        durations, records = self._parts.durations, list[Record]()
        for ended in self.environment.take_finished():
            if not ended.error:
                records += durations.add(self.environment.template_name, ended.event, ended.ended_ms - ended.started_ms)
        return records

    @property
    def usual_ms(self) -> int:
        """Return how long the transition in progress usually takes, 0 if that is not known."""
        environment = self.environment
        return self._parts.durations.usual_ms(environment.template_name, environment.busy_with)

    # ---- out ---------------------------------------------------------------------------------

    def _carry_out(self, instruction: do.AnyInstruction) -> None:
        match instruction:
            case do.Publish():
                self._parts.publish(instruction.event)
            case do.StartTimer():
                self._arm(instruction, now_ms())
            case do.StopTimer():
                if handle := self._timers.pop(instruction.timer, None):
                    handle.cancel()
            case do.Release():
                self._parts.roster.release(instruction.task_ids)
            case do.Reply():
                self._answer(instruction)
            case do.Gone():
                pass
            case do.Acquire():
                self._spawn(self._acquire(instruction))
            case do.Command():
                self._spawn(self._command(instruction))
            case do.TriggerHooks():
                self._spawn(self._trigger_hooks(instruction))
            case do.RunCall():
                self._spawn(self._call(instruction))
            case do.NewRunNumber():
                self._spawn(self._run_number(instruction))
            case do.Kill():
                self._spawn(self._kill(instruction))

    def _turn_away(self, stimuli: Sequence[AnyStimulus]) -> None:
        """End tasks that were placed too late for their environment to want them."""
        placed = [one.task_id for stimulus in stimuli if isinstance(stimulus, Acquired) for one in stimulus.assignments]
        strays = [task_id for task_id in placed if task_id not in self.environment.tasks]
        if strays:
            log.warning("tasks came too late and are ended env=%s tasks=%s", self.environment.id, ",".join(strays))
            self._parts.roster.release(strays)
            self._spawn(self._end(strays))

    async def _end(self, task_ids: Sequence[str]) -> None:
        await self._parts.commander.kill(task_ids, timeout_s=self.environment.created.timings.kill_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None, "the runner is not started"
        self._group.create_task(work)

    def _answer(self, reply: do.Reply) -> None:
        future = self._waiting.get(reply.request_id)
        if future and not future.done():
            future.set_result(Answer(reply.error, reply.reason, reply.killed))

    def _arm(self, timer: do.StartTimer, at_ms: int) -> None:
        if handle := self._timers.pop(timer.timer, None):
            handle.cancel()
        # Never longer than it was to take when the environment moved on last: the clock may have been set back since.
        delay_s = max(0.0, (timer.at_ms - max(at_ms, self.environment.latest_ms)) / 1000)
        self._timers[timer.timer] = asyncio.get_running_loop().call_later(delay_s, self._fire, timer.timer)

    def _fire(self, name: str) -> None:
        self._timers.pop(name, None)
        self.post(TimerFired(at_ms=now_ms(), timer=name))

    # ---- work that is answered by a stimulus -----------------------------------------------------

    async def _acquire(self, asked: do.Acquire) -> None:
        environment = self.environment
        descriptors, undeployable = wanted_tasks(environment, asked.roles)
        assignments: tuple[Assignment, ...] = ()
        try:
            acquired = await self._parts.acquirer.acquire(
                environment.id, descriptors, timeout_s=asked.timeout_s, ids=self._parts.new_id
            )
        except AliecsError as error:
            undeployable |= {descriptor.key: str(error) for descriptor in descriptors}
        else:
            undeployable |= acquired.undeployable
            tasks = ((key, self._parts.roster.get(task_id)) for key, task_id in acquired.assigned.items())
            assignments = tuple(assignment(key, task) for key, task in tasks if task)
        answer = Acquired(at_ms=now_ms(), token=asked.token, assignments=assignments, undeployable=undeployable)
        if self._finished.is_set():
            self._turn_away((answer,))
            return
        self.post(answer)
        # A task may have come up before it was known here.
        for one in assignments:
            if task := self._parts.roster.get(one.task_id):
                self.task_changed(change_of(None, task))

    async def _command(self, asked: do.Command) -> None:
        environment = self.environment
        self.progress = (0, len(asked.task_ids))
        try:
            async with asyncio.timeout(asked.timeout_s):
                properties = await self._properties(asked)
        except TimeoutError:
            error_text = f"properties could not be made within {asked.timeout_s:g} s: the configuration does not answer"
            self.post(CommandDone(at_ms=now_ms(), token=asked.token, error=error_text))
            return
        except AliecsError as error:
            self.post(CommandDone(at_ms=now_ms(), token=asked.token, error=str(error)))
            return
        results = await self._parts.commander.transition(
            asked.token,
            environment.id,
            asked.event,
            asked.source,
            asked.destination,
            arguments=asked.arguments,
            per_task={task_id: properties.get(task_id, {}) for task_id in asked.task_ids},
            timeout_s=asked.timeout_s,
            progress=self._progressed,
        )
        failed = tuple(
            Outcome(task_id=task_id, error=result.error) for task_id, result in results.items() if result.error
        )
        self.post(CommandDone(at_ms=now_ms(), token=asked.token, failed=failed))

    async def _properties(self, asked: do.Command) -> dict[str, dict[str, str]]:
        return await self.properties(asked.task_ids) if asked.with_properties else {}

    async def properties(self, task_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return what CONFIGURE carries for these tasks: see ``task_properties``."""
        return await task_properties(self.environment, self._parts.roster, task_ids, self._parts.objects)

    def _progressed(self, done: int, total: int) -> None:
        self.progress = (done, total)
        self._parts.changed(self)

    async def _trigger_hooks(self, asked: do.TriggerHooks) -> None:
        errors = await self._parts.commander.trigger_hooks(
            asked.token, self.environment.id, asked.task_ids, timeout_s=asked.timeout_s
        )
        failed = tuple(Outcome(task_id=task_id, error=error) for task_id, error in errors.items() if error)
        self.post(HooksTriggered(at_ms=now_ms(), token=asked.token, failed=failed))

    async def _call(self, asked: do.RunCall) -> None:
        parts = self._parts
        limits = {"default_s": parts.call_default_s, "margin_s": parts.call_margin_s}
        self.post(await run_call(asked, parts.plugins, self, parts.objects, **limits))

    async def _run_number(self, asked: do.NewRunNumber) -> None:
        try:
            number = await self._parts.run_numbers.new_run_number()
        except AliecsError as error:
            self.post(RunNumberGranted(at_ms=now_ms(), token=asked.token, error=str(error)))
        else:
            self.post(RunNumberGranted(at_ms=now_ms(), token=asked.token, run_number=number))

    async def _kill(self, asked: do.Kill) -> None:
        killed, remaining = await self._parts.commander.kill(asked.task_ids, timeout_s=asked.timeout_s)
        self.post(TasksKilled(at_ms=now_ms(), token=asked.token, killed=tuple(killed), remaining=tuple(remaining)))

    # ---- EnvironmentPort: what a service may do ------------------------------------------------

    @property
    def environment_id(self) -> str:
        return self.environment.id

    def set_variable(self, key: str, value: str) -> None:
        self.post(VariablesWritten(at_ms=now_ms(), values={key: value}))

    def append_variable(self, key: str, item: str) -> None:
        self.post(VariablesWritten(at_ms=now_ms(), appended={key: item}))
