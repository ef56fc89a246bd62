"""A core small enough to script: o2control.Control and aliecs.live.v1.Live on a real port, one little state machine.

It keeps environments, tasks and faults, sends each change to the watchers, and fails where a test says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import fake_picture
import grpc
from fake_replies import environment_info, error_status, short_task
from google.protobuf.message import Message

from server.api import live_pb2, live_pb2_grpc, o2control_pb2_grpc
from server.api import o2control_pb2 as pb
from server.api.convert import to_batch
from server.api.errors import CoreError, Reason
from server.api.model import (
    Batch,
    Change,
    Core,
    Environment,
    Event,
    Fault,
    History,
    Host,
    Kind,
    Part,
    Removal,
    Role,
    Service,
    Task,
    Thing,
    TransitionProgress,
    User,
    Variables,
)
from server.api.states import EnvironmentEvent, EnvironmentState, destination, refusal

Context = Any
_TASK_STATES = {"DEPLOYED": "STANDBY", "CONFIGURED": "CONFIGURED", "RUNNING": "RUNNING", "ERROR": "ERROR"}


def now_ms() -> int:
    return int(time.time() * 1000)


class FakeCore(o2control_pb2_grpc.ControlServicer, live_pb2_grpc.LiveServicer):
    """One core. Everything a test may want to see or bend is an attribute."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Names of the methods called, in order."""
        self.requests: list[Any] = []
        self.environments: dict[str, Environment] = {}
        self.tasks: dict[str, Task] = {}
        self.roles: dict[str, list[Role]] = {}
        """By environment, in pre-order; follow from the tasks."""
        self.faults: dict[str, Fault] = {}
        self.histories: dict[str, History] = {}
        self.variables_of: dict[str, Variables] = {}
        self.usual_ms = 0
        self.things: list[Thing] = [
            Core(
                instance="fake", version="1.2.3", framework_id="local-fake", detectors=("ITS", "TPC"), state="CONNECTED"
            ),
            *(Host(name=f"flp{n:03}", address="127.0.0.1", detector="ITS", executor_state="ATTACHED") for n in (1, 2)),
            Service(id="dcs", name="DCS", enabled=True, endpoint="dcs:1", connection_state="READY"),
        ]
        self.fail: dict[str, CoreError] = {}
        """Method name to the error that it answers."""
        self.break_on: dict[str, str] = {}
        """Event to the host whose task breaks in it: the reply is OK and the state ERROR."""
        self.hold = asyncio.Event()
        """Transitions wait for it."""
        self.hold.set()
        self.beaten = asyncio.Event()
        """Set when a heartbeat was sent."""
        self.is_mute = False
        """No heartbeats: as a core that hangs while its connection stands."""
        self.held = asyncio.Event()
        """Set when one waits."""
        self.watching = asyncio.Event()
        """Set when somebody follows the picture."""
        self.more: list[Callable[[grpc.aio.Server], None]] = []
        """Register further services at the start."""
        self.hosts = 2
        self.tasks_per_host = 2
        self.port = 0
        self.epoch = "epoch-1"
        self._seq = self._revision = 0
        self._events: list[Change] = []
        self._log: list[live_pb2.Batch] = []
        self._grown = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self._serial = 0
        self._run = 100

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        o2control_pb2_grpc.add_ControlServicer_to_server(self, self._server)
        live_pb2_grpc.add_LiveServicer_to_server(self, self._server)
        for register in self.more:
            register(self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    # ---- what happens ------------------------------------------------------------------------

    def publish(self, *values: Thing | Removal | Event) -> None:
        """Send changes to the watchers as one batch."""
        self._seq += 1
        changes = tuple(Change(value, self._revision + number) for number, value in enumerate(values, start=1))
        self._revision += len(changes)
        self._events += [change for change in changes if isinstance(change.value, Event)]
        self._log.append(to_batch(Batch(self.epoch, self._seq, Part.NONE, changes, now_ms())))
        self._wake()

    def show(self, environment: Environment) -> None:
        """Keep and publish an environment."""
        self.environments[environment.id] = environment
        self.publish(environment)

    def add(self, name: str = "readout-demo", *, user: str = "", state: str = "STANDBY", **more: Any) -> Environment:
        """Make an environment and its tasks without any call."""
        self._serial += 1
        environment = Environment(
            id=f"2ab{self._serial}CDEFgh", template=name, state=state, created_ms=now_ms() + self._serial, owner=User(user),
            state_since_ms=now_ms(), hosts=self.hosts, tasks_total=self.hosts * self.tasks_per_host, detectors=("ITS",),
            **more,
        )  # fmt: skip
        self.environments[environment.id] = environment
        tasks: list[Task] = []
        for host in range(1, self.hosts + 1):
            for number, kind in enumerate(("readout", "sink")[: self.tasks_per_host]):
                task_id = f"task{self._serial}{host:03}{number}"
                task = self.tasks[task_id] = Task(
                    task_id=task_id, name=kind, class_name=f"repo/tasks/{kind}@abc", environment_id=environment.id,
                    path=f"{name}.host-flp{host:03}.{kind}", host=f"flp{host:03}", state="STANDBY", status="ACTIVE",
                    critical=True, pid=4000 + host, locked=True,
                )  # fmt: skip
                tasks.append(task)
        self.publish(environment, *tasks, *self._changed_roles(environment.id))
        return environment

    def _changed_roles(self, environment_id: str) -> list[Role]:
        """Renew the roles, which follow from the tasks, and return those that differ."""
        tasks = [task for task in self.tasks.values() if task.environment_id == environment_id]
        before = {role.order: role for role in self.roles.get(environment_id, [])}
        roles = fake_picture.role_tree(environment_id, self.environments[environment_id].template, tasks)
        self.roles[environment_id] = roles
        return [role for role in roles if before.get(role.order) != role]

    def variables(self, environment_id: str, **layers: dict[str, str]) -> None:
        """Give an environment variables: ``defaults``, ``vars``, ``user_vars``."""
        self.variables_of[environment_id] = Variables(environment_id=environment_id, **layers)
        self.publish(self.variables_of[environment_id])

    def fault(self, environment_id: str, host: str, during: str) -> None:
        """Break the sink of a host: its task and the environment go to ERROR."""
        task = next(
            it for it in self.tasks.values() if (it.host, it.name, it.environment_id) == (host, "sink", environment_id)
        )
        self.tasks[task.task_id] = replace(task, state="ERROR", error="exit code 3", exit_code=3)
        self.faults[environment_id] = Fault(
            environment_id=environment_id, at_ms=now_ms(), what="critical task sink ended with exit code 3",
            role=task.path, task_id=task.task_id, task="sink", host=host, during=during, cause="exit code 3",
            hint=f"aliecs task show {task.task_id}",
        )  # fmt: skip
        environment = self.environments[environment_id]
        failed = replace(environment, state="ERROR", transition=None, tasks_error=1, run_number=0, bytes_per_s=0.0)
        self.environments[environment_id] = failed
        roles = self._changed_roles(environment_id)
        self.publish(self.tasks[task.task_id], *roles, self.faults[environment_id], failed)

    async def move(self, environment_id: str, event: EnvironmentEvent, user: str) -> Environment:
        """Run a transition: progress, wait while held, arrive or break."""
        environment = self.environments[environment_id]
        total = environment.tasks_total
        source = EnvironmentState(environment.state)
        to = destination(event, source)
        assert to is not None
        at_ms = now_ms()
        progress = TransitionProgress(
            event=event.value, step=f"tasks_{event.value}", tasks_total=total, user=user, started_ms=at_ms,
            steps=fake_picture.steps(event, source, to, at_ms=at_ms, tasks=total, is_over=False),
            usual_ms=self.usual_ms, budget_ms=90_000,
        )  # fmt: skip
        self.show(replace(environment, transition=progress))
        self.held.set()
        await self.hold.wait()
        self.show(replace(environment, transition=replace(progress, tasks_done=total)))
        broken = self.break_on.get(event.value, "")
        is_running = to is EnvironmentState.RUNNING
        self._run += is_running and not broken
        self.histories[environment_id] = fake_picture.longer(
            self.histories.get(environment_id, History(environment_id=environment_id)), progress, source, to,
            ended_ms=max(now_ms(), at_ms + 5), error="exit code 3" if broken else "", run_number=self._run,
        )  # fmt: skip
        self.publish(self.histories[environment_id])
        if broken:
            self.fault(environment_id, broken, event.value)
            return self.environments[environment_id]
        for task in self.tasks.values():
            if task.environment_id == environment_id:
                self.tasks[task.task_id] = replace(task, state=_TASK_STATES[to.value])
                self.publish(self.tasks[task.task_id])
        self.publish(*self._changed_roles(environment_id))
        self.show(
            replace(
                environment, state=to.value, transition=None, tasks_ok=total, tasks_active=total,
                run_number=self._run if is_running else 0,
                last_run_number=self._run if is_running else environment.last_run_number,
                bytes_moved=123_456_789.0 if is_running else environment.bytes_moved,
                bytes_per_s=25e6 if is_running else 0.0,
            )
        )  # fmt: skip
        return self.environments[environment_id]

    # ---- aliecs.live.v1.Live -----------------------------------------------------------------

    async def Watch(self, request: live_pb2.WatchRequest, context: Context) -> AsyncIterator[live_pb2.Batch]:
        self.calls.append(f"Watch({request.epoch},{request.since})")
        self.watching.set()
        at = request.since
        if request.epoch != self.epoch:
            known: list[Thing] = [
                *self.things,
                *self.environments.values(),
                *self.tasks.values(),
                *(role for roles in self.roles.values() for role in roles),
                *(one for kind in (self.faults, self.variables_of, self.histories) for one in kind.values()),
            ]
            changes = (*(Change(thing, self._revision) for thing in known), *self._events[-200:])
            at = self._seq
            yield to_batch(Batch(self.epoch, at, Part.BEGIN, changes, now_ms()))
            yield to_batch(Batch(self.epoch, at, Part.END, (), now_ms()))
        while True:
            grown = self._grown
            for batch in [one for one in self._log if one.seq > at]:
                at = batch.seq
                yield batch
            try:
                async with asyncio.timeout(max(0.1, request.heartbeat_ms / 1000) if request.heartbeat_ms else None):
                    await grown.wait()
            except TimeoutError:
                if not self.is_mute:
                    self.beaten.set()
                    yield to_batch(Batch(self.epoch, at, Part.NONE, (), now_ms()))

    def forget(self) -> None:
        """Become another life of the core: watchers get a snapshot again."""
        self.epoch = f"epoch-{int(self.epoch.split('-')[1]) + 1}"
        self._log.clear()
        self._events.clear()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    # ---- o2control.Control -------------------------------------------------------------------

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

    def drop(self, environment_id: str) -> None:
        """Forget an environment and its tasks."""
        del self.environments[environment_id]
        for kind in (self.roles, self.variables_of, self.histories):
            kind.pop(environment_id, None)
        gone = [task_id for task_id, task in self.tasks.items() if task.environment_id == environment_id]
        for task_id in gone:
            del self.tasks[task_id]
        self.publish(Removal(Kind.ENVIRONMENT, environment_id), *(Removal(Kind.TASK, one) for one in gone))

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

    def _tasks_of(self, environment_id: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.environment_id == environment_id]

    async def refuse(self, context: Context, error: CoreError, *others: Message) -> None:
        """End the call as the real core does: a status with an ErrorInfo, and other details."""
        await context.abort_with_status(error_status(error, *others))
