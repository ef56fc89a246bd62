"""All environments of the core: creation, look-up, requests, and taking up again what a killed core left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from msgspec.structs import replace

from occ.errors import AliecsError
from occ.states import TaskState
from server.api.errors import CoreError, Reason
from server.api.model import EnvironmentEvent as Published
from server.api.model import OpStatus, TemplateReference
from server.api.states import OPERATOR_EVENTS, EnvironmentEvent, EnvironmentState
from server.clock import follow, now_ms
from server.config.configuration import Configuration
from server.environment.advance import advance
from server.environment.creation import Creation, Drafts
from server.environment.environment import Environment
from server.environment.instructions import Release
from server.environment.parts import Answer, Parts
from server.environment.runner import EnvironmentRunner
from server.environment.stimuli import Created, DestroyRequested, Requested, Requester, TaskChange, Timings, decode
from server.environment.turn import named_user
from server.ids import is_valid_id
from server.journal import DeleteEnvironment
from server.task.claims import may_be_claimed
from server.task.commander import Commander
from server.task.roster import Roster
from server.task.task import Task
from server.workflow.loader import WorkflowLoader
from server.workflow.register import Repositories

log = logging.getLogger(__name__)

MAX_WARNINGS = 50
"""Lines of the log about one template."""
NOTICED_STEP_S = 2.0
"""A clock that was set by more is told of; taken over it is while there is no environment."""
MAX_CAUSE = 6000
"""Characters of a creation error that reach the client (core.md 1.7)."""


class EnvironmentManager:
    """Owns the runners."""

    def __init__(
        self, parts: Parts, loader: WorkflowLoader, configuration: Configuration, commander: Commander, roster: Roster,
        timings: Timings,
        repositories: Repositories,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._loader = loader
        self._drafts = Drafts(configuration, timings)
        self._commander = commander
        self._roster = roster
        self._timings = timings
        self._repositories = repositories
        self._runners: dict[str, EnvironmentRunner] = {}
        self._reserved: dict[str, str] = {}
        """Detector to the environment that holds it, from the check to the end of the teardown."""
        self._is_draining = False
        self._leaving: list[EnvironmentRunner] = []
        """Of environments that are gone, and for which something may be under way still."""
        self._group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Let environments run in this task group."""
        self._group = group
        for runner in self._runners.values():
            runner.resume()
            runner.start(group)

    async def close(self) -> None:
        """Detach from all environments; they go on at their executors."""
        await asyncio.gather(*(runner.close() for runner in (*self._runners.values(), *self._leaving)))

    # ---- look-up -----------------------------------------------------------------------------

    def all(self) -> list[EnvironmentRunner]:
        """Return the environments in order of creation; those that are torn down are not among them."""
        alive = (r for r in self._runners.values() if r.environment.state is not EnvironmentState.DONE)
        return sorted(alive, key=lambda runner: runner.environment.created.created_ms)

    def get(self, environment_id: str) -> EnvironmentRunner:
        """Return one environment.

        Raises:
            CoreError: the id is empty, no id at all, or of no environment (core.md 1.7).
        """
        if not environment_id:
            raise CoreError(Reason.BAD_ID, "received nil request", hint="name an environment id")
        if not is_valid_id(environment_id):
            raise CoreError(
                Reason.BAD_ID, f"received bad environment id {environment_id!r}", hint="an id is base58 text"
            )
        runner = self._runners.get(environment_id)
        if runner is None or runner.environment.state is EnvironmentState.DONE:
            known = ", ".join(r.environment.id for r in self.all()) or "none"
            raise CoreError(
                Reason.ENVIRONMENT_NOT_FOUND, f"environment not found: no environment with id {environment_id}",
                environment=environment_id, hint=f"environments now: {known}",
            )  # fmt: skip
        return runner

    def active_detectors(self) -> list[str]:
        """Return the detectors in use, sorted (core.md 5.1)."""
        return sorted(self._reserved)

    def of_task(self, environment_id: str) -> EnvironmentRunner | None:
        """Return the environment that owns a task, None if it is gone."""
        return self._runners.get(environment_id)

    # ---- creation ----------------------------------------------------------------------------

    async def create(self, asked: Creation) -> EnvironmentRunner:
        """Load, reserve, deploy and configure; returns in CONFIGURED (core.md 2.9).

        Raises:
            CoreError: it failed; the environment is gone and its tasks are killed.
        """
        environment_id = asked.environment_id or self._parts.new_id()
        self._announce(environment_id, asked, "transition starting", OpStatus.STARTED)
        try:
            runner, request_id = await self._load(environment_id, asked)
        except AliecsError as error:
            self._free(environment_id)
            text = error.message[:MAX_CAUSE]
            self._announce(environment_id, asked, "transition error", OpStatus.DONE_ERROR, error=text)
            raise _creation_error(environment_id, error) from error
        answer = await runner.wait(request_id)
        if answer.error:
            await runner.finished()  # who is told that it failed may use its detectors at once
            raise _deployment_error(runner, answer)
        return runner

    async def _load(self, environment_id: str, asked: Creation) -> tuple[EnvironmentRunner, str]:
        if not self._runners and abs(step_s := follow()) > NOTICED_STEP_S:
            log.warning("the clock of this machine was set by %+.0f s", step_s)
        self._check_open()
        await self._clean_unlocked()
        self._announce(environment_id, asked, "instantiating", OpStatus.STARTED, step="before_CREATE")
        layers = await self._drafts.layers(environment_id, asked)
        self._announce(environment_id, asked, "running hooks", OpStatus.ONGOING, step="before_CREATE")
        self._announce(environment_id, asked, "loading workflow", OpStatus.ONGOING, step="CREATE")
        workflow = await self._loader.load(
            asked.template,
            user_vars=layers.known,
            defaults=layers.defaults,
            vars=layers.for_loading,
            repos=self._repositories.describe(),
        )
        for warning in workflow.warnings[:MAX_WARNINGS]:
            log.warning("template env=%s: %s", environment_id, warning)
        created = await self._drafts.created(environment_id, asked, layers, workflow)
        self._check_open()
        self._reserve(environment_id, created.detectors)
        runner = self._add(Environment.begin(created))
        assert self._group is not None, "the manager is started"
        runner.expect(created.request_id)
        runner.post(created)
        runner.start(self._group)
        return runner, created.request_id

    def _check_open(self) -> None:
        if self._is_draining:
            raise CoreError(
                Reason.RESERVED, "this core is being drained", hint="wait for the next one", code="UNAVAILABLE"
            )

    async def _clean_unlocked(self) -> None:
        """Kill what no environment owns any more, as AliECS does before each creation (core.md 2.9, step 5).

        Where tasks are taken over, those that could be are left.
        """
        reuses = self._parts.acquirer.claims is not None
        unlocked = (task for task in self._roster.all() if not task.locked)
        leftovers = self._commander.within_reach(
            task.task_id for task in unlocked if not (reuses and may_be_claimed(task))
        )
        if leftovers:
            _, remaining = await self._commander.kill(leftovers, timeout_s=self._timings.kill_s)
            if remaining:
                log.warning("unlocked tasks could not be killed tasks=%s", ",".join(remaining))

    def _reserve(self, environment_id: str, detectors: tuple[str, ...]) -> None:
        """Take all detectors or none: two creations at once cannot share one (core.md 9, 21).

        Raises:
            CoreError: one is in use.
        """
        for detector in detectors:
            if holder := self._reserved.get(detector):
                raise CoreError(
                    Reason.DETECTOR_IN_USE, f"detector {detector} is already in use", environment=holder,
                    hint=f"environment {holder} holds it: destroy that one first or leave {detector} out",
                )  # fmt: skip
        self._reserved |= dict.fromkeys(detectors, environment_id)

    def holder(self, detector: str) -> str:
        """Return the environment that holds a detector, "" if none does."""
        return self._reserved.get(detector, "")

    def _free(self, environment_id: str) -> None:
        self._reserved = {d: holder for d, holder in self._reserved.items() if holder != environment_id}

    def _add(self, environment: Environment) -> EnvironmentRunner:
        runner = self._runners[environment.id] = EnvironmentRunner(environment, self._parts, self._remove)
        return runner

    def _remove(self, runner: EnvironmentRunner) -> None:
        self._runners.pop(runner.environment.id, None)
        self._leaving = [one for one in (*self._leaving, runner) if one.is_working]
        self._free(runner.environment.id)

    def _announce(
        self, environment_id: str, asked: Creation, message: str, status: OpStatus, *, step: str = "", error: str = ""
    ) -> None:
        self._parts.publish(
            Published(
                at_ms=now_ms(),
                environment_id=environment_id,
                state=EnvironmentState.PENDING.value,
                run_number=0,
                error=error,
                message=message,
                transition="CREATE",
                transition_step=step,
                transition_status=status,
                vars={},
                last_request_user=named_user(asked.requester),
                workflow_template=TemplateReference(name="", description="", path=asked.template, public=False),
            )
        )

    # ---- requests ----------------------------------------------------------------------------

    async def control(self, environment_id: str, event: EnvironmentEvent, requester: Requester) -> EnvironmentRunner:
        """Run one transition; returns when it is over, in whatever state that is (core.md 1.7, ControlEnvironment).

        Raises:
            CoreError: not possible now, or GO_ERROR after a failure failed as well.
        """
        runner = self.get(environment_id)
        if event not in OPERATOR_EVENTS:
            raise CoreError(
                Reason.BAD_REQUEST, f"cannot prepare invalid transition {event.value}", environment=environment_id,
                hint="possible are " + ", ".join(one.value for one in OPERATOR_EVENTS),
            )  # fmt: skip
        state = runner.environment.state
        answer = await runner.request(
            lambda request_id: Requested(at_ms=now_ms(), event=event.value, requester=requester, request_id=request_id)
        )
        answer.check(environment_id, transition=event.value, state=state.value, **where_of(runner))
        return runner

    async def destroy(
        self, environment_id: str, requester: Requester, *, keep_tasks: bool, allow_running: bool, force: bool
    ) -> Answer:
        """Tear the environment down (core.md 2.12).

        Raises:
            CoreError: the teardown or the killing failed.
        """
        runner = self.get(environment_id)
        if runner.environment.state is EnvironmentState.RUNNING and not allow_running and not force:
            log.warning(
                "destroy of a running environment without stopping env=%s by=%s", environment_id, requester.name
            )
        answer = await runner.request(
            lambda request_id: DestroyRequested(
                at_ms=now_ms(), requester=requester, request_id=request_id, keep_tasks=keep_tasks,
                allow_running=allow_running, force=force,
            )
        )  # fmt: skip
        answer.check(environment_id, transition="DESTROY")
        await runner.finished()
        return answer

    async def drain(self) -> None:
        """Stop and destroy all environments, in order of creation, one after the other; none begins any more."""
        self._is_draining = True
        for runner in self.all():
            try:
                await self.destroy(
                    runner.environment.id, Requester(name="drain"), keep_tasks=False, allow_running=True, force=False
                )
            except CoreError as error:
                log.error("drain failed env=%s error=%s", runner.environment.id, error)

    # ---- restart -----------------------------------------------------------------------------

    def restore(self, journalled: Mapping[str, list[bytes]]) -> list[str]:
        """Take up environments from their journalled stimuli, in the order given; call before ``start``.

        What tasks did while no core was there is told by the roster afterwards.

        Returns:
            The tasks that were released, which a core that was killed in the midst of it may not have recorded.
        """
        released: list[str] = []
        for environment_id, lines in journalled.items():
            stimuli = [decode(line) for line in lines]
            first = stimuli[0] if stimuli else None
            if not isinstance(first, Created):
                log.error("journal of an environment does not begin with its creation env=%s", environment_id)
                continue
            environment = Environment.begin(first)
            decided = [one for stimulus in stimuli for one in advance(environment, stimulus)]
            released += [task_id for one in decided if isinstance(one, Release) for task_id in one.task_ids]
            environment.tree.take_changed()
            environment.take_finished()
            if environment.is_gone:
                self._parts.journal.append_nowait([DeleteEnvironment(environment_id)])
                continue
            self._reserved |= dict.fromkeys(first.detectors, environment_id)
            self._add(environment)
            log.info(
                "environment taken up again env=%s state=%s run=%d",
                environment_id,
                environment.state.value,
                environment.run_number,
            )
        return released

    def as_last_seen(self, task: Task) -> Task:
        """Return a restored task in the state that the history of its environment knows.

        What a task answers to a command is recorded there and not with the task itself.
        """
        runner = self._runners.get(task.environment_id)
        entry = runner.environment.tasks.get(task.task_id) if runner else None
        if runner is None or entry is None or task.ended:
            return task
        state = runner.environment.tree[entry.role].state
        error = entry.error if state is TaskState.ERROR else ""
        return task if state is task.state else replace(task, state=state, error=error)

    def catch_up(self, change: TaskChange, environment_id: str) -> None:
        """Hand a change of a task to its environment."""
        if runner := self._runners.get(environment_id):
            runner.task_changed(change)


