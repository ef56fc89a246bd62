"""What the core asks for: transitions, hooks, kills. Every command is answered once, for every target it names.

Pure part of the Agent (agent.py); what happens to the tasks afterwards: life.py.
"""

from __future__ import annotations

from executor.api.messages import ControlMode, Forget, Kill, TaskResult, Transition, TriggerHooks
from executor.life import Life
from executor.task import Rung, Stage, Task
from occ.states import TaskState


class Commands:
    """Commands to the tasks of one executor."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._desk = life.desk
        self._orders = life.orders

    def transition(self, command: Transition) -> None:
        """Drive all targets at once; a target that cannot go is answered with the reason, the others go."""
        targets = {target.task_id: target for target in command.targets}
        timeout_s = command.timeout_s if command.timeout_s > 0 else self._desk.settings.command_s
        reply = self._orders.begin(command.command_id, command.event, targets)
        common = command.arguments
        for task_id, target in targets.items():
            task, refusal = self._ready_task(task_id)
            if task is None or refusal:
                self._refuse(command.command_id, task_id, refusal)
            elif task.is_remote:
                task.running, task.seen = command.event, []
                own = target.arguments
                arguments = common if not own else {**common, **own}
                self._desk.call(
                    task, command.command_id, command.source, command.event, command.destination, timeout_s, arguments
                )
            elif task.spec.mode is ControlMode.BASIC and command.event in ("START", "STOP"):
                self._basic(task, command)
            else:
                task.state = command.destination
                self._life.answer(command.command_id, task)
        self._life.reply(reply)
        if self._orders.is_open(command.command_id):
            self._desk.start_timer(f"command:{command.command_id}", timeout_s)

    def trigger_hooks(self, command: TriggerHooks) -> None:
        """Start the processes of hooks; answered as they have started."""
        reply = self._orders.begin(command.command_id, "TRIGGER", command.task_ids)
        for task_id in dict.fromkeys(command.task_ids):
            task, refusal = self._ready_task(task_id)
            if task is not None and not refusal:
                if task.spec.mode is not ControlMode.HOOK:
                    refusal = f"is a {task.spec.mode.value} task, only hooks can be triggered"
                elif task.has_process:
                    refusal = f"runs already as process {task.pid}"
            if task is None or refusal:
                self._refuse(command.command_id, task_id, refusal)
            else:
                task.running, task.command_id = "TRIGGER", command.command_id
                self._life.spawn(task)
        self._life.reply(reply)

    def kill(self, command: Kill) -> None:
        """End tasks; unknown and ended ones count as done."""
        reply = self._orders.begin(command.command_id, "KILL", command.task_ids)
        for task_id in dict.fromkeys(command.task_ids):
            task = self._life.tasks.get(task_id)
            if task is None:
                self._refuse(command.command_id, task_id, "")
            elif task.stage is Stage.ENDED:
                self._life.answer(command.command_id, task)
            elif task.rung is Rung.STUCK:
                self._life.answer(command.command_id, task, f"process {task.pid} is still there after SIGKILL")
            else:
                task.kills.append(command.command_id)
                self._life.end(task, at_once=command.at_once)
        self._life.reply(reply)

    def forget(self, command: Forget) -> None:
        """Drop the records of ended tasks."""
        for task_id in command.task_ids:
            task = self._life.tasks.get(task_id)
            if task is not None and task.stage is Stage.ENDED:
                del self._life.tasks[task_id]

    def on_timeout(self, command_id: str) -> None:
        """Answer for the targets that did not; what they do later no longer counts for this command."""
        what = self._orders.what(command_id)
        for task_id in self._orders.unanswered(command_id):
            task = self._life.tasks[task_id]
            if task.command_id == command_id:
                task.command_id = ""
            self._life.answer(command_id, task, f"{what} timed out")

    def _basic(self, task: Task, command: Transition) -> None:
        starts = command.event == "START"
        if starts and task.has_process:
            self._life.answer(command.command_id, task, f"runs already as process {task.pid}")
        elif not starts and not task.has_process:
            task.state = TaskState.CONFIGURED.value
            self._life.answer(command.command_id, task)
        else:
            task.running, task.command_id = command.event, command.command_id
            if starts:
                self._life.spawn(task)
            else:
                self._life.stop_process(task)

    def _ready_task(self, task_id: str) -> tuple[Task | None, str]:
        """Return the task, and why it cannot take a command now or ""."""
        task = self._life.tasks.get(task_id)
        if task is None:
            return None, "is not known to this executor"
        if task.stage is Stage.ENDED:
            return task, f"has ended{': ' + task.error if task.error else ''}"
        if task.rung is not None or task.failure:
            return task, "is being ended"
        if task.running:
            return task, f"is busy with {task.running}"
        if task.is_remote and task.stage is not Stage.UP:
            return task, f"is not ready: {task.stage.value}"
        return task, ""

    def _refuse(self, command_id: str, task_id: str, why: str) -> None:
        task = self._life.tasks.get(task_id)
        error = f"task {task_id} {why}" if why else ""
        result = TaskResult(task_id=task_id, state=task.state if task else "", error=error)
        self._life.reply(self._orders.answer(command_id, result))
