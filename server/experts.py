"""What experts do to single tasks, beside environments. Hosts: hosts.py. The servicer: ops.py. Every act is told: audit.py."""

from __future__ import annotations

from collections.abc import Mapping

from executor.api.messages import ControlMode
from occ.states import MOVES, TaskEvent
from server.api.errors import CoreError, Reason
from server.api.model_ops import TaskOutcome
from server.api.states import EnvironmentState
from server.audit import Audit
from server.core import Core
from server.environment.arguments import start_arguments, stop_arguments
from server.environment.runner import EnvironmentRunner
from server.environment.stimuli import Requester
from server.ids import new_id
from server.task.task import Task

EVENTS = (TaskEvent.CONFIGURE, TaskEvent.START, TaskEvent.STOP, TaskEvent.RESET, TaskEvent.RECOVER)


class Experts:
    """Acts on the tasks of one core."""

    def __init__(self, core: Core, audit: Audit) -> None:
        self._core = core
        self._audit = audit
        self._busy: set[str] = set()
        """Tasks that a transition was sent to from here."""

    async def transition(
        self, task_id: str, event: str, arguments: Mapping[str, str], requester: Requester
    ) -> TaskOutcome:
        """Send one OCC transition to one task.

        Args:
            arguments: win over those that its environment would give.

        Raises:
            CoreError: the task cannot take it now, or did not follow.
        """
        task = self._core.roster.get(task_id)
        with self._audit.act("TransitionTask", requester, task, task_id=task_id, event=event) as told:
            outcome = await self._transition(self._alive(task, task_id), event.upper(), arguments)
            told.state = outcome.state
            return outcome

    async def kill(self, task_id: str, requester: Requester, *, force: bool, reason: str) -> TaskOutcome:
        """End a task; for its environment it has died.

        Raises:
            CoreError: it is critical and takes data, and ``force`` was not given; or it did not end.
        """
        task = self._core.roster.get(task_id)
        with self._audit.act("KillTask", requester, task, task_id=task_id, force=force, reason=reason) as told:
            outcome = await self._kill(self._alive(task, task_id), force)
            told.state = outcome.state
            return outcome

    async def _transition(self, task: Task, event: str, arguments: Mapping[str, str]) -> TaskOutcome:
        core, task_id = self._core, task.task_id
        if event not in EVENTS:
            raise CoreError(
                Reason.BAD_REQUEST, f"{event or 'no event'} cannot be sent to a task", task=task_id,
                hint=f"there are {', '.join(EVENTS)}",
            )  # fmt: skip
        runner = core.environments.of_task(task.environment_id)
        self._check_free(task, runner)
        moves = {source: destination for one, source, destination in MOVES if one == event}
        if task.state not in moves:
            raise CoreError(
                Reason.ILLEGAL_TRANSITION, f"task {task_id} is {task.state}, {event} leads from {' or '.join(moves)}",
                task=task_id, host=task.host,
            )  # fmt: skip
        self._busy.add(task_id)
        try:
            own = dict(await self._given(runner, task, event)) | dict(arguments)
            results = await core.commander.transition(
                f"expert-{new_id()}", task.environment_id, event, task.state.value, moves[task.state].value,
                arguments={}, per_task={task_id: own}, timeout_s=core.settings.transition_timeout_s,
            )  # fmt: skip
        finally:
            self._busy.discard(task_id)
        if error := results[task_id].error:
            raise CoreError(
                Reason.TRANSITION_FAILED,
                f"task {task_id} did not follow {event}: {error}",
                task=task_id,
                host=task.host,
            )
        return self._outcome(task)

    def _check_free(self, task: Task, runner: EnvironmentRunner | None) -> None:
        where = {"task": task.task_id, "host": task.host, "environment": task.environment_id}
        if task.mode not in (ControlMode.DIRECT, ControlMode.FAIRMQ):
            message = f"task {task.task_id} is a {task.mode.value} task, which knows no transitions"
            raise CoreError(Reason.BAD_REQUEST, message, **where)
        if task.task_id in self._busy or task.killing:
            doing = "is being ended" if task.killing else "has a transition of another expert in progress"
            raise CoreError(Reason.TASK_IN_USE, f"task {task.task_id} {doing}", **where)
        if runner is not None and (runner.environment.transition or runner.environment.job):
            doing = runner.environment.transition or "a transition"
            message = f"task {task.task_id} is in use: {doing} of environment {runner.environment.id} is in progress"
            raise CoreError(Reason.TRANSITION_RUNNING, message, hint="wait until it is over", **where)

    async def _given(self, runner: EnvironmentRunner | None, task: Task, event: str) -> Mapping[str, str]:
        """Return the arguments that the environment of a task would give."""
        if runner is None:
            return {}
        environment = runner.environment
        stack = environment.tree.stack(environment.tree.root)
        if event == TaskEvent.CONFIGURE:
            return (await runner.properties([task.task_id])).get(task.task_id, {})
        if event == TaskEvent.START and environment.run_number:
            return start_arguments(stack, environment.run_number)
        return stop_arguments(stack, camel_too=True) if event == TaskEvent.STOP else {}

    async def _kill(self, task: Task, force: bool) -> TaskOutcome:
        core, task_id = self._core, task.task_id
        runner = core.environments.of_task(task.environment_id)
        if runner is not None and task_id in runner.environment.tasks and not force:
            environment = runner.environment
            if environment.state is EnvironmentState.RUNNING and environment.role_of(task_id).critical:
                raise CoreError(
                    Reason.TASK_IN_USE,
                    f"task {task_id} is critical for environment {environment.id}, which is in run {environment.run_number}",
                    hint="with --force the environment goes to ERROR and its run ends",
                    task=task_id, host=task.host, environment=environment.id,
                )  # fmt: skip
        timeout_s = core.settings.kill_timeout_s
        if task.locked:
            is_gone = await core.commander.strike(task_id, timeout_s=timeout_s)
        else:
            is_gone = task_id in (await core.commander.kill([task_id], timeout_s=timeout_s))[0]
        if not is_gone:
            message = f"task {task_id} did not end within {timeout_s:g} s"
            raise CoreError(Reason.KILL_FAILED, message, task=task_id, host=task.host)
        return self._outcome(task)

    def _alive(self, task: Task | None, task_id: str) -> Task:
        if task is None:
            raise CoreError(Reason.TASK_NOT_FOUND, f"task {task_id} not found", hint="task ls lists them", task=task_id)
        if task.ended:
            message = f"task {task_id} has ended: {task.error or task.final_status}"
            raise CoreError(Reason.TASK_ENDED, message, task=task_id, host=task.host)
        return task

    def _outcome(self, before: Task) -> TaskOutcome:
        """Return where the task stands now; one that is forgotten is DONE."""
        task = self._core.roster.get(before.task_id)
        return TaskOutcome(
            task_id=before.task_id,
            state=task.state.value if task else "DONE",
            status=task.status.value if task else "INACTIVE",
            environment_id=before.environment_id,
        )
