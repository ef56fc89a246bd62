"""Conversion of plans between model_plan.py and ops.proto, both ways."""

from __future__ import annotations

from server.api import model_plan as m
from server.api import ops_pb2 as pb


def to_plan(plan: m.Plan) -> pb.Plan:
    return pb.Plan(
        template=plan.template,
        name=plan.name,
        description=plan.description,
        repo=plan.repo,
        revision=plan.revision,
        hash=plan.hash,
        hosts=plan.hosts,
        detectors=plan.detectors,
        roles=[_to_role(role) for role in plan.roles],
        disabled=plan.disabled,
        warnings=plan.warnings,
        problems=[
            pb.PlanProblem(
                reason=one.reason, message=one.message, hint=one.hint, where=dict(one.where), fatal=one.fatal
            )
            for one in plan.problems
        ],
    )


def from_plan(message: pb.Plan) -> m.Plan:
    return m.Plan(
        template=message.template,
        name=message.name,
        description=message.description,
        repo=message.repo,
        revision=message.revision,
        hash=message.hash,
        hosts=tuple(message.hosts),
        detectors=tuple(message.detectors),
        roles=tuple([_from_role(role) for role in message.roles]),
        disabled=tuple(message.disabled),
        warnings=tuple(message.warnings),
        problems=tuple(
            [
                m.PlanProblem(
                    reason=one.reason, message=one.message, hint=one.hint, where=dict(one.where), fatal=one.fatal
                )
                for one in message.problems
            ]
        ),
    )


def _to_role(role: m.PlannedRole) -> pb.PlannedRole:
    message = pb.PlannedRole(
        order=role.order,
        parent=role.parent,
        name=role.name,
        path=role.path,
        kind=role.kind,
        critical=role.critical,
        trigger=role.trigger,
        timeout=role.timeout,
        constraints=dict(role.constraints),
        task=_to_task(role.task) if role.task else None,
        func=role.func,
        return_var=role.return_var,
        include=role.include,
    )
    setattr(message, "await", role.await_)  # a keyword of Python
    return message


def _from_role(message: pb.PlannedRole) -> m.PlannedRole:
    return m.PlannedRole(
        order=message.order,
        parent=message.parent if message.HasField("parent") else None,
        name=message.name,
        path=message.path,
        kind=message.kind,
        critical=message.critical,
        trigger=message.trigger,
        await_=getattr(message, "await"),
        timeout=message.timeout,
        constraints=dict(message.constraints),
        task=_from_task(message.task) if message.HasField("task") else None,
        func=message.func,
        return_var=message.return_var,
        include=message.include,
    )


def _to_task(task: m.PlannedTask) -> pb.PlannedTask:
    command = task.command
    return pb.PlannedTask(
        class_id=task.class_id,
        class_name=task.class_name,
        mode=task.mode,
        host=task.host,
        address=task.address,
        cpus=task.cpus,
        memory_mb=task.memory_mb,
        static_ports=task.static_ports,
        data_ports=task.data_ports,
        control_port=task.control_port,
        command=pb.PlannedCommand(
            value=command.value,
            shell=command.shell,
            user=command.user,
            arguments=command.arguments,
            environment=command.environment,
            stdout=command.stdout,
            stderr=command.stderr,
            timeout_s=command.timeout_s,
        )
        if command
        else None,
        channels=[
            pb.PlannedChannel(
                name=one.name,
                type=one.type,
                binds=one.binds,
                transport=one.transport,
                alias=one.alias,
                target=one.target,
                address=one.address,
            )
            for one in task.channels
        ],
        properties=dict(task.properties),
        problem=task.problem,
    )


def _from_task(message: pb.PlannedTask) -> m.PlannedTask:
    command = message.command
    return m.PlannedTask(
        class_id=message.class_id,
        class_name=message.class_name,
        mode=message.mode,
        host=message.host,
        address=message.address,
        cpus=message.cpus,
        memory_mb=message.memory_mb,
        static_ports=tuple(message.static_ports),
        data_ports=message.data_ports,
        control_port=message.control_port,
        command=m.PlannedCommand(
            value=command.value,
            shell=command.shell,
            user=command.user,
            arguments=tuple(command.arguments),
            environment=tuple(command.environment),
            stdout=command.stdout,
            stderr=command.stderr,
            timeout_s=command.timeout_s,
        )
        if message.HasField("command")
        else None,
        channels=tuple(
            [
                m.PlannedChannel(
                    name=one.name,
                    type=one.type,
                    binds=one.binds,
                    transport=one.transport,
                    alias=one.alias,
                    target=one.target,
                    address=one.address,
                )
                for one in message.channels
            ]
        ),
        properties=dict(message.properties),
        problem=message.problem,
    )
