"""The messages of o2control.Control, made from the records of the core (core.md 1.8). Which rpc sends what: service.py."""

from __future__ import annotations

from collections.abc import Iterable

from server.api import o2control_pb2 as pb
from server.api.states import EnvironmentState, Status
from server.clock import now_ms
from server.deploy.backend import Backend
from server.environment.detectors import json_strings
from server.environment.runner import EnvironmentRunner
from server.environment.tree import Role
from server.integration.registry import PluginRegistry
from server.task.task import Task
from server.workflow.listing import TemplateListing, VariableSpec
from server.workflow.repos import RepositoryInfo


def timestamp_ms() -> int:
    """Return the time of sending, Unix milliseconds."""
    return now_ms()


class Replies:
    """Builds messages; needs the backend for the URL of a task's output and the services for what they show."""

    def __init__(self, backend: Backend, plugins: PluginRegistry) -> None:
        self._backend = backend
        self._plugins = plugins

    # ---- environments ------------------------------------------------------------------------

    def environment(
        self, runner: EnvironmentRunner, tasks: Iterable[Task], *, with_tasks: bool, detailed: bool
    ) -> pb.EnvironmentInfo:
        """Return one environment; ``tasks`` are those it has."""
        environment = runner.environment
        own = list(tasks)
        template = environment.created.workflow.template
        defaults, variables, user_vars = environment.tree.layers()
        stack = environment.tree.stack(environment.tree.root)
        states = [self._role_of(runner, task).status for task in own]
        active = sum(status is Status.ACTIVE for status in states)
        return pb.EnvironmentInfo(
            id=environment.id,
            createdWhen=environment.created.created_ms,
            state=environment.state.value,
            tasks=[self.short_task(task, runner) for task in own] if with_tasks else [],
            rootRole=environment.tree.root.name,
            currentRunNumber=environment.run_number,
            defaults=defaults,
            vars=variables,
            userVars=user_vars,
            numberOfFlps=len(json_strings(stack.get("hosts", ""))),
            includedDetectors=environment.created.detectors,
            description=template.description,
            numberOfHosts=len({task.host for task in own}),
            integratedServicesData=self._services_of(environment.id, detailed=detailed),
            numberOfTasks=len(own),
            currentTransition=environment.transition.value if environment.transition else "",
            numberOfActiveTasks=active,
            numberOfInactiveTasks=len(own) - active,
        )

    def pending(self, environment_id: str, user_vars: dict[str, str]) -> pb.EnvironmentInfo:
        """Return what NewEnvironmentAsync answers before anything has happened."""
        return pb.EnvironmentInfo(id=environment_id, state=EnvironmentState.PENDING.value, userVars=user_vars)

    def role(self, runner: EnvironmentRunner, role: Role) -> pb.RoleInfo:
        """Return a role and all below it."""
        tree = runner.environment.tree
        return pb.RoleInfo(
            name=role.name,
            status=role.status.value,
            state=role.state.wire,
            fullPath=role.path,
            taskIds=list(_tasks_below(runner, role)),
            roles=[self.role(runner, child) for child in role.children],
            defaults=role.defaults,
            vars=role.vars,
            userVars=role.user_vars,
            consolidatedStack=tree.stack(role),
        )

    def _services_of(self, environment_id: str, *, detailed: bool) -> dict[str, str]:
        shown = {plugin.id: plugin.environment_data(environment_id, detailed=detailed) for plugin in self._plugins}
        return {plugin: data for plugin, data in shown.items() if data is not None}

    @staticmethod
    def _role_of(runner: EnvironmentRunner, task: Task) -> Role:
        return runner.environment.role_of(task.task_id)

    # ---- tasks -------------------------------------------------------------------------------

    def short_task(self, task: Task, runner: EnvironmentRunner | None) -> pb.ShortTaskInfo:
        """Return a task; state, status and criticality are those of its role, if it has one (core.md 1.8)."""
        role = self._role_of(runner, task) if runner and task.task_id in runner.environment.tasks else None
        return pb.ShortTaskInfo(
            name=task.name,
            locked=task.locked,
            taskId=task.task_id,
            status=role.status.value if role else "UNKNOWN",
            state=role.state.wire if role else "UNKNOWN",
            className=task.class_id,
            deploymentInfo=pb.TaskDeploymentInfo(
                hostname=task.host, agentId=task.agent_id, offerId=task.offer_id, executorId=task.executor_id
            ),
            pid=str(task.pid) if task.pid else "",
            sandboxStdout=self._backend.stdout_url(task.task_id),
            claimable=task.claimable,
            critical=role.critical if role else False,
        )

    def task(self, task: Task, runner: EnvironmentRunner | None) -> pb.TaskInfo:
        """Return all about one task."""
        command = task.command
        return pb.TaskInfo(
            shortInfo=self.short_task(task, runner),
            inboundChannels=[pb.ChannelInfo(name=one.name, type=one.type) for one in task.inbound],
            outboundChannels=[pb.ChannelInfo(name=one.name, type=one.type, target=one.target) for one in task.outbound],
            commandInfo=pb.CommandInfo(
                env=command.environment,
                shell=command.shell,
                value=command.value,
                arguments=command.arguments,
                user=command.user,
            ),
            taskPath=task.role_path,
            envId=task.environment_id,
            properties=dict(task.properties),
        )


def template(listing: TemplateListing) -> pb.WorkflowTemplateInfo:
    """Return a template with its variable specifications."""
    return pb.WorkflowTemplateInfo(
        repo=listing.repo,
        template=listing.template,
        revision=listing.revision,
        varSpecMap={name: _variable(spec) for name, spec in listing.variables.items()},
        description=listing.description,
    )


def _variable(spec: VariableSpec) -> pb.VarSpecMessage:
    return pb.VarSpecMessage(
        defaultValue=spec.default,
        type=pb.VarSpecMessage.Type.Value(spec.type),
        label=spec.label,
        description=spec.description,
        widget=pb.VarSpecMessage.UiWidget.Value(spec.widget),
        panel=spec.panel,
        allowedValues=spec.allowed,
        index=spec.index,
        visibleIf=spec.visible_if,
        enabledIf=spec.enabled_if,
        rows=spec.rows,
    )


def repository(info: RepositoryInfo) -> pb.RepoInfo:
    """Return a repository."""
    return pb.RepoInfo(
        name=info.name, default=info.is_default, defaultRevision=info.default_revision, revisions=info.revisions
    )


def _tasks_below(runner: EnvironmentRunner, role: Role) -> Iterable[str]:
    if task_id := runner.environment.task_of_role.get(role.order):
        yield task_id
    for child in role.children:
        yield from _tasks_below(runner, child)
