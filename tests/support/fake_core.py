"""A core small enough to script: o2control.Control and aliecs.live.v1.Live on a real port.

It does what is asked in the picture of fake_live.py, and fails where a test says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from fake_live import Context, FakeLive
from fake_replies import environment_info, error_status, short_task
from free_ports import free_port
from google.protobuf.message import Message

from server.api import live_pb2_grpc, o2control_pb2_grpc
from server.api import o2control_pb2 as pb
from server.api.errors import CoreError, Reason
from server.api.model import Environment, Task
from server.api.states import EnvironmentEvent, EnvironmentState, refusal


class FakeCore(FakeLive, o2control_pb2_grpc.ControlServicer):
    """One core. Everything a test may want to see or bend is an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []
        self.fail: dict[str, CoreError] = {}
        """Method name to the error that it answers."""
        self.more: list[Callable[[grpc.aio.Server], None]] = []
        """Register further services at the start."""
        self.port = 0
        self._server: grpc.aio.Server | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        o2control_pb2_grpc.add_ControlServicer_to_server(self, self._server)
        live_pb2_grpc.add_LiveServicer_to_server(self, self._server)
        for register in self.more:
            register(self._server)
        # One that the kernel gives to nobody meanwhile: a test may stop and start it again, or expect that nobody listens.
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port or free_port()}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def GetFrameworkInfo(self, request: Any, context: Context) -> pb.GetFrameworkInfoReply:
        await self._called("GetFrameworkInfo", request, context)
        return pb.GetFrameworkInfoReply(
            frameworkId="local-fake", state="CONNECTED", instanceName="fake", detectorsInInstance=["ITS", "TPC"],
            environmentsCount=len(self.environments), tasksCount=len(self.tasks), hostsCount=2,
        )  # fmt: skip

    async def GetIntegratedServices(self, request: Any, context: Context) -> pb.ListIntegratedServicesReply:
        await self._called("GetIntegratedServices", request, context)
        dcs = pb.IntegratedServiceInfo(name="DCS", enabled=True, endpoint="dcs:1", connectionState="READY")
        return pb.ListIntegratedServicesReply(services={"dcs": dcs, "odc": pb.IntegratedServiceInfo()})

    async def GetActiveDetectors(self, request: Any, context: Context) -> pb.GetActiveDetectorsReply:
        await self._called("GetActiveDetectors", request, context)
        held = {detector for one in self.environments.values() for detector in one.detectors}
        return pb.GetActiveDetectorsReply(detectors=sorted(held))

    async def GetEnvironments(self, request: Any, context: Context) -> pb.GetEnvironmentsReply:
        await self._called("GetEnvironments", request, context)
        known = [
            environment_info(one, self._tasks_of(one.id) if request.showTaskInfos else ())
            for one in self.environments.values()
        ]
        return pb.GetEnvironmentsReply(environments=known)

    async def GetEnvironment(self, request: Any, context: Context) -> pb.GetEnvironmentReply:
        await self._called("GetEnvironment", request, context)
        environment = await self._known(request.id, context)
        tree = pb.RoleInfo(
            name=environment.template, fullPath=environment.template, state=environment.state, status="ACTIVE", roles=[
                pb.RoleInfo(
                    name=task.path, fullPath=task.path, state=task.state, status=task.status, taskIds=[task.task_id]
                )
                for task in self.tasks.values() if task.environment_id == request.id
            ]
        )  # fmt: skip
        return pb.GetEnvironmentReply(
            environment=environment_info(environment, self._tasks_of(environment.id)),
            workflow=tree if request.showWorkflowTree else None,
        )

    async def NewEnvironment(self, request: Any, context: Context) -> pb.NewEnvironmentReply:
        await self._called("NewEnvironment", request, context)
        environment = self.add(request.workflowTemplate, user=request.requestUser.name, user_vars=dict(request.vars))
        for event in (EnvironmentEvent.DEPLOY, EnvironmentEvent.CONFIGURE):
            environment = await self.move(environment.id, event, request.requestUser.name)
            if environment.state == "ERROR":
                self.drop(environment.id)
                where = {"environment": environment.id, "host": self.faults[environment.id].host, "task": "sink"}
                error = CoreError(Reason.DEPLOYMENT_FAILED, "cannot create: sink exited with 3", **where)
                await self.refuse(context, error, pb.EnvironmentInfo(id=environment.id, state="ERROR"))
        return pb.NewEnvironmentReply(environment=environment_info(environment))

    async def ControlEnvironment(self, request: Any, context: Context) -> pb.ControlEnvironmentReply:
        await self._called("ControlEnvironment", request, context)
        environment = await self._known(request.id, context)
        event = EnvironmentEvent(pb.ControlEnvironmentRequest.Optype.Name(request.type))
        why = refusal(
            event, EnvironmentState(environment.state), environment.transition.event if environment.transition else ""
        )
        if why:
            error = CoreError(Reason.ILLEGAL_TRANSITION, why, environment=request.id, hint="env show tells the state")
            await self.refuse(context, error)
        reached = await self.move(request.id, event, request.requestUser.name)
        return pb.ControlEnvironmentReply(id=request.id, state=reached.state, currentRunNumber=reached.run_number)

    async def DestroyEnvironment(self, request: Any, context: Context) -> pb.DestroyEnvironmentReply:
        await self._called("DestroyEnvironment", request, context)
        await self._known(request.id, context)
        killed = [short_task(task) for task in self.tasks.values() if task.environment_id == request.id]
        self.drop(request.id)
        return pb.DestroyEnvironmentReply(cleanupTasksReply=pb.CleanupTasksReply(killedTasks=killed))

    async def GetTasks(self, request: Any, context: Context) -> pb.GetTasksReply:
        await self._called("GetTasks", request, context)
        return pb.GetTasksReply(tasks=[short_task(task) for task in self.tasks.values()])

    async def GetTask(self, request: Any, context: Context) -> pb.GetTaskReply:
        await self._called("GetTask", request, context)
        task = self.tasks.get(request.taskId)
        if task is None:
            await self.refuse(context, CoreError(Reason.TASK_NOT_FOUND, "task not found", task=request.taskId))
        command = pb.CommandInfo(value="aliecs-sink", arguments=["--verbose"])
        return pb.GetTaskReply(
            task=pb.TaskInfo(shortInfo=short_task(task), commandInfo=command, envId=task.environment_id)
        )

    async def CleanupTasks(self, request: Any, context: Context) -> pb.CleanupTasksReply:
        await self._called("CleanupTasks", request, context)
        return pb.CleanupTasksReply(runningTasks=[short_task(task) for task in self.tasks.values()])

    async def ListRepos(self, request: Any, context: Context) -> pb.ListReposReply:
        await self._called("ListRepos", request, context)
        return pb.ListReposReply(
            repos=[pb.RepoInfo(name="github.com/a/b", default=True), pb.RepoInfo(name="github.com/c/d")]
        )

    async def RemoveRepo(self, request: Any, context: Context) -> pb.RemoveRepoReply:
        await self._called("RemoveRepo", request, context)
        return pb.RemoveRepoReply()

    async def GetWorkflowTemplates(self, request: Any, context: Context) -> pb.GetWorkflowTemplatesReply:
        await self._called("GetWorkflowTemplates", request, context)
        spec = pb.VarSpecMessage(
            defaultValue="5", type=pb.VarSpecMessage.number, label="Rate", allowedValues=["5", "9"]
        )
        one = pb.WorkflowTemplateInfo(
            repo="github.com/a/b", template="readout-demo", revision="main", varSpecMap={"rate": spec}
        )
        return pb.GetWorkflowTemplatesReply(workflowTemplates=[one])

    async def GetRoles(self, request: Any, context: Context) -> pb.GetRolesReply:
        await self._called("GetRoles", request, context)
        return pb.GetRolesReply(
            roles=[pb.RoleInfo(name="sink", fullPath="a.sink", state="RUNNING", vars={"rate": "5"})]
        )

    def _tasks_of(self, environment_id: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.environment_id == environment_id]

    async def _called(self, method: str, request: Any, context: Context) -> None:
        self.calls.append(method)
        self.requests.append(request)
        if method in self.fail:
            await self.refuse(context, self.fail[method])

    async def _known(self, environment_id: str, context: Context) -> Environment:
        if environment_id not in self.environments:
            missing = CoreError(Reason.ENVIRONMENT_NOT_FOUND, f"environment not found: {environment_id}")
            await self.refuse(context, missing)
        return self.environments[environment_id]

    async def refuse(self, context: Context, error: CoreError, *others: Message) -> None:
        """End the call as the real core does: a status with an ErrorInfo, and other details."""
        await context.abort_with_status(error_status(error, *others))
