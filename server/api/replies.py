"""What the replies of o2control.Control say, as frozen values, each with the function that reads it from protobuf.

Fields are filled as core.md 1.8 says. Named tuples, for every one-shot command of the console imports them and they take
a fifth of the time of dataclasses. The live picture, which most of the console shows: model.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from server.api import o2control_pb2 as pb


class FrameworkInfo(NamedTuple):
    framework_id: str
    environments: int
    tasks: int
    state: str
    hosts: int
    instance: str
    version: str
    revision: str
    configuration_endpoint: str
    detectors: tuple[str, ...]
    active_detectors: tuple[str, ...]
    available_detectors: tuple[str, ...]

    @classmethod
    def read(cls, reply: pb.GetFrameworkInfoReply) -> FrameworkInfo:
        version = reply.version
        return cls(
            framework_id=reply.frameworkId,
            environments=reply.environmentsCount,
            tasks=reply.tasksCount,
            state=reply.state,
            hosts=reply.hostsCount,
            instance=reply.instanceName,
            version=version.versionStr or f"{version.major}.{version.minor}.{version.patch}",
            revision=version.build,
            configuration_endpoint=reply.configurationEndpoint,
            detectors=tuple(reply.detectorsInInstance),
            active_detectors=tuple(reply.activeDetectors),
            available_detectors=tuple(reply.availableDetectors),
        )


class TaskSummary(NamedTuple):
    """A task as lists name it (ShortTaskInfo)."""

    task_id: str
    class_name: str
    """Full identifier, ``<repo>/tasks/<name>@<hash>``."""
    host: str
    status: str
    state: str
    critical: bool
    locked: bool
    claimable: bool
    pid: int | None
    """None before the executor announced it."""
    agent_id: str
    executor_id: str
    sandbox_stdout: str

    @property
    def short_name(self) -> str:
        """The class without repository and revision."""
        return self.class_name.rpartition("/")[2].partition("@")[0]

    @classmethod
    def read(cls, message: pb.ShortTaskInfo) -> TaskSummary:
        return cls(
            task_id=message.taskId,
            class_name=message.className,
            host=message.deploymentInfo.hostname,
            status=message.status,
            state=message.state,
            critical=message.critical,
            locked=message.locked,
            claimable=message.claimable,
            pid=int(message.pid) if message.pid.isdigit() else None,
            agent_id=message.deploymentInfo.agentId,
            executor_id=message.deploymentInfo.executorId,
            sandbox_stdout=message.sandboxStdout,
        )


class Channel(NamedTuple):
    name: str
    type: str
    target: str = ""


class TaskInfo(NamedTuple):
    """One task in full."""

    summary: TaskSummary
    inbound: tuple[Channel, ...]
    outbound: tuple[Channel, ...]
    command: str
    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    shell: bool
    user: str
    path: str
    """Of its role; "" when unlocked."""
    environment_id: str
    properties: Mapping[str, str]

    @classmethod
    def read(cls, message: pb.TaskInfo) -> TaskInfo:
        command = message.commandInfo
        return cls(
            summary=TaskSummary.read(message.shortInfo),
            inbound=tuple(Channel(it.name, it.type, it.target) for it in message.inboundChannels),
            outbound=tuple(Channel(it.name, it.type, it.target) for it in message.outboundChannels),
            command=command.value,
            arguments=tuple(command.arguments),
            environment=tuple(command.env),
            shell=command.shell,
            user=command.user,
            path=message.taskPath,
            environment_id=message.envId,
            properties=dict(message.properties),
        )


class EnvironmentInfo(NamedTuple):
    """An environment in the words of o2control."""

    id: str
    template: str
    """Name of the root role."""
    description: str
    created_ms: int
    state: str
    transition: str
    """"" when idle."""
    run_number: int
    tasks_total: int
    tasks_active: int
    hosts: int
    flps: int
    detectors: tuple[str, ...]
    tasks: tuple[TaskSummary, ...]
    defaults: Mapping[str, str]
    vars: Mapping[str, str]
    user_vars: Mapping[str, str]
    services: Mapping[str, str]
    """Data of integrated services by plugin id, usually JSON."""

    @classmethod
    def read(cls, message: pb.EnvironmentInfo) -> EnvironmentInfo:
        return cls(
            id=message.id,
            template=message.rootRole,
            description=message.description,
            created_ms=message.createdWhen,
            state=message.state,
            transition=message.currentTransition,
            run_number=message.currentRunNumber,
            tasks_total=message.numberOfTasks,
            tasks_active=message.numberOfActiveTasks,
            hosts=message.numberOfHosts,
            flps=message.numberOfFlps,
            detectors=tuple(message.includedDetectors),
            tasks=tuple(TaskSummary.read(task) for task in message.tasks),
            defaults=dict(message.defaults),
            vars=dict(message.vars),
            user_vars=dict(message.userVars),
            services=dict(message.integratedServicesData),
        )


class RoleInfo(NamedTuple):
    """A role with its own layers of variables, its consolidated stack and its children."""

    name: str
    path: str
    state: str
    status: str
    task_ids: tuple[str, ...]
    """All tasks below it."""
    roles: tuple[RoleInfo, ...]
    defaults: Mapping[str, str]
    vars: Mapping[str, str]
    user_vars: Mapping[str, str]
    consolidated_stack: Mapping[str, str]

    @classmethod
    def read(cls, message: pb.RoleInfo) -> RoleInfo:
        return cls(
            name=message.name,
            path=message.fullPath,
            state=message.state,
            status=message.status,
            task_ids=tuple(message.taskIds),
            roles=tuple(cls.read(child) for child in message.roles),
            defaults=dict(message.defaults),
            vars=dict(message.vars),
            user_vars=dict(message.userVars),
            consolidated_stack=dict(message.consolidatedStack),
        )


class EnvironmentDetails(NamedTuple):
    """Reply of GetEnvironment."""

    environment: EnvironmentInfo
    workflow: RoleInfo | None
    """Only if it was asked for."""
    public: bool

    @classmethod
    def read(cls, reply: pb.GetEnvironmentReply) -> EnvironmentDetails:
        workflow = RoleInfo.read(reply.workflow) if reply.HasField("workflow") else None
        return cls(environment=EnvironmentInfo.read(reply.environment), workflow=workflow, public=reply.public)


class ControlResult(NamedTuple):
    """Reply of ControlEnvironment: the state reached, which is ERROR when the transition failed (core.md 1.7)."""

    id: str
    state: str
    run_number: int
    started_ms: int
    ended_ms: int

    @classmethod
    def read(cls, reply: pb.ControlEnvironmentReply) -> ControlResult:
        return cls(
            id=reply.id,
            state=reply.state,
            run_number=reply.currentRunNumber,
            started_ms=reply.startOfTransition,
            ended_ms=reply.endOfTransition,
        )


class CleanupResult(NamedTuple):
    killed: tuple[TaskSummary, ...]
    running: tuple[TaskSummary, ...]

    @classmethod
    def read(cls, reply: pb.CleanupTasksReply) -> CleanupResult:
        return cls(
            killed=tuple(TaskSummary.read(task) for task in reply.killedTasks),
            running=tuple(TaskSummary.read(task) for task in reply.runningTasks),
        )


class VariableSpec(NamedTuple):
    """A variable that a template offers to operators."""

    name: str
    default: str
    type: str
    """string, number, bool, list or map."""
    label: str
    description: str
    widget: str
    panel: str
    allowed: tuple[str, ...]
    order: int
    visible_if: str
    enabled_if: str
    rows: int


class TemplateListing(NamedTuple):
    repo: str
    template: str
    revision: str
    description: str
    variables: tuple[VariableSpec, ...]
    """In the order of panel, index and name."""

    @classmethod
    def read(cls, message: pb.WorkflowTemplateInfo) -> TemplateListing:
        variables = []
        for name, spec in message.varSpecMap.items():
            variables.append(
                VariableSpec(
                    name=name,
                    default=spec.defaultValue,
                    type=spec.Type.Name(spec.type),
                    label=spec.label,
                    description=spec.description,
                    widget=spec.UiWidget.Name(spec.widget),
                    panel=spec.panel,
                    allowed=tuple(spec.allowedValues),
                    order=spec.index,
                    visible_if=spec.visibleIf,
                    enabled_if=spec.enabledIf,
                    rows=spec.rows,
                )
            )
        return cls(
            repo=message.repo,
            template=message.template,
            revision=message.revision,
            description=message.description,
            variables=tuple(sorted(variables, key=lambda it: (it.panel, it.order, it.name))),
        )


class RepoInfo(NamedTuple):
    name: str
    is_default: bool
    default_revision: str
    revisions: tuple[str, ...]


class RepoListing(NamedTuple):
    repos: tuple[RepoInfo, ...]
    global_default_revision: str

    @classmethod
    def read(cls, reply: pb.ListReposReply) -> RepoListing:
        return cls(
            repos=tuple(
                RepoInfo(
                    name=repo.name,
                    is_default=repo.default,
                    default_revision=repo.defaultRevision,
                    revisions=tuple(repo.revisions),
                )
                for repo in reply.repos
            ),
            global_default_revision=reply.globalDefaultRevision,
        )


class ServiceInfo(NamedTuple):
    """An integrated service; all empty but ``id`` for one that is known and not enabled."""

    id: str
    name: str
    enabled: bool
    endpoint: str
    connection_state: str
    data: str

    @classmethod
    def read_all(cls, reply: pb.ListIntegratedServicesReply) -> tuple[ServiceInfo, ...]:
        return tuple(
            cls(
                id=key,
                name=it.name,
                enabled=it.enabled,
                endpoint=it.endpoint,
                connection_state=it.connectionState,
                data=it.data,
            )
            for key, it in sorted(reply.services.items())
        )
