"""The executor's decisions: events in, instructions out. No clock, no randomness, no I/O: the same events, replayed,
give the same instructions. Here: dispatch, the link, the lease and the executor's own end. Tasks: life.py; what the
core asks for: commands.py; ending a task: ladder.py; deeds: runner.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from executor.api.messages import (
    Forget,
    Hello,
    Kill,
    Launch,
    MetricSamples,
    Ping,
    Pong,
    Shutdown,
    Transition,
    TriggerHooks,
    Welcome,
)
from executor.commands import Commands
from executor.desk import Desk
from executor.life import Life
from executor.orders import Orders
from executor.settings import Identity, Settings
from executor.stimuli import (
    AnyEvent,
    AnyInstruction,
    Commanded,
    Exit,
    Exited,
    LinkDown,
    LinkUp,
    MetricsSampled,
    OccEvent,
    OccReplied,
    Paused,
    PortOpened,
    Ready,
    Spawned,
    SpawnFailed,
    Started,
    StateSeen,
    Terminated,
    TimerFired,
    Unready,
)
from executor.task import Rung, Stage, Task

_LEASE_SLACK_S = 0.002
"""Timers and ``at_ms`` are rounded differently."""


class Agent:
    """All decisions of one executor. Any number of tasks; single-threaded."""

    def __init__(self, identity: Identity, settings: Settings) -> None:
        self.identity = identity
        self._desk = Desk(settings)
        self._orders = Orders(settings.remembered_replies)
        self._life = Life(self._desk, self._orders)
        self._commands = Commands(self._life)
        self._heard_ms = 0
        self._started_ms = 0
        self._lease_s = settings.lease_s
        self._closing = False
        self._exited = False
        life, commands = self._life, self._commands
        self._on_event: dict[type, Callable[[Any], object]] = {
            Started: self._on_started,
            LinkUp: self._on_link_up,
            LinkDown: lambda event: None,
            Commanded: self._on_commanded,
            Spawned: life.on_spawned,
            SpawnFailed: life.on_spawn_failed,
            PortOpened: life.on_port_opened,
            Ready: life.on_ready,
            Unready: life.on_unready,
            Exited: life.on_exited,
            OccReplied: life.on_occ_replied,
            OccEvent: life.on_occ_event,
            StateSeen: life.on_state_seen,
            TimerFired: self._on_timer,
            Paused: self._on_paused,
            MetricsSampled: self._on_metrics,
            Terminated: self._on_terminated,
        }
        self._on_command: dict[type, Callable[[Any], object]] = {
            Welcome: self._welcome,
            Launch: self._launch,
            Transition: commands.transition,
            TriggerHooks: commands.trigger_hooks,
            Kill: commands.kill,
            Forget: commands.forget,
            Shutdown: lambda command: self._end_all(at_once=not command.kill_tasks),
            Ping: lambda command: self._desk.send(Pong(sent_ms=command.sent_ms)),
        }

    @property
    def tasks(self) -> dict[str, Task]:
        """Every task that is not forgotten, by id; to be read only."""
        return self._life.tasks

    def handle(self, event: AnyEvent) -> list[AnyInstruction]:
        """Take one event; return what is to be done, in order.

        Events of tasks that were forgotten meanwhile lead to nothing.
        """
        task_id = getattr(event, "task_id", None)
        if task_id is not None and task_id not in self._life.tasks:
            return []
        self._life.now_ms = event.at_ms
        self._on_event[type(event)](event)
        if self._closing and not self._exited:
            self._exit_if_empty()
        return self._desk.take()

    def validate(self) -> None:
        """Check what must hold between events; for tests.

        Raises:
            AssertionError: it does not.
        """
        calls = self._desk.calls.values()
        for call in calls:
            assert self.tasks[call.task_id].has_process, call
        for task_id, task in self.tasks.items():
            own = {f"{kind}:{task_id}" for kind in ("ready", "run", "ladder")} & self._desk.timers
            idle = not (own or task.running or task.kills or task.connected or task.rung)
            assert task.has_process or idle, (task, own)
            assert (task.stage is Stage.ENDED) == bool(task.final_status), task
        for command_id in self._orders.open_ids():
            for task_id in self._orders.unanswered(command_id):
                task = self.tasks[task_id]
                waits = command_id == task.command_id or command_id in task.kills
                assert waits or any(c.command_id == command_id and c.task_id == task_id for c in calls), command_id

    # ---- the link ----------------------------------------------------------------------------

    def _on_started(self, event: Started) -> None:
        self._heard_ms = self._started_ms = event.at_ms
        self._watch_lease()

    def _on_link_up(self, event: LinkUp) -> None:
        me = self.identity
        self._desk.send(
            Hello(
                executor_id=me.executor_id,
                agent_id=me.agent_id,
                host=me.host,
                pid=me.pid,
                instance=me.instance,
                version=me.version,
                tasks=tuple(task.report(event.at_ms) for task in self.tasks.values()),
                started_ms=self._started_ms,
            )
        )

    def living(self) -> set[str]:
        """Return the ids of the tasks that have not ended."""
        return {task_id for task_id in self.tasks if self.is_living(task_id)}

    def is_living(self, task_id: str) -> bool:
        """Say whether there is such a task and it has not ended."""
        return task_id in self.tasks and self.tasks[task_id].stage is not Stage.ENDED

    def _on_commanded(self, event: Commanded) -> None:
        self._heard_ms = event.at_ms
        command = event.command
        if isinstance(command, Transition | TriggerHooks | Kill):
            if self._orders.is_open(command.command_id):
                return
            reply = self._orders.reply(command.command_id)
            if reply is not None:
                self._life.reply(reply)
                return
        self._on_command[type(command)](command)

    def _launch(self, command: Launch) -> None:
        for spec in command.tasks:
            self._life.launch(spec, refusal="this executor is ending" if self._closing else "")

    def _on_metrics(self, event: MetricsSampled) -> None:
        samples = tuple(s for s in event.samples if s.task_id in self.tasks)
        if samples:
            self._desk.send(MetricSamples(samples=samples, timestamp_ms=event.at_ms))

    # ---- lease and end -----------------------------------------------------------------------

    def _welcome(self, command: Welcome) -> None:
        self._lease_s = command.lease_s
        self._watch_lease()

    def _watch_lease(self) -> None:
        if self._lease_s > 0 and not self._closing:
            self._desk.start_timer("lease", self._lease_s)
        else:
            self._desk.stop_timer("lease")

    def _on_paused(self, event: Paused) -> None:
        self._heard_ms += event.for_ms

    def _on_lease_timer(self) -> None:
        silent_s = (self._life.now_ms - self._heard_ms) / 1000
        if silent_s + _LEASE_SLACK_S >= self._lease_s:
            self._end_all(at_once=False)
        else:
            self._desk.start_timer("lease", self._lease_s - silent_s)

    def _on_terminated(self, event: Terminated) -> None:
        self._end_all(at_once=self._closing)

    def _end_all(self, *, at_once: bool) -> None:
        self._closing = True
        self._desk.stop_timer("lease")
        for task in self.tasks.values():
            self._life.end(task, at_once=at_once)

    def _exit_if_empty(self) -> None:
        stuck = False
        for task in self.tasks.values():
            if task.rung is Rung.STUCK:
                stuck = True
            elif task.stage is not Stage.ENDED:
                return
        self._exited = True
        self._desk.put_last(Exit(1 if stuck else 0))

    # ---- timers ------------------------------------------------------------------------------

    def _on_timer(self, event: TimerFired) -> None:
        if event.timer_id not in self._desk.timers:
            return
        self._desk.timers.remove(event.timer_id)
        kind, _, subject = event.timer_id.partition(":")
        if kind == "lease":
            self._on_lease_timer()
        elif kind == "command":
            self._commands.on_timeout(subject)
        elif kind == "lost":
            self._life.on_lost_timeout(int(subject))
        else:
            on_task = {
                "ready": self._life.on_ready_timeout,
                "run": self._life.on_run_timeout,
                "ladder": self._life.on_ladder_timeout,
            }
            on_task[kind](self.tasks[subject])
