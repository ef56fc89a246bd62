"""The o2control.Control servicer: each rpc is one request to the core and one reply (core.md 1.7).

The messages are built in replies.py, the statuses in status.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable
from typing import Any

import grpc

from occ.errors import AliecsError
from server.api import events_pb2, o2control_pb2_grpc
from server.api import o2control_pb2 as pb
from server.api.common_pb2 import User
from server.api.convert import to_event
from server.api.errors import CoreError, Reason
from server.api.states import EnvironmentEvent
from server.bus import Resync
from server.core import Core
from server.environment.creation import Creation
from server.environment.detectors import KNOWN
from server.environment.stimuli import Requester
from server.globs import GlobError, path_matcher
from server.ids import new_id
from server.integration.registry import REGISTERED
from server.replies import Replies, repository, template, timestamp_ms
from server.status import answer, refuse

Context = grpc.aio.ServicerContext[Any, Any]

_OPTYPES = {
    pb.ControlEnvironmentRequest.START_ACTIVITY: EnvironmentEvent.START_ACTIVITY,
    pb.ControlEnvironmentRequest.STOP_ACTIVITY: EnvironmentEvent.STOP_ACTIVITY,
    pb.ControlEnvironmentRequest.CONFIGURE: EnvironmentEvent.CONFIGURE,
    pb.ControlEnvironmentRequest.RESET: EnvironmentEvent.RESET,
    pb.ControlEnvironmentRequest.DEPLOY: EnvironmentEvent.DEPLOY,
    pb.ControlEnvironmentRequest.GO_ERROR: EnvironmentEvent.GO_ERROR,
}


class ControlService(o2control_pb2_grpc.ControlServicer):
    """Serves a core to AliECS's clients and ours."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._replies = Replies(core.backend, core.plugins)

    # ---- the core ----------------------------------------------------------------------------

    async def GetFrameworkInfo(self, request: pb.GetFrameworkInfoRequest, context: Context) -> pb.GetFrameworkInfoReply:
        core = self._core
        active = core.environments.active_detectors()
        try:
            known = await core.configuration.detectors(every=True)
            available = _available(known, active)
        except AliecsError:
            known, active, available = ["NIL"], [], []
        return pb.GetFrameworkInfoReply(
            frameworkId=core.backend.framework_id,
            environmentsCount=len(core.environments.all()),
            tasksCount=len(core.roster),
            state=core.backend.state,
            hostsCount=len(core.roster.agents),
            instanceName=core.settings.instance_name,
            version=core.version(),
            configurationEndpoint=core.configuration.endpoint,
            detectorsInInstance=known,
            activeDetectors=active,
            availableDetectors=available,
            timestamp=timestamp_ms(),
        )

    async def GetIntegratedServices(self, request: pb.Empty, context: Context) -> pb.ListIntegratedServicesReply:
        reply = pb.ListIntegratedServicesReply(timestamp=timestamp_ms())
        for name in REGISTERED:
            shown = reply.services[name]
            if plugin := self._core.plugins.loaded.get(name):
                shown.name, shown.enabled, shown.endpoint = plugin.name, True, plugin.endpoint
                shown.connectionState, shown.data = plugin.connection_state, plugin.data()
        return reply

    async def GetActiveDetectors(self, request: pb.Empty, context: Context) -> pb.GetActiveDetectorsReply:
        return pb.GetActiveDetectorsReply(
            detectors=self._core.environments.active_detectors(), timestamp=timestamp_ms()
        )

    async def GetAvailableDetectors(self, request: pb.Empty, context: Context) -> pb.GetAvailableDetectorsReply:
        known = await answer(context, self._core.configuration.detectors(every=True))
        free = _available(known, self._core.environments.active_detectors())
        return pb.GetAvailableDetectorsReply(detectors=free, timestamp=timestamp_ms())

    async def Subscribe(self, request: pb.SubscribeRequest, context: Context) -> AsyncIterator[events_pb2.Event]:
        if request.id:
            feed = await answer(
                context, self._core.display.feeds.wait_for(request.id, self._core.settings.subscribe_wait_s)
            )
            async for event in feed.read():
                yield to_event(event)
            return
        subscription = self._core.display.bus.subscribe(self._core.settings.event_queue)
        try:
            async for published in subscription:
                if not isinstance(published, Resync):
                    yield to_event(published.event)  # type: ignore[arg-type]  # the bus carries events only
        finally:
            subscription.close()

    async def Teardown(self, request: pb.TeardownRequest, context: Context) -> pb.TeardownReply:
        await refuse(context, CoreError(Reason.RESERVED, "not implemented", hint="destroy the environments one by one"))

    async def ModifyEnvironment(
        self, request: pb.ModifyEnvironmentRequest, context: Context
    ) -> pb.ModifyEnvironmentReply:
        await refuse(
            context, CoreError(Reason.RESERVED, "not implemented", hint="create an environment with other hosts")
        )

    # ---- environments ------------------------------------------------------------------------

    async def GetEnvironments(self, request: pb.GetEnvironmentsRequest, context: Context) -> pb.GetEnvironmentsReply:
        shown = [
            runner
            for runner in self._core.environments.all()
            if request.showAll or runner.environment.created.workflow.template.public
        ]
        return pb.GetEnvironmentsReply(
            frameworkId=self._core.backend.framework_id,
            environments=[
                self._info(runner.environment.id, request.showTaskInfos, request.showDetailedIntegratedServices)
                for runner in shown
            ],
            timestamp=timestamp_ms(),
        )

    async def GetEnvironment(self, request: pb.GetEnvironmentRequest, context: Context) -> pb.GetEnvironmentReply:
        return await answer(context, self._get_environment(request))

    async def _get_environment(self, request: pb.GetEnvironmentRequest) -> pb.GetEnvironmentReply:
        runner = self._core.environments.get(request.id)
        tree = runner.environment.tree
        return pb.GetEnvironmentReply(
            environment=self._info(request.id, True, True),
            workflow=self._replies.role(runner, tree.root) if request.showWorkflowTree else None,
            public=runner.environment.created.workflow.template.public,
            timestamp=timestamp_ms(),
        )

    async def NewEnvironment(self, request: pb.NewEnvironmentRequest, context: Context) -> pb.NewEnvironmentReply:
        asked = Creation(
            request.workflowTemplate, dict(request.vars), _requester(request), is_auto=request.autoTransition,
            environment_id=new_id(),
        )  # fmt: skip
        try:
            # A client that goes away does not stop the creation (core.md 1.7).
            runner = await self._core.detached(self._core.environments.create(asked))
        except AliecsError as error:
            failed = pb.EnvironmentInfo(id=asked.environment_id, createdWhen=timestamp_ms(), state="ERROR")
            await refuse(context, error, failed)
        try:
            info = self._info(asked.environment_id, True, True)
        except CoreError as error:  # somebody was quick to destroy it
            message = f"cannot get newly created environment: {error.message}"
            await refuse(context, CoreError(error.reason, message, hint=error.hint, code="INTERNAL", **error.where))
        return pb.NewEnvironmentReply(
            environment=info,
            public=runner.environment.created.workflow.template.public,
            timestamp=timestamp_ms(),
        )

    async def NewEnvironmentAsync(self, request: pb.NewEnvironmentRequest, context: Context) -> pb.NewEnvironmentReply:
        asked = Creation(
            request.workflowTemplate, dict(request.vars), _requester(request), is_auto=request.autoTransition,
            environment_id=new_id(),
        )  # fmt: skip
        self._core.create_in_background(asked)
        return pb.NewEnvironmentReply(
            environment=self._replies.pending(asked.environment_id, dict(request.vars)),
            public=request.public,
            timestamp=timestamp_ms(),
        )

    async def NewAutoEnvironment(
        self, request: pb.NewAutoEnvironmentRequest, context: Context
    ) -> pb.NewAutoEnvironmentReply:
        asked = Creation(
            request.workflowTemplate, dict(request.vars), _requester(request), is_auto=True, environment_id=new_id()
        )
        self._core.display.feeds.open(request.id, asked.environment_id)
        self._core.create_in_background(asked)
        return pb.NewAutoEnvironmentReply(timestamp=timestamp_ms())

    async def ControlEnvironment(
        self, request: pb.ControlEnvironmentRequest, context: Context
    ) -> pb.ControlEnvironmentReply:
        started = timestamp_ms()
        runner = await answer(context, self._core.detached(self._control(request)))
        ended = timestamp_ms()
        return pb.ControlEnvironmentReply(
            id=request.id,
            state=runner.environment.state.value,
            currentRunNumber=runner.environment.run_number,
            startOfTransition=started,
            endOfTransition=ended,
            transitionDuration=ended - started,
            timestamp=timestamp_ms(),
        )

    async def _control(self, request: pb.ControlEnvironmentRequest) -> Any:
        self._core.environments.get(request.id)
        event = _OPTYPES.get(request.type)
        if event is None:
            name = pb.ControlEnvironmentRequest.Optype.Name(request.type) if request.type == 0 else str(request.type)
            raise CoreError(Reason.BAD_REQUEST, f"cannot prepare invalid transition {name}", environment=request.id)
        return await self._core.environments.control(request.id, event, _requester(request))

    async def DestroyEnvironment(
        self, request: pb.DestroyEnvironmentRequest, context: Context
    ) -> pb.DestroyEnvironmentReply:
        before = {task.task_id: self._short(task.task_id) for task in self._core.roster.all()}
        work = self._core.environments.destroy(
            request.id,
            _requester(request),
            keep_tasks=request.keepTasks,
            allow_running=request.allowInRunningState,
            force=request.force,
        )
        done = await answer(context, self._core.detached(work))
        cleanup = pb.CleanupTasksReply(
            killedTasks=[before[task_id] for task_id in done.killed if task_id in before],
            runningTasks=[self._short(task.task_id) for task in self._core.roster.all()],
        )
        return pb.DestroyEnvironmentReply(cleanupTasksReply=cleanup, timestamp=timestamp_ms())

    async def GetRoles(self, request: pb.GetRolesRequest, context: Context) -> pb.GetRolesReply:
        return await answer(context, self._get_roles(request))

    async def _get_roles(self, request: pb.GetRolesRequest) -> pb.GetRolesReply:
        runner = self._core.environments.get(request.envId)
        try:
            matches = path_matcher(request.pathSpec)
        except GlobError as error:
            raise CoreError(
                Reason.BAD_REQUEST, f"bad role path {request.pathSpec!r}: {error}", environment=request.envId
            ) from None
        roles = [self._replies.role(runner, role) for role in runner.environment.tree.ordered if matches(role.path)]
        return pb.GetRolesReply(roles=roles, timestamp=timestamp_ms())

    def _info(self, environment_id: str, with_tasks: bool, detailed: bool) -> pb.EnvironmentInfo:
        runner = self._core.environments.get(environment_id)
        tasks = [task for one in runner.environment.tasks if (task := self._core.roster.get(one))]
        return self._replies.environment(runner, tasks, with_tasks=with_tasks, detailed=detailed)

    # ---- tasks -------------------------------------------------------------------------------

    async def GetTasks(self, request: pb.GetTasksRequest, context: Context) -> pb.GetTasksReply:
        return pb.GetTasksReply(tasks=self._all_short(), timestamp=timestamp_ms())

    async def GetTask(self, request: pb.GetTaskRequest, context: Context) -> pb.GetTaskReply:
        return await answer(context, self._get_task(request.taskId))

    async def _get_task(self, task_id: str) -> pb.GetTaskReply:
        task = self._core.roster.get(task_id)
        if task is None:
            raise CoreError(Reason.TASK_NOT_FOUND, "task not found", task=task_id, hint="aliecs task ls lists them")
        runner = self._core.environments.of_task(task.environment_id)
        return pb.GetTaskReply(task=self._replies.task(task, runner), timestamp=timestamp_ms())

    async def CleanupTasks(self, request: pb.CleanupTasksRequest, context: Context) -> pb.CleanupTasksReply:
        return await answer(context, self._core.detached(self._cleanup(list(request.taskIds))))

    async def _cleanup(self, task_ids: list[str]) -> pb.CleanupTasksReply:
        """Kill the named tasks that no environment has, or all such tasks; what is named and not so is passed over."""
        roster = self._core.roster
        named = task_ids or [task.task_id for task in roster.all()]
        free = [
            task.task_id for task in (roster.get(one) for one in named) if task and not task.locked and not task.killing
        ]
        before = {task_id: self._short(task_id) for task_id in free}
        killed, remaining = await self._core.commander.kill(free, timeout_s=self._core.settings.kill_timeout_s)
        if remaining:
            names = ", ".join(remaining)
            raise CoreError(Reason.KILL_FAILED, f"could not kill some tasks: {names}", task=remaining[0])
        return pb.CleanupTasksReply(
            killedTasks=[before[task_id] for task_id in killed],
            runningTasks=self._all_short(),
            timestamp=timestamp_ms(),
        )

    def _all_short(self) -> list[pb.ShortTaskInfo]:
        return [self._short(task.task_id) for task in self._core.roster.all()]

    def _short(self, task_id: str) -> pb.ShortTaskInfo:
        task = self._core.roster.get(task_id)
        assert task is not None, "asked for a task that was just listed"
        return self._replies.short_task(task, self._core.environments.of_task(task.environment_id))

    # ---- templates and repositories ------------------------------------------------------------

    async def GetWorkflowTemplates(
        self, request: pb.GetWorkflowTemplatesRequest, context: Context
    ) -> pb.GetWorkflowTemplatesReply:
        listings = await answer(
            context,
            self._core.catalogue.templates(
                request.repoPattern,
                request.revisionPattern,
                all_branches=request.allBranches,
                all_tags=request.allTags,
                all_workflows=request.allWorkflows,
            ),
        )
        return pb.GetWorkflowTemplatesReply(workflowTemplates=map(template, listings), timestamp=timestamp_ms())

    async def ListRepos(self, request: pb.ListReposRequest, context: Context) -> pb.ListReposReply:
        repositories = self._core.repositories
        listed = await answer(context, repositories.list(with_revisions=request.getRevisions))
        return pb.ListReposReply(
            repos=map(repository, listed),
            globalDefaultRevision=repositories.global_default_revision,
            timestamp=timestamp_ms(),
        )

    async def AddRepo(self, request: pb.AddRepoRequest, context: Context) -> pb.AddRepoReply:
        revision, info = await answer(
            context, self._core.detached(self._core.repositories.add(request.name, request.defaultRevision))
        )
        return pb.AddRepoReply(newDefaultRevision=revision, info=info, timestamp=timestamp_ms())

    async def RemoveRepo(self, request: pb.RemoveRepoRequest, context: Context) -> pb.RemoveRepoReply:
        default = await answer(context, self._core.detached(self._core.repositories.remove(request.index)))
        return pb.RemoveRepoReply(newDefaultRepo=default, timestamp=timestamp_ms())

    async def RefreshRepos(self, request: pb.RefreshReposRequest, context: Context) -> pb.Empty:
        await answer(context, self._core.detached(self._refresh(request.index)))
        return pb.Empty()

    async def _refresh(self, index: int) -> None:
        await self._core.repositories.refresh(index)
        await self._core.loader.forget_generated()  # as AliECS does, which keeps it in the clone

    async def SetDefaultRepo(self, request: pb.SetDefaultRepoRequest, context: Context) -> pb.Empty:
        await answer(context, self._core.repositories.set_default(request.index))
        return pb.Empty()

    async def SetGlobalDefaultRevision(self, request: pb.SetGlobalDefaultRevisionRequest, context: Context) -> pb.Empty:
        await answer(context, self._core.repositories.set_global_default_revision(request.revision))
        return pb.Empty()

    async def SetRepoDefaultRevision(
        self, request: pb.SetRepoDefaultRevisionRequest, context: Context
    ) -> pb.SetRepoDefaultRevisionReply:
        info = await answer(context, self._core.repositories.set_default_revision(request.index, request.revision))
        return pb.SetRepoDefaultRevisionReply(info=info, timestamp=timestamp_ms())


def _available(known: Iterable[str], active: Container[str]) -> list[str]:
    """Return the detectors that an environment could have, in the inventory's order; unknown names are none (core.md 1.7)."""
    return [one for one in known if one in KNOWN and one not in active]


def _requester(request: Any) -> Requester:
    """Return who asks; every request of that kind has the field ``requestUser``."""
    return requester(request.requestUser)


def requester(user: User) -> Requester:
    """Return a user as the core remembers one."""
    return Requester(
        name=user.name,
        external_id=user.externalId if user.HasField("externalId") else None,
        id=user.id if user.HasField("id") else None,
    )
