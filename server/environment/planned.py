"""The values of a plan, from the environment that it would be. Who rehearses it: rehearsal.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from occ.errors import AliecsError
from server.api.errors import CoreError, Reason
from server.api.model_plan import PlannedChannel, PlannedCommand, PlannedRole, PlannedTask, PlanProblem
from server.environment.environment import Environment
from server.environment.tree import Role
from server.task.placement import demand_of
from server.task.properties import UnrenderedProperties, effective_inbound, effective_outbound, merge_constraints
from server.task.roster import Roster
from server.task.task import Task
from server.template.model import RoleKind, TaskClass

Made = Mapping[str, tuple[UnrenderedProperties, dict[str, str]]]
"""Task id to its properties, unrendered and rendered."""


def problem(error: AliecsError) -> PlanProblem:
    """Return an error of the creation."""
    reason, where = Reason.CONFIGURATION, dict[str, str]()
    if isinstance(error, CoreError):
        reason, where = error.reason, dict(error.where)
    return PlanProblem(reason=reason.value, message=error.message, hint=error.hint, where=where)


def task_problem(role: Role, reason: Reason, text: str, *, hint: str = "") -> PlanProblem:
    """Return what is wrong with a leaf; it is fatal if the leaf is critical."""
    message = text if role.path in text else f"role {role.path}: {text}"
    return PlanProblem(reason=reason.value, message=message, hint=hint, where={"role": role.path}, fatal=role.critical)


def view(
    role: Role, environment: Environment, roster: Roster, undeployable: Mapping[int, str], properties: Made
) -> PlannedRole:
    """Return one role."""
    traits, loaded = role.traits, role.loaded
    task_class = environment.created.workflow.classes.get(loaded.load)
    constraints = merge_constraints(task_class.constraints if task_class else (), environment.tree.constraints(role))
    is_task = role.kind is RoleKind.TASK
    task = roster.get(environment.task_of_role.get(role.order, ""))
    return PlannedRole(
        order=role.order,
        parent=role.parent.order if role.parent else None,
        name=role.name,
        path=role.path,
        kind=role.kind.value,
        critical=role.critical,
        trigger=traits.trigger,
        await_=traits.await_,
        timeout=traits.timeout,
        constraints={one.attribute: one.value for one in constraints} if is_task else {},
        task=_View(role, environment, task_class, properties).task(task, undeployable.get(role.order, ""))
        if is_task
        else None,
        func=loaded.func,
        return_var=loaded.return_var,
        include=loaded.include,
    )


@dataclass(frozen=True, slots=True)
class _View:
    role: Role
    environment: Environment
    task_class: TaskClass | None
    properties: Made

    def task(self, task: Task | None, problem: str) -> PlannedTask:
        identifier = self.role.loaded.load
        if self.task_class is None:
            return PlannedTask(class_id=identifier, problem=problem)
        inbound, _ = self.environment.tree.channels(self.role)
        demand = demand_of(self.task_class, effective_inbound(inbound, self.task_class.bind))
        return PlannedTask(
            class_id=identifier,
            class_name=self.task_class.name,
            mode=task.mode.value if task else self.task_class.mode,
            host=task.host if task else "",
            address=task.address if task else "",
            cpus=demand.cpus,
            memory_mb=demand.memory_mb,
            static_ports=tuple(demand.static_ports),
            data_ports=demand.channels,
            control_port=demand.control,
            command=_command(task) if task else None,
            channels=tuple(self._channels(self.task_class, task)),
            properties=self.properties.get(task.task_id, (None, {}))[1] if task else {},
            problem=problem,
        )

    def _channels(self, task_class: TaskClass, task: Task | None) -> Iterator[PlannedChannel]:
        inbound, outbound = self.environment.tree.channels(self.role)
        made = self.properties.get(task.task_id) if task else None
        values = made[0].values if made else {}
        for channel in effective_inbound(inbound, task_class.bind):
            local = channel.target or (task.endpoints.get(channel.name, "") if task else "")
            yield PlannedChannel(
                name=channel.name, type=channel.type, binds=True, transport=channel.transport, alias=channel.alias,
                address=local,
            )  # fmt: skip
        for out in effective_outbound(outbound, task_class.connect):
            head = f"chans.{out.name}.0"
            yield PlannedChannel(
                name=out.name, type=out.type, transport=values.get(f"{head}.transport", out.transport),
                target=out.target, address=values.get(f"{head}.address", ""),
            )  # fmt: skip


def _command(task: Task) -> PlannedCommand:
    spec = task.command
    return PlannedCommand(
        value=spec.value,
        shell=spec.shell,
        user=spec.user,
        arguments=tuple(spec.arguments),
        environment=tuple(spec.environment),
        stdout=spec.stdout,
        stderr=spec.stderr,
        timeout_s=spec.timeout_s,
    )
