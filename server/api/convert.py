"""Conversion of the live picture between model.py and live.proto, both ways.

The core writes (``to_*``), the console reads (``from_*``); both run once per change, so they are plain code without
tables. Events: convert_events.py, offered here too. Others: convert_transitions.py, convert_hosts.py; replies.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from server.api import live_pb2
from server.api import model as m
from server.api.convert_events import from_event, from_traits, to_event, to_traits
from server.api.convert_hosts import from_host, to_host
from server.api.convert_transitions import from_history, from_progress, to_history, to_progress
from server.api.kept import KeptBytes
from server.api.quick import quickly

__all__ = ["from_batch", "from_event", "to_batch", "to_change", "to_event"]

# Called by position, as naming the arguments would cost a fifth of the whole; test_convert.py knows the order.
_change, _role, _task, _metric = quickly(m.Change), quickly(m.Role), quickly(m.Task), quickly(m.Metric)


def to_batch(batch: m.Batch) -> live_pb2.Batch:
    """Return the batch as it goes over the wire."""
    return live_pb2.Batch(
        epoch=batch.epoch,
        seq=batch.seq,
        part=cast(live_pb2.Part.ValueType, int(batch.part)),
        changes=[to_change(change) for change in batch.changes],
        timestamp_ms=batch.timestamp_ms,
    )


def from_batch(message: live_pb2.Batch) -> m.Batch:
    """Return the batch; kinds of changes that a newer core knows and we do not are left out."""
    changes: list[m.Change] = []
    for change in message.changes:
        value = _from_change(change)
        if value is not None:
            changes.append(_change(value, change.revision))
    return m.Batch(message.epoch, message.seq, m.Part(message.part), tuple(changes), message.timestamp_ms)


def to_change(change: m.Change) -> live_pb2.Change:
    """Return one change as it goes over the wire."""
    value, revision = change.value, change.revision
    match value:
        case m.Task():
            return live_pb2.Change(revision=revision, task=_to_task(value))
        case m.Role():
            return live_pb2.Change(revision=revision, role=_to_role(value))
        case m.Environment():
            return live_pb2.Change(revision=revision, environment=_to_environment(value))
        case m.Removal():
            removal = live_pb2.Removal(kind=cast(live_pb2.Kind.ValueType, int(value.kind)), id=value.id)
            return live_pb2.Change(revision=revision, removal=removal)
        case m.Fault():
            return live_pb2.Change(revision=revision, fault=_to_fault(value))
        case m.History():
            return live_pb2.Change(revision=revision, history=to_history(value))
        case m.Variables():
            variables = live_pb2.Variables(
                environment_id=value.environment_id,
                defaults=value.defaults,
                vars=value.vars,
                user_vars=value.user_vars,
            )
            return live_pb2.Change(revision=revision, variables=variables)
        case m.Host():
            return live_pb2.Change(revision=revision, host=to_host(value))
        case m.Service():
            service = live_pb2.Service(
                id=value.id,
                name=value.name,
                enabled=value.enabled,
                endpoint=value.endpoint,
                connection_state=value.connection_state,
            )
            return live_pb2.Change(revision=revision, service=service)
        case m.Core():
            core = live_pb2.Core(
                instance=value.instance,
                version=value.version,
                framework_id=value.framework_id,
                started_ms=value.started_ms,
                detectors=value.detectors,
                active_detectors=value.active_detectors,
                state=value.state,
            )
            return live_pb2.Change(revision=revision, core=core)
        case _:
            return live_pb2.Change(revision=revision, event=to_event(value))


def _from_change(change: live_pb2.Change) -> m.Thing | m.Removal | m.Event | None:
    kind = change.WhichOneof("change")
    reader = _READERS.get(kind) if kind is not None else None
    return None if reader is None else reader(getattr(change, cast(str, kind)))


def _to_environment(value: m.Environment) -> live_pb2.Environment:
    message = live_pb2.Environment(
        id=value.id,
        template=value.template,
        description=value.description,
        state=value.state,
        created_ms=value.created_ms,
        state_since_ms=value.state_since_ms,
        run_number=value.run_number,
        run_start_ms=value.run_start_ms,
        transition=to_progress(value.transition),
        detectors=value.detectors,
        hosts=value.hosts,
        flps=value.flps,
        tasks_total=value.tasks_total,
        tasks_active=value.tasks_active,
        tasks_ok=value.tasks_ok,
        tasks_error=value.tasks_error,
        bytes_moved=value.bytes_moved,
        bytes_per_s=value.bytes_per_s,
        owner=live_pb2.User(name=value.owner.name, external_id=value.owner.external_id or 0),
        last_user=live_pb2.User(name=value.last_user.name, external_id=value.last_user.external_id or 0),
        run_type=value.run_type,
        public=value.public,
        user_vars=value.user_vars,
        last_run_number=value.last_run_number,
    )
    message.MergeFromString(_MOVES(value.moves))
    return message


_MOVES = KeptBytes[tuple[m.Move, ...]](
    lambda moves: live_pb2.Environment(moves=[live_pb2.Move(event=move.event, reason=move.reason) for move in moves])
)


def _from_environment(message: live_pb2.Environment) -> m.Environment:
    return m.Environment(
        id=message.id,
        template=message.template,
        description=message.description,
        state=message.state,
        created_ms=message.created_ms,
        state_since_ms=message.state_since_ms,
        run_number=message.run_number,
        run_start_ms=message.run_start_ms,
        transition=from_progress(message.transition) if message.HasField("transition") else None,
        detectors=tuple(message.detectors),
        hosts=message.hosts,
        flps=message.flps,
        tasks_total=message.tasks_total,
        tasks_active=message.tasks_active,
        tasks_ok=message.tasks_ok,
        tasks_error=message.tasks_error,
        bytes_moved=message.bytes_moved,
        bytes_per_s=message.bytes_per_s,
        owner=m.User(message.owner.name, message.owner.external_id or None),
        last_user=m.User(message.last_user.name, message.last_user.external_id or None),
        run_type=message.run_type,
        public=message.public,
        user_vars=dict(message.user_vars),
        moves=tuple(m.Move(move.event, move.reason) for move in message.moves),
        last_run_number=message.last_run_number,
    )


def _to_role(value: m.Role) -> live_pb2.Role:
    return live_pb2.Role(
        environment_id=value.environment_id,
        path=value.path,
        parent=value.parent,
        name=value.name,
        kind=value.kind,
        state=value.state,
        status=value.status,
        critical=value.critical,
        task_id=value.task_id,
        order=value.order,
        traits=to_traits(value.traits),
        parent_order=value.parent_order,
    )


def _from_role(message: live_pb2.Role) -> m.Role:
    return _role(
        message.environment_id,
        message.path,
        message.parent,
        message.name,
        message.kind,
        message.state,
        message.status,
        message.critical,
        message.task_id,
        message.order,
        from_traits(message.traits) if message.HasField("traits") else None,
        message.parent_order if message.HasField("parent_order") else None,
    )


def _to_task(value: m.Task) -> live_pb2.Task:
    return live_pb2.Task(
        task_id=value.task_id,
        name=value.name,
        class_name=value.class_name,
        environment_id=value.environment_id,
        path=value.path,
        host=value.host,
        state=value.state,
        status=value.status,
        critical=value.critical,
        pid=value.pid,
        locked=value.locked,
        claimable=value.claimable,
        error=value.error,
        exit_code=value.exit_code,
        signal=value.signal,
        state_since_ms=value.state_since_ms,
        metrics=[live_pb2.Metric(name=metric.name, value=metric.value, unit=metric.unit) for metric in value.metrics],
        sandbox_stdout=value.sandbox_stdout,
        mode=value.mode,
        limits=value.limits,
    )


def _from_task(message: live_pb2.Task) -> m.Task:
    return _task(
        message.task_id,
        message.name,
        message.class_name,
        message.environment_id,
        message.path,
        message.host,
        message.state,
        message.status,
        message.critical,
        message.pid,
        message.locked,
        message.claimable,
        message.error,
        message.exit_code if message.HasField("exit_code") else None,
        message.signal if message.HasField("signal") else None,
        message.state_since_ms,
        tuple([_metric(metric.name, metric.value, metric.unit) for metric in message.metrics[:]]),
        message.sandbox_stdout,
        message.mode,
        message.limits,
    )


def _to_fault(value: m.Fault) -> live_pb2.Fault:
    return live_pb2.Fault(
        environment_id=value.environment_id,
        timestamp_ms=value.at_ms,
        what=value.what,
        role=value.role,
        task_id=value.task_id,
        task=value.task,
        host=value.host,
        during=value.during,
        cause=value.cause,
        hint=value.hint,
    )


def _from_fault(message: live_pb2.Fault) -> m.Fault:
    return m.Fault(
        environment_id=message.environment_id,
        at_ms=message.timestamp_ms,
        what=message.what,
        role=message.role,
        task_id=message.task_id,
        task=message.task,
        host=message.host,
        during=message.during,
        cause=message.cause,
        hint=message.hint,
    )


def _from_core(message: live_pb2.Core) -> m.Core:
    return m.Core(
        instance=message.instance,
        version=message.version,
        framework_id=message.framework_id,
        started_ms=message.started_ms,
        detectors=tuple(message.detectors),
        active_detectors=tuple(message.active_detectors),
        state=message.state,
    )


_KINDS = frozenset(m.Kind)

_READERS: dict[str, Callable[[Any], m.Thing | m.Removal | m.Event | None]] = {
    "core": _from_core,
    "environment": _from_environment,
    "role": _from_role,
    "task": _from_task,
    "host": from_host,
    "service": lambda it: m.Service(
        id=it.id, name=it.name, enabled=it.enabled, endpoint=it.endpoint, connection_state=it.connection_state
    ),
    "fault": _from_fault,
    "removal": lambda it: m.Removal(m.Kind(it.kind), it.id) if it.kind in _KINDS else None,
    "variables": lambda it: m.Variables(
        environment_id=it.environment_id, defaults=dict(it.defaults), vars=dict(it.vars), user_vars=dict(it.user_vars)
    ),
    "history": from_history,
    "event": from_event,
}
