"""The Agent's outgoing side: instructions of one event in order, numbered OCC calls, timers, batched task reports.

Shared by agent.py and ladder.py, which decide; nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from executor.api.messages import CommandReply, DeviceEvent, DeviceEvents, Report, TaskReport, TaskReports
from executor.settings import Settings
from executor.stimuli import AnyInstruction, CallOcc, CloseOcc, QueryOcc, Send, StartTimer, StopTimer
from executor.task import Task


@dataclass(frozen=True, slots=True)
class Call:
    """An OCC call under way; without a command it is a step of the kill ladder."""

    task_id: str
    event: str
    command_id: str
    error: str = ""
    """The connection broke with this; the end of the process is awaited before the command is answered."""


class Desk:
    """Collects what one event leads to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.calls: dict[int, Call] = {}
        self.timers: set[str] = set()
        self._last_call = 0
        self._out: list[AnyInstruction] = []
        self._reports: list[TaskReport] = []

    def take(self) -> list[AnyInstruction]:
        """Return the instructions since the last time."""
        self._flush()
        out, self._out = self._out, []
        return out

    def put(self, instruction: AnyInstruction) -> None:
        self._out.append(instruction)

    def put_last(self, instruction: AnyInstruction) -> None:
        """Put after the task reports of this event so far."""
        self._flush()
        self._out.append(instruction)

    def report(self, task: Task, at_ms: int) -> None:
        """Tell where a task stands, in one message with the others of this event."""
        self._reports.append(task.report(at_ms))

    def send(self, report: Report) -> None:
        """Tell the core, after the task reports of this event so far."""
        self._flush()
        self._out.append(Send(report))

    def send_reply(self, reply: CommandReply | None) -> None:
        """Send a reply if there is one; its timer ends."""
        if reply is not None:
            self.stop_timer(f"command:{reply.command_id}")
            self.send(reply)

    def send_event(self, event: DeviceEvent) -> None:
        self.send(DeviceEvents(events=(event,)))

    def call(self, task: Task, command_id: str, source: str, event: str, destination: str, timeout_s: float,
             arguments: dict[str, str]) -> None:  # fmt: skip
        """Ask a task for a transition."""
        self._last_call += 1
        task_id = task.spec.task_id
        self.calls[self._last_call] = Call(task_id, event, command_id)
        self._out.append(CallOcc(self._last_call, task_id, source, event, destination, arguments, timeout_s))

    def query(self, task: Task, timeout_s: float) -> None:
        """Ask a task for its state."""
        self._last_call += 1
        self.calls[self._last_call] = Call(task.spec.task_id, "", "")
        self._out.append(QueryOcc(self._last_call, task.spec.task_id, timeout_s))

    def close_occ(self, task: Task) -> None:
        if task.connected:
            task.connected = False
            self._out.append(CloseOcc(task.spec.task_id))

    def start_timer(self, timer_id: str, after_s: float) -> None:
        self.timers.add(timer_id)
        self._out.append(StartTimer(timer_id, after_s))

    def stop_timer(self, timer_id: str) -> None:
        if timer_id in self.timers:
            self.timers.remove(timer_id)
            self._out.append(StopTimer(timer_id))

    def _flush(self) -> None:
        if self._reports:
            self._out.append(Send(TaskReports(tasks=tuple(self._reports))))
            self._reports = []
