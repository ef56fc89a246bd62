"""Client of a core: o2control.Control, aliecs.live.v1 and aliecs.ops.v1 as coroutines that take and return plain values.

The channel itself: channel.py. Importing this imports grpc (about 0.1 s); whoever may not need a core imports it late.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its C core writes into terminals otherwise

import grpc
import grpc.aio

from server.api import live_pb2, live_pb2_grpc, o2control_pb2_grpc
from server.api import o2control_pb2 as pb
from server.api.channel import CoreChannel, Deadlines
from server.api.failures import failure, unreachable
from server.api.replies import (
    CleanupResult,
    ControlResult,
    EnvironmentDetails,
    EnvironmentInfo,
    FrameworkInfo,
    RepoListing,
    RoleInfo,
    ServiceInfo,
    TaskInfo,
    TaskSummary,
    TemplateListing,
)
from server.api.states import EnvironmentEvent

if TYPE_CHECKING:
    from server.api.expert import Expert
    from server.api.model import Batch, Event
    from server.api.model_plan import Plan

__all__ = ["Client", "Deadlines"]


class Client(CoreChannel):
    """One channel to one core, and all that can be asked there. Use ``connect``; close as an async context manager.

    Every call raises LinkError when the core cannot be reached and nothing was sent, DeadlineError when the outcome
    is unknown, CoreError when the core says no, RefusedError for a write while ``read_only``.
    """

    def __init__(self, endpoint: str, *, deadlines: Deadlines, user: str = "", read_only: bool = False) -> None:
        super().__init__(endpoint, deadlines=deadlines, user=user, read_only=read_only)
        self._control = o2control_pb2_grpc.ControlStub(self._channel)
        self._live = live_pb2_grpc.LiveStub(self._channel)

    # ---- the picture and events --------------------------------------------------------------

    async def watch(self, epoch: str = "", since: int = 0, *, heartbeat_s: float = 0.0) -> AsyncIterator[Batch]:
        """Yield a snapshot, or what followed ``since`` of the same epoch, then changes for as long as it is read.

        Args:
            heartbeat_s: ask for an empty batch whenever nothing changed for so long, 0.1 at least; 0: for none.

        Raises:
            LinkError: the link broke; watch again with the last epoch and seq.
        """
        from server.api.convert import from_batch  # only who follows a core needs the model of its picture

        await self.ready()
        request = live_pb2.WatchRequest(epoch=epoch, since=since, heartbeat_ms=round(1000 * heartbeat_s))
        call = self._live.Watch(request)
        try:
            async for message in call:
                yield from_batch(message)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN):
                raise unreachable(self.endpoint, "the link broke") from None
            raise failure(self.endpoint, "Watch", error, is_write=False) from None
        finally:
            call.cancel()
        raise unreachable(self.endpoint, "the core ended the stream")

    async def subscribe(self, feed: str = "") -> AsyncIterator[Event]:
        """Yield events: those of an automatic environment by the id of its feed, or all for ""."""
        from server.api.convert_events import from_event  # as in watch

        await self.ready()
        call = self._control.Subscribe(pb.SubscribeRequest(id=feed))
        try:
            async for message in call:
                if event := from_event(message):
                    yield event
        except grpc.aio.AioRpcError as error:
            raise failure(self.endpoint, "Subscribe", error, is_write=False) from None
        finally:
            call.cancel()

    # ---- the core ----------------------------------------------------------------------------

    async def framework(self) -> FrameworkInfo:
        return FrameworkInfo.read(await self._call("GetFrameworkInfo", pb.GetFrameworkInfoRequest()))

    async def services(self) -> tuple[ServiceInfo, ...]:
        return ServiceInfo.read_all(await self._call("GetIntegratedServices", pb.Empty()))

    async def active_detectors(self) -> tuple[str, ...]:
        return tuple((await self._call("GetActiveDetectors", pb.Empty())).detectors)

    async def available_detectors(self) -> tuple[str, ...]:
        return tuple((await self._call("GetAvailableDetectors", pb.Empty())).detectors)

    async def teardown(self, reason: str) -> None:
        """Reserved by AliECS: the core answers UNIMPLEMENTED."""
        await self._call("Teardown", pb.TeardownRequest(reason=reason), self.deadlines.control_s)

    # ---- environments ------------------------------------------------------------------------

    async def environments(self, *, show_all: bool = True, tasks: bool = False) -> tuple[EnvironmentInfo, ...]:
        """Return the environments, oldest first; those of private templates only with ``show_all``."""
        request = pb.GetEnvironmentsRequest(showAll=show_all, showTaskInfos=tasks)
        return tuple(map(EnvironmentInfo.read, (await self._call("GetEnvironments", request)).environments))

    async def environment(self, environment_id: str, *, workflow: bool = False) -> EnvironmentDetails:
        request = pb.GetEnvironmentRequest(id=environment_id, showWorkflowTree=workflow)
        return EnvironmentDetails.read(await self._call("GetEnvironment", request))

    async def create(
        self, template: str, variables: Mapping[str, str], *, public: bool = True, auto: bool = False
    ) -> EnvironmentInfo:
        """Create an environment and return it CONFIGURED."""
        request = self._creation(template, variables, public, auto)
        reply = await self._call("NewEnvironment", request, self.deadlines.create_s)
        return EnvironmentInfo.read(reply.environment)

    async def plan(self, template: str, variables: Mapping[str, str]) -> Plan:
        """Return what creating an environment would come to; nothing is changed. RESERVED if the core cannot plan."""
        from server.api.planning import ask  # as in watch

        await self.ready()  # a recording has no channel, and refuses here
        return await ask(self, self._channel, template, variables)

    @property
    def expert(self) -> Expert:
        """What experts ask of a core: hosts, outputs, single tasks."""
        from server.api.expert import Expert  # as in watch

        return Expert(self, lambda: self._channel)

    async def create_async(
        self, template: str, variables: Mapping[str, str], *, public: bool = True, auto: bool = False
    ) -> EnvironmentInfo:
        """Start the creation and return at once, with the id; its outcome comes as events only."""
        reply = await self._call("NewEnvironmentAsync", self._creation(template, variables, public, auto))
        return EnvironmentInfo.read(reply.environment)

    async def create_auto(self, template: str, variables: Mapping[str, str], feed: str) -> None:
        """Start an environment that runs by itself; follow it with ``subscribe(feed)``."""
        request = pb.NewAutoEnvironmentRequest(
            workflowTemplate=template, vars=dict(variables), id=feed, requestUser=self.requester()
        )
        await self._call("NewAutoEnvironment", request)

    async def control(self, environment_id: str, event: EnvironmentEvent) -> ControlResult:
        """Run a transition to its end. The state in the result is ERROR when it failed: compare."""
        request = pb.ControlEnvironmentRequest(
            id=environment_id,
            type=pb.ControlEnvironmentRequest.Optype.Value(event.value),
            requestUser=self.requester(),
        )
        return ControlResult.read(await self._call("ControlEnvironment", request, self.deadlines.control_s))

    async def destroy(
        self, environment_id: str, *, keep_tasks: bool = False, allow_running: bool = False, force: bool = False
    ) -> CleanupResult:
        request = pb.DestroyEnvironmentRequest(
            id=environment_id,
            keepTasks=keep_tasks,
            allowInRunningState=allow_running,
            force=force,
            requestUser=self.requester(),
        )
        reply = await self._call("DestroyEnvironment", request, self.deadlines.control_s)
        return CleanupResult.read(reply.cleanupTasksReply)

    async def modify(self, environment_id: str) -> None:
        """Reserved by AliECS: the core answers UNIMPLEMENTED."""
        await self._call("ModifyEnvironment", pb.ModifyEnvironmentRequest(id=environment_id), self.deadlines.control_s)

    async def roles(self, environment_id: str, path_glob: str) -> tuple[RoleInfo, ...]:
        reply = await self._call("GetRoles", pb.GetRolesRequest(envId=environment_id, pathSpec=path_glob))
        return tuple(RoleInfo.read(role) for role in reply.roles)

    # ---- tasks -------------------------------------------------------------------------------

    async def tasks(self) -> tuple[TaskSummary, ...]:
        reply = await self._call("GetTasks", pb.GetTasksRequest())
        return tuple(TaskSummary.read(task) for task in reply.tasks)

    async def task(self, task_id: str) -> TaskInfo:
        return TaskInfo.read((await self._call("GetTask", pb.GetTaskRequest(taskId=task_id))).task)

    async def cleanup_tasks(self, task_ids: Sequence[str] = ()) -> CleanupResult:
        """Kill the named tasks that no environment holds; for none named: all such tasks."""
        request = pb.CleanupTasksRequest(taskIds=task_ids)
        return CleanupResult.read(await self._call("CleanupTasks", request, self.deadlines.control_s))

    # ---- templates and repositories ----------------------------------------------------------

    async def templates(
        self,
        repo: str = "",
        revision: str = "",
        *,
        all_branches: bool = False,
        all_tags: bool = False,
        all_workflows: bool = False,
    ) -> tuple[TemplateListing, ...]:
        request = pb.GetWorkflowTemplatesRequest(
            repoPattern=repo,
            revisionPattern=revision,
            allBranches=all_branches,
            allTags=all_tags,
            allWorkflows=all_workflows,
        )
        reply = await self._call("GetWorkflowTemplates", request, self.deadlines.repository_s)
        return tuple(TemplateListing.read(one) for one in reply.workflowTemplates)

    async def repos(self, *, revisions: bool = False) -> RepoListing:
        return RepoListing.read(await self._call("ListRepos", pb.ListReposRequest(getRevisions=revisions)))

    async def add_repo(self, name: str, default_revision: str = "") -> tuple[str, str]:
        """Return the default revision that the repository got, and what the core says about it."""
        request = pb.AddRepoRequest(name=name, defaultRevision=default_revision)
        reply = await self._call("AddRepo", request, self.deadlines.repository_s)
        return reply.newDefaultRevision, reply.info

    async def remove_repo(self, index: int) -> str:
        """Return the new default repository, "" if that did not change."""
        reply = await self._call("RemoveRepo", pb.RemoveRepoRequest(index=index), self.deadlines.repository_s)
        return str(reply.newDefaultRepo)

    async def refresh_repos(self, index: int = -1) -> None:
        """Fetch one repository, or all for -1."""
        await self._call("RefreshRepos", pb.RefreshReposRequest(index=index), self.deadlines.repository_s)

    async def set_default_repo(self, index: int) -> None:
        await self._call("SetDefaultRepo", pb.SetDefaultRepoRequest(index=index))

    async def set_global_default_revision(self, revision: str) -> None:
        await self._call("SetGlobalDefaultRevision", pb.SetGlobalDefaultRevisionRequest(revision=revision))

    async def set_repo_default_revision(self, index: int, revision: str) -> str:
        """Return "", or the available revisions, one per line, when that revision does not exist (core.md 1.7)."""
        request = pb.SetRepoDefaultRevisionRequest(index=index, revision=revision)
        return str((await self._call("SetRepoDefaultRevision", request)).info)

    # ---- calls -------------------------------------------------------------------------------

    def _creation(
        self, template: str, variables: Mapping[str, str], public: bool, auto: bool
    ) -> pb.NewEnvironmentRequest:
        return pb.NewEnvironmentRequest(
            workflowTemplate=template,
            vars=dict(variables),
            public=public,
            autoTransition=auto,
            requestUser=self.requester(),
        )

    async def raw(self, method: str, request: Any) -> bytes:
        """Return the reply of a reading method as it came; outline.py reads it piece by piece."""
        await self.ready()
        call: Any = self._channel.unary_unary(f"/o2control.Control/{method}", type(request).SerializeToString)
        return bytes(await self.send(method, call, request, self.deadlines.read_s))

    async def _call(self, method: str, request: Any, deadline_s: float | None = None) -> Any:
        """Make one unary call; the reply's type is the method's."""
        return await self.send(method, getattr(self._control, method), request, deadline_s or self.deadlines.read_s)