def where_of(runner: EnvironmentRunner) -> dict[str, str]:
    """Return where the first fault of an environment happened, as ErrorInfo metadata."""
    fault = runner.environment.fault
    if fault is None:
        return {}
    return {"role": fault.role, "task": fault.task_id, "host": fault.host, "hint": fault.hint}


def _creation_error(environment_id: str, error: AliecsError) -> CoreError:
    message = f"cannot create new environment: {error.message}"[:MAX_CAUSE]
    if isinstance(error, CoreError):
        where = {**error.where, "environment": error.where.get("environment", environment_id)}
        return CoreError(error.reason, message, hint=error.hint, code="INTERNAL", **where)
    return CoreError(Reason.INTERNAL, message, hint=error.hint, environment=environment_id)


def _deployment_error(runner: EnvironmentRunner, answer: Answer) -> CoreError:
    fault = runner.environment.fault
    message = f"cannot create new environment: {answer.error}"[:MAX_CAUSE]
    reason = Reason(answer.reason) if answer.reason else Reason.DEPLOYMENT_FAILED
    where = {key: value for key, value in where_of(runner).items() if key != "hint"}
    hint = fault.cause if fault and fault.cause not in message else ""
    return CoreError(reason, message, hint=hint, code="INTERNAL", environment=runner.environment.id, **where)
