"""A world around one environment: it answers every instruction at once, unless told to fail, and keeps all that happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.environment import instructions as do
from server.environment.advance import advance
from server.environment.environment import Environment
from server.environment.stimuli import (
    Acquired,
    AnyStimulus,
    Assignment,
    CallDone,
    CommandDone,
    Created,
    DestroyRequested,
    HooksTriggered,
    Outcome,
    Requested,
    Requester,
    RunNumberGranted,
    TaskChange,
    TasksChanged,
    TasksKilled,
    TaskTerminated,
    TimerFired,
    Timings,
)
from server.template.model import LoadedRole, LoadedWorkflow, RoleKind, TaskClass, TemplateInfo, Traits

OPERATOR = Requester(name="shifter@host")
AFTER = {"CONFIGURE": "CONFIGURED", "START": "RUNNING", "STOP": "CONFIGURED", "RESET": "STANDBY"}


def task(name: str, *, critical: bool = True, trigger: str = "", timeout: str = "30s", load: str = "") -> LoadedRole:
    traits = Traits(trigger=trigger, await_=trigger, timeout=timeout, critical=critical)
    return LoadedRole(name=name, kind=RoleKind.TASK, load=load or f"/repo/tasks/{name}@hash", traits=traits)


def call(
    name: str, trigger: str, *, critical: bool = True, await_: str = "", func: str = "testplugin.Test()"
) -> LoadedRole:
    traits = Traits(trigger=trigger, await_=await_ or trigger, timeout="1s", critical=critical)
    return LoadedRole(name=name, kind=RoleKind.CALL, func=func, traits=traits)


def group(name: str, *roles: LoadedRole, **values: Any) -> LoadedRole:
    return LoadedRole(name=name, kind=RoleKind.AGGREGATOR, roles=roles, **values)


class World:
    """Drives one environment.

    Attributes:
        said: messages of environment events, with transition and step.
        fail: what goes wrong: ("call", func), ("command", event, role), ("acquire", role), ("hook", role),
            ("silent", kind): that kind of instruction gets no answer.
    """

    def __init__(self, root: LoadedRole, *, fail: Sequence[tuple[str, ...]] = (), **created: Any) -> None:
        self.fail = set(fail)
        self.now_ms = 1_000
        self.said: list[tuple[str, str, str]] = []
        self.calls: list[str] = []
        self.commands: list[do.Command] = []
        self.replies: list[do.Reply] = []
        self.events: list[Any] = []
        self.killed: tuple[str, ...] = ()
        self.released: list[str] = []
        self.timers: dict[str, do.StartTimer] = {}
        self.unanswered: list[do.AnyInstruction] = []
        self.stimuli: list[AnyStimulus] = []
        self.decided: list[bytes] = []
        self.runs = 0
        self.tasks = 0
        loads = {role.load for role in _walk(root) if role.load}
        classes = {load: TaskClass(identifier=load, name=load.rsplit("/", 1)[-1].split("@")[0]) for load in loads}
        values: dict[str, Any] = {
            "defaults": {}, "vars": {}, "user_vars": {}, "detectors": (), "requester": OPERATOR, "timings": Timings(),
        }  # fmt: skip
        self.created = Created(
            at_ms=self.now_ms,
            created_ms=self.now_ms,
            environment_id="2oDvieFrVTi",
            workflow=LoadedWorkflow(
                template=TemplateInfo(expression=root.name, name=root.name), root=root, classes=classes
            ),
            request_id="create",
            **(values | created),
        )
        self.environment = Environment.begin(self.created)

    @property
    def state(self) -> str:
        return self.environment.state.value

    def create(self) -> World:
        self.post(self.created)
        return self

    def ask(self, event: str) -> do.Reply:
        request = f"r{len(self.stimuli)}"
        self.post(Requested(at_ms=self.tick(), event=event, requester=OPERATOR, request_id=request))
        return next((reply for reply in self.replies if reply.request_id == request), do.Reply(request_id=""))

    def destroy(self, **how: bool) -> do.Reply:
        request = f"r{len(self.stimuli)}"
        self.post(DestroyRequested(at_ms=self.tick(), requester=OPERATOR, request_id=request, **how))
        return next((reply for reply in self.replies if reply.request_id == request), do.Reply(request_id=""))

    def fire(self, timer: str) -> None:
        self.post(TimerFired(at_ms=self.timers.pop(timer).at_ms, timer=timer))

    def change(self, role: str, **what: Any) -> None:
        self.post(TasksChanged(at_ms=self.tick(), changes=(TaskChange(task_id=self.task_of(role), **what),)))

    def kill_task(self, role: str, *, signal: int = 9) -> None:
        self.change(role, state="ERROR", status="INACTIVE", signal=signal, error=f"was killed by signal {signal}")

    def task_of(self, role: str) -> str:
        (found,) = self.environment.tree.by_path[role]
        return self.environment.task_of_role[found.order]

    def tick(self) -> int:
        self.now_ms += 10
        return self.now_ms

    def post(self, stimulus: AnyStimulus) -> None:
        queue: list[AnyStimulus] = [stimulus]
        while queue:
            one = queue.pop(0)
            self.stimuli.append(one)
            decided = advance(self.environment, one)
            self.environment.check()
            self.decided += [do.encode(instruction) for instruction in decided]
            for instruction in decided:
                queue += self.answer(instruction)

    def answer(self, instruction: do.AnyInstruction) -> list[AnyStimulus]:
        now = self.tick()
        if ("silent", type(instruction).__name__) in self.fail:
            self.unanswered.append(instruction)
            return []
        match instruction:
            case do.Publish(event=event):
                self.events.append(event)
                if hasattr(event, "message"):
                    self.said.append((event.transition, event.transition_step, event.message))
            case do.StartTimer():
                self.timers[instruction.timer] = instruction
            case do.StopTimer():
                self.timers.pop(instruction.timer, None)
            case do.Reply():
                self.replies.append(instruction)
            case do.Release():
                self.released += instruction.task_ids
            case do.Acquire():
                return self._acquire(instruction, now)
            case do.Command():
                return self._command(instruction, now)
            case do.TriggerHooks():
                return self._hooks(instruction, now)
            case do.RunCall():
                self.calls.append(instruction.func)
                error = "it failed" if ("call", instruction.func) in self.fail else ""
                return [
                    CallDone(
                        at_ms=now,
                        token=instruction.token,
                        error=error,
                        output="out",
                        return_name=instruction.return_var,
                    )
                ]
            case do.NewRunNumber():
                self.runs += 1
                error = "no store" if ("run number",) in self.fail else ""
                return [RunNumberGranted(at_ms=now, token=instruction.token, run_number=self.runs, error=error)]
            case do.Kill():
                self.killed = instruction.task_ids
                return [TasksKilled(at_ms=now, token=instruction.token, killed=instruction.task_ids)]
            case do.Gone():
                pass
        return []

    def _acquire(self, asked: do.Acquire, now: int) -> list[AnyStimulus]:
        assigned: list[Assignment] = []
        refused: dict[int, str] = {}
        for order in asked.roles:
            role = self.environment.tree[order]
            if ("acquire", role.path) in self.fail:
                refused[order] = "no host flp009"
                continue
            self.tasks += 1
            assigned.append(
                Assignment(
                    role=order, task_id=f"t{self.tasks}", host=f"flp00{self.tasks}", class_name=role.name, mode="direct"
                )
            )
        up = [
            TaskChange(task_id=one.task_id, status="ACTIVE", state="STANDBY")
            for one in assigned
            if ("start", self.environment.tree[one.role].path) not in self.fail
        ]
        return [
            Acquired(at_ms=now, token=asked.token, assignments=tuple(assigned), undeployable=refused),
            TasksChanged(at_ms=now, changes=tuple(up)),
        ]

    def _command(self, asked: do.Command, now: int) -> list[AnyStimulus]:
        self.commands.append(asked)
        failed: list[Outcome] = []
        changes: list[TaskChange] = []
        for task_id in asked.task_ids:
            path = self.environment.role_of(task_id).path
            if ("command", asked.event, path) in self.fail:
                failed.append(Outcome(task_id=task_id, error=f"{asked.event} failed"))
                changes.append(TaskChange(task_id=task_id, state="ERROR", error=f"{asked.event} failed"))
            else:
                changes.append(TaskChange(task_id=task_id, state=AFTER[asked.event]))
        return [
            TasksChanged(at_ms=now, changes=tuple(changes)),
            CommandDone(at_ms=now, token=asked.token, failed=tuple(failed)),
        ]

    def _hooks(self, asked: do.TriggerHooks, now: int) -> list[AnyStimulus]:
        ended: list[AnyStimulus] = [HooksTriggered(at_ms=now, token=asked.token)]
        for task_id in asked.task_ids:
            path = self.environment.role_of(task_id).path
            if ("silent hook", path) in self.fail:
                continue
            code = 3 if ("hook", path) in self.fail else 0
            self.calls.append(f"hook {path}")
            ended.append(
                TaskTerminated(
                    at_ms=now, task_id=task_id, exit_code=code, stdout="", stderr="it broke\n" if code else "", voluntary=True,
                    final_status="TASK_FAILED" if code else "TASK_FINISHED",
                )
            )  # fmt: skip
        return ended


def _walk(role: LoadedRole) -> list[LoadedRole]:
    return [role, *(below for child in role.roles for below in _walk(child))]


def variables(world: World) -> Mapping[str, str]:
    tree = world.environment.tree
    return tree.stack(tree.root)
