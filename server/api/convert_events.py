"""Conversion of events between model.py and events.proto, both ways. The live picture: convert.py."""

from __future__ import annotations

from typing import cast

from server.api import common_pb2, events_pb2
from server.api import model as m
from server.api.quick import quickly

# Called by position, as in convert.py.
_task_event, _role_event, _traits = quickly(m.TaskEvent), quickly(m.RoleEvent), quickly(m.Traits)


def to_event(event: m.Event) -> events_pb2.Event:
    """Return the event as clients of AliECS get it; both time stamps are those of ``at_ms``."""
    nano = event.at_ms * 1_000_000
    match event:
        case m.TaskEvent():
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, taskEvent=_to_task_event(event))
        case m.RoleEvent():
            role = events_pb2.Ev_RoleEvent(
                name=event.name,
                status=event.status,
                state=event.state,
                rolePath=event.path,
                environmentId=event.environment_id,
            )
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, roleEvent=role)
        case m.EnvironmentEvent():
            environment = _to_environment_event(event)
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, environmentEvent=environment)
        case m.CallEvent():
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, callEvent=_to_call_event(event))
        case m.RunEvent():
            run = events_pb2.Ev_RunEvent(
                environmentId=event.environment_id,
                runNumber=event.run_number,
                state=event.state,
                error=event.error,
                transition=event.transition,
                transitionStatus=_status(event.transition_status),
                lastRequestUser=to_user(event.last_request_user),
            )
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, runEvent=run)
        case m.IntegratedServiceEvent():
            service = events_pb2.Ev_IntegratedServiceEvent(
                name=event.name,
                error=event.error,
                operationName=event.operation_name,
                operationStatus=_status(event.operation_status),
                operationStep=event.operation_step,
                operationStepStatus=_status(event.operation_step_status),
                environmentId=event.environment_id,
                payload=event.payload,
            )
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, integratedServiceEvent=service)
        case m.CoreStartEvent():
            start = events_pb2.Ev_MetaEvent_CoreStart(frameworkId=event.framework_id)
            return events_pb2.Event(timestamp=event.at_ms, timestampNano=nano, coreStartEvent=start)


def from_event(message: events_pb2.Event) -> m.Event | None:
    """Return the event; None for kinds that the console does not show (heartbeats, beam modes)."""
    kind = message.WhichOneof("Payload")
    at_ms = message.timestamp
    if kind == "taskEvent":
        task = message.taskEvent
        return _task_event(
            at_ms,
            task.name,
            task.taskid,
            task.state,
            task.status,
            task.hostname,
            task.className,
            from_traits(task.traits) if task.HasField("traits") else None,
            task.environmentId,
            task.path,
        )
    if kind == "roleEvent":
        role = message.roleEvent
        return _role_event(
            at_ms,
            role.name,
            role.rolePath,
            role.environmentId,
            role.state,
            role.status,
        )
    if kind == "environmentEvent":
        return _from_environment_event(at_ms, message.environmentEvent)
    if kind == "callEvent":
        call = message.callEvent
        return m.CallEvent(
            at_ms=at_ms,
            environment_id=call.environmentId,
            path=call.path,
            func=call.func,
            call_status=m.OpStatus(call.callStatus),
            return_name=cast(str, getattr(call, "return")),  # a keyword of Python
            traits=from_traits(call.traits) if call.HasField("traits") else None,
            output=call.output,
            error=call.error,
        )
    if kind == "runEvent":
        run = message.runEvent
        return m.RunEvent(
            at_ms=at_ms,
            environment_id=run.environmentId,
            run_number=run.runNumber,
            state=run.state,
            transition=run.transition,
            transition_status=m.OpStatus(run.transitionStatus),
            error=run.error,
            last_request_user=from_user(run.lastRequestUser) if run.HasField("lastRequestUser") else None,
        )
    if kind == "integratedServiceEvent":
        service = message.integratedServiceEvent
        return m.IntegratedServiceEvent(
            at_ms=at_ms,
            name=service.name,
            environment_id=service.environmentId,
            operation_name=service.operationName,
            operation_status=m.OpStatus(service.operationStatus),
            operation_step=service.operationStep,
            operation_step_status=m.OpStatus(service.operationStepStatus),
            payload=service.payload,
            error=service.error,
        )
    if kind == "coreStartEvent":
        return m.CoreStartEvent(at_ms=at_ms, framework_id=message.coreStartEvent.frameworkId)
    return None


