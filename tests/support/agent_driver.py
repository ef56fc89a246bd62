"""An Agent that a test drives by events, and what is looked for in what it says."""

from __future__ import annotations

from typing import Any

from executor import stimuli
from executor.agent import Agent
from executor.api.messages import (
    CommandReply,
    ControlMode,
    DeviceEvents,
    Launch,
    Target,
    TaskReport,
    TaskReports,
    TaskSpec,
    Termination,
    Transition,
)
from executor.settings import Identity, Settings

IDENTITY = Identity(executor_id="x1", agent_id="a1", host="flp001", pid=7, instance="i1", version="0")


class Driver:
    """Feeds one Agent and checks its invariants after every event."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.agent = Agent(IDENTITY, settings or Settings())
        self.now_ms = 1000
        self.feed(stimuli.Started)

    def feed(self, kind: type, **fields: Any) -> list[Any]:
        self.now_ms += 1
        out = self.agent.handle(kind(**fields, at_ms=self.now_ms))
        self.agent.validate()
        return out

    def command(self, command: Any) -> list[Any]:
        return self.feed(stimuli.Commanded, command=command)

    def launch(self, *specs: TaskSpec) -> list[Any]:
        return self.command(Launch(command_id="l", tasks=specs))

    def up(self, task_id: str = "t1", pid: int = 100) -> None:
        """Bring a direct task to STANDBY."""
        self.launch(direct(task_id))
        self.feed(stimuli.Spawned, task_id=task_id, pid=pid)
        self.feed(stimuli.PortOpened, task_id=task_id)
        self.feed(stimuli.Ready, task_id=task_id, pid=pid + 1, state="STANDBY")

    def exited(
        self, task_id: str = "t1", exit_code: int | None = 0, signal: int | None = None, **output: str
    ) -> list[Any]:
        output = {"stdout": "", "stderr": "", **output}
        return self.feed(stimuli.Exited, task_id=task_id, exit_code=exit_code, signal=signal, **output)

    def replied(self, call_id: int, state: str = "", error: str = "", task_id: str = "t1", **more: Any) -> list[Any]:
        return self.feed(stimuli.OccReplied, call_id=call_id, task_id=task_id, state=state, error=error, **more)

    def fire(self, timer_id: str) -> list[Any]:
        return self.feed(stimuli.TimerFired, timer_id=timer_id)


def direct(task_id: str = "t1", **more: Any) -> TaskSpec:
    more = {"environment_id": "env", "class_name": "c", "value": "task", "control_port": 30000, **more}
    return TaskSpec(task_id=task_id, mode=ControlMode.DIRECT, **more)


def local(mode: str, task_id: str = "t1", **more: Any) -> TaskSpec:
    return TaskSpec(task_id=task_id, environment_id="env", class_name="c", value="run", mode=ControlMode(mode), **more)


def transition(event: str, *task_ids: str, source: str = "STANDBY", destination: str = "CONFIGURED", command_id: str = "c1",
               arguments: dict[str, str] | None = None, timeout_s: float = 9.0) -> Transition:  # fmt: skip
    return Transition(
        command_id=command_id, environment_id="env", event=event, source=source, destination=destination,
        targets=tuple(Target(task_id=t) for t in task_ids or ("t1",)), timeout_s=timeout_s, arguments=arguments or {},
    )  # fmt: skip


def reports(out: list[Any]) -> list[TaskReport]:
    return [r for i in out if isinstance(i, stimuli.Send) and isinstance(i.report, TaskReports) for r in i.report.tasks]


def replies(out: list[Any]) -> list[CommandReply]:
    return [i.report for i in out if isinstance(i, stimuli.Send) and isinstance(i.report, CommandReply)]


def results(out: list[Any]) -> list[tuple[str, str, str]]:
    return [(r.task_id, r.state, r.error) for reply in replies(out) for r in reply.results]


def termination(out: list[Any]) -> Termination:
    """Return what the one event of the end of a hook or basic process tells."""
    events = [
        e for i in out if isinstance(i, stimuli.Send) and isinstance(i.report, DeviceEvents) for e in i.report.events
    ]
    assert [event.type for event in events] == [2]
    assert events[0].termination
    return events[0].termination


def only(out: list[Any], kind: type) -> Any:
    found = [i for i in out if isinstance(i, kind)]
    assert len(found) == 1, out
    return found[0]