def to_user(user: m.User | None) -> common_pb2.User | None:
    """Return the user, absent ids left out."""
    return None if user is None else common_pb2.User(name=user.name, externalId=user.external_id, id=user.id)


def from_user(message: common_pb2.User) -> m.User:
    """Return the user; an id that was not sent is None."""
    return m.User(
        message.name,
        message.externalId if message.HasField("externalId") else None,
        message.id if message.HasField("id") else None,
    )


def to_traits(traits: m.Traits | None) -> events_pb2.Traits | None:
    """Return the traits of a leaf role, None for None."""
    if traits is None:
        return None
    message = events_pb2.Traits(trigger=traits.trigger, timeout=traits.timeout, critical=traits.critical)
    setattr(message, "await", traits.await_)  # a keyword of Python
    return message


def from_traits(message: events_pb2.Traits) -> m.Traits:
    return _traits(message.trigger, cast(str, getattr(message, "await")), message.timeout, message.critical)


def _status(status: m.OpStatus) -> events_pb2.OpStatus.ValueType:
    return cast(events_pb2.OpStatus.ValueType, int(status))


def _to_task_event(event: m.TaskEvent) -> events_pb2.Ev_TaskEvent:
    return events_pb2.Ev_TaskEvent(
        name=event.name,
        taskid=event.task_id,
        state=event.state,
        status=event.status,
        hostname=event.host,
        className=event.class_name,
        traits=to_traits(event.traits),
        environmentId=event.environment_id,
        path=event.path,
    )


def _to_environment_event(event: m.EnvironmentEvent) -> events_pb2.Ev_EnvironmentEvent:
    template = event.workflow_template
    return events_pb2.Ev_EnvironmentEvent(
        environmentId=event.environment_id,
        state=event.state,
        runNumber=event.run_number,
        error=event.error,
        message=event.message,
        transition=event.transition,
        transitionStep=event.transition_step,
        transitionStatus=_status(event.transition_status),
        vars=event.vars,
        lastRequestUser=to_user(event.last_request_user),
        workflowTemplateInfo=None
        if template is None
        else common_pb2.WorkflowTemplateInfo(
            name=template.name, description=template.description, path=template.path, public=template.public
        ),
    )


def _from_environment_event(at_ms: int, message: events_pb2.Ev_EnvironmentEvent) -> m.EnvironmentEvent:
    template = message.workflowTemplateInfo
    return m.EnvironmentEvent(
        at_ms=at_ms,
        environment_id=message.environmentId,
        state=message.state,
        run_number=message.runNumber,
        error=message.error,
        message=message.message,
        transition=message.transition,
        transition_step=message.transitionStep,
        transition_status=m.OpStatus(message.transitionStatus),
        vars=dict(message.vars),
        last_request_user=from_user(message.lastRequestUser) if message.HasField("lastRequestUser") else None,
        workflow_template=m.TemplateReference(template.name, template.description, template.path, template.public)
        if message.HasField("workflowTemplateInfo")
        else None,
    )


def _to_call_event(event: m.CallEvent) -> events_pb2.Ev_CallEvent:
    message = events_pb2.Ev_CallEvent(
        func=event.func,
        callStatus=_status(event.call_status),
        traits=to_traits(event.traits),
        output=event.output,
        error=event.error,
        environmentId=event.environment_id,
        path=event.path,
    )
    setattr(message, "return", event.return_name)  # a keyword of Python
    return message
