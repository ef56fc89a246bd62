"""Protobuf to messages and back, for both ends of the link. On the path of every command: one branch per kind.

What a Command or Report is: messages.py; how it looks on the wire: executor.proto.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from executor.api import executor_pb2 as pb
from executor.api.messages import (
    Command,
    CommandReply,
    ControlMode,
    DeviceEvent,
    DeviceEvents,
    Forget,
    Hello,
    Kill,
    Launch,
    MetricSample,
    MetricSamples,
    OutputPiece,
    Phase,
    Ping,
    Pong,
    ReadOutput,
    Report,
    Shutdown,
    Target,
    TaskReport,
    TaskReports,
    TaskResult,
    TaskSpec,
    Termination,
    Transition,
    TriggerHooks,
    Welcome,
)
from occ.errors import LinkError


def command_to_pb(command: Command) -> pb.Command:
    """Return the wire form."""
    return _COMMAND_TO_PB[type(command)](command)


def command_from_pb(message: pb.Command) -> Command:
    """Return the value.

    Raises:
        LinkError: a kind of command that this version does not know.
    """
    kind = message.WhichOneof("body")
    if kind is None:
        raise LinkError("a command of an unknown kind", hint="core and executor differ in version")
    return _COMMAND_FROM_PB[kind](getattr(message, kind))


def report_to_pb(report: Report) -> pb.Report:
    """Return the wire form."""
    return _REPORT_TO_PB[type(report)](report)


def report_from_pb(message: pb.Report) -> Report:
    """Return the value.

    Raises:
        LinkError: a kind of report that this version does not know.
    """
    kind = message.WhichOneof("body")
    if kind is None:
        raise LinkError("a report of an unknown kind", hint="core and executor differ in version")
    return _REPORT_FROM_PB[kind](getattr(message, kind))


# ---- parts -----------------------------------------------------------------------------------


def _spec_to_pb(spec: TaskSpec) -> pb.TaskSpec:
    return pb.TaskSpec(
        task_id=spec.task_id,
        environment_id=spec.environment_id,
        class_name=spec.class_name,
        mode=spec.mode.value,
        shell=spec.shell,
        value=spec.value,
        arguments=spec.arguments,
        environment=spec.environment,
        user=spec.user,
        stdout=spec.stdout,
        stderr=spec.stderr,
        control_port=spec.control_port,
        timeout_s=spec.timeout_s,
        role_path=spec.role_path,
        detector=spec.detector,
        cpu_limit=spec.cpu_limit,
        memory_limit_mb=spec.memory_limit_mb,
    )


def _spec_from_pb(spec: pb.TaskSpec) -> TaskSpec:
    return TaskSpec(
        task_id=spec.task_id,
        environment_id=spec.environment_id,
        class_name=spec.class_name,
        mode=ControlMode.parse(spec.mode),
        shell=spec.shell,
        value=spec.value,
        arguments=tuple(spec.arguments),
        environment=tuple(spec.environment),
        user=spec.user,
        stdout=spec.stdout,
        stderr=spec.stderr,
        control_port=spec.control_port,
        timeout_s=spec.timeout_s,
        role_path=spec.role_path,
        detector=spec.detector,
        cpu_limit=spec.cpu_limit,
        memory_limit_mb=spec.memory_limit_mb,
    )


def _task_report_to_pb(report: TaskReport) -> pb.TaskReport:
    return pb.TaskReport(
        task_id=report.task_id,
        phase=_PHASE_TO_PB[report.phase],
        state=report.state,
        pid=report.pid,
        final_status=report.final_status,
        exit_code=report.exit_code,
        signal=report.signal,
        error=report.error,
        timestamp_ms=report.timestamp_ms,
        environment_id=report.environment_id,
        limits=report.limits,
    )


def _task_report_from_pb(report: pb.TaskReport) -> TaskReport:
    return TaskReport(
        task_id=report.task_id,
        environment_id=report.environment_id,
        phase=_PHASE_FROM_PB[report.phase],
        state=report.state,
        pid=report.pid,
        final_status=report.final_status,
        exit_code=report.exit_code if report.HasField("exit_code") else None,
        signal=report.signal if report.HasField("signal") else None,
        error=report.error,
        timestamp_ms=report.timestamp_ms,
        limits=report.limits,
    )


def _event_to_pb(event: DeviceEvent) -> pb.DeviceEvent:
    end = event.termination
    return pb.DeviceEvent(
        task_id=event.task_id,
        environment_id=event.environment_id,
        type=event.type,
        timestamp_ms=event.timestamp_ms,
        termination=None
        if end is None
        else pb.Termination(
            exit_code=end.exit_code,
            stdout=end.stdout,
            stderr=end.stderr,
            voluntary=end.voluntary,
            final_status=end.final_status,
        ),
    )


def _event_from_pb(event: pb.DeviceEvent) -> DeviceEvent:
    end = event.termination
    return DeviceEvent(
        task_id=event.task_id,
        environment_id=event.environment_id,
        type=event.type,
        timestamp_ms=event.timestamp_ms,
        termination=Termination(
            exit_code=end.exit_code,
            stdout=end.stdout,
            stderr=end.stderr,
            voluntary=end.voluntary,
            final_status=end.final_status,
        )
        if event.HasField("termination")
        else None,
    )


_PHASE_TO_PB = {Phase.STARTING: pb.STARTING, Phase.ACTIVE: pb.ACTIVE, Phase.ENDED: pb.ENDED}
_PHASE_FROM_PB = {number: phase for phase, number in _PHASE_TO_PB.items()}

# ---- commands --------------------------------------------------------------------------------


def _transition_to_pb(command: Transition) -> pb.Command:
    return pb.Command(
        transition=pb.Transition(
            command_id=command.command_id,
            environment_id=command.environment_id,
            event=command.event,
            source=command.source,
            destination=command.destination,
            targets=[
                pb.Target(task_id=t.task_id, arguments=t.arguments) if t.arguments else pb.Target(task_id=t.task_id)
                for t in command.targets
            ],
            timeout_s=command.timeout_s,
            arguments=command.arguments,
        )
    )


def _transition_from_pb(body: pb.Transition) -> Transition:
    return Transition(
        command_id=body.command_id,
        environment_id=body.environment_id,
        event=body.event,
        source=body.source,
        destination=body.destination,
        targets=tuple(Target(task_id=t.task_id, arguments=dict(t.arguments)) for t in body.targets),
        timeout_s=body.timeout_s,
        arguments=dict(body.arguments),
    )


_COMMAND_TO_PB: dict[type, Callable[[Any], pb.Command]] = {
    Welcome: lambda c: pb.Command(welcome=pb.Welcome(core_epoch=c.core_epoch, lease_s=c.lease_s)),
    Launch: lambda c: pb.Command(launch=pb.Launch(command_id=c.command_id, tasks=map(_spec_to_pb, c.tasks))),
    Transition: _transition_to_pb,
    TriggerHooks: lambda c: pb.Command(
        trigger_hooks=pb.TriggerHooks(command_id=c.command_id, environment_id=c.environment_id, task_ids=c.task_ids)
    ),
    Kill: lambda c: pb.Command(kill=pb.Kill(command_id=c.command_id, task_ids=c.task_ids, at_once=c.at_once)),
    Forget: lambda c: pb.Command(forget=pb.Forget(task_ids=c.task_ids)),
    Shutdown: lambda c: pb.Command(shutdown=pb.Shutdown(kill_tasks=c.kill_tasks)),
    Ping: lambda c: pb.Command(ping=pb.Ping(sent_ms=c.sent_ms)),
    ReadOutput: lambda c: pb.Command(
        read_output=pb.ReadOutput(
            request_id=c.request_id,
            task_id=c.task_id,
            stream=c.stream,
            offset=c.offset,
            lines=c.lines,
            limit_bytes=c.limit_bytes,
        )
    ),
}
_COMMAND_FROM_PB: dict[str, Callable[[Any], Command]] = {
    "welcome": lambda b: Welcome(core_epoch=b.core_epoch, lease_s=b.lease_s),
    "launch": lambda b: Launch(command_id=b.command_id, tasks=tuple(map(_spec_from_pb, b.tasks))),
    "transition": _transition_from_pb,
    "trigger_hooks": lambda b: TriggerHooks(
        command_id=b.command_id, environment_id=b.environment_id, task_ids=tuple(b.task_ids)
    ),
    "kill": lambda b: Kill(command_id=b.command_id, task_ids=tuple(b.task_ids), at_once=b.at_once),
    "forget": lambda b: Forget(task_ids=tuple(b.task_ids)),
    "shutdown": lambda b: Shutdown(kill_tasks=b.kill_tasks),
    "ping": lambda b: Ping(sent_ms=b.sent_ms),
    "read_output": lambda b: ReadOutput(
        request_id=b.request_id,
        task_id=b.task_id,
        stream=b.stream,
        offset=b.offset if b.HasField("offset") else None,
        lines=b.lines,
        limit_bytes=b.limit_bytes,
    ),
}

# ---- reports ---------------------------------------------------------------------------------


def _hello_to_pb(report: Hello) -> pb.Report:
    return pb.Report(
        hello=pb.Hello(
            executor_id=report.executor_id,
            agent_id=report.agent_id,
            host=report.host,
            pid=report.pid,
            instance=report.instance,
            version=report.version,
            tasks=map(_task_report_to_pb, report.tasks),
            started_ms=report.started_ms,
        )
    )


def _hello_from_pb(body: pb.Hello) -> Hello:
    return Hello(
        executor_id=body.executor_id,
        agent_id=body.agent_id,
        host=body.host,
        pid=body.pid,
        instance=body.instance,
        version=body.version,
        tasks=tuple(map(_task_report_from_pb, body.tasks)),
        started_ms=body.started_ms,
    )


def _reply_to_pb(report: CommandReply) -> pb.Report:
    return pb.Report(
        reply=pb.CommandReply(
            command_id=report.command_id,
            results=[pb.TaskResult(task_id=r.task_id, state=r.state, error=r.error) for r in report.results],
        )
    )


def _reply_from_pb(body: pb.CommandReply) -> CommandReply:
    results = tuple(TaskResult(task_id=r.task_id, state=r.state, error=r.error) for r in body.results)
    return CommandReply(command_id=body.command_id, results=results)


def _samples_to_pb(report: MetricSamples) -> pb.Report:
    samples = [pb.MetricSample(task_id=s.task_id, name=s.name, value=s.value, unit=s.unit) for s in report.samples]
    return pb.Report(metrics=pb.MetricSamples(samples=samples, timestamp_ms=report.timestamp_ms))


def _samples_from_pb(body: pb.MetricSamples) -> MetricSamples:
    samples = tuple(MetricSample(task_id=s.task_id, name=s.name, value=s.value, unit=s.unit) for s in body.samples)
    return MetricSamples(samples=samples, timestamp_ms=body.timestamp_ms)


_REPORT_TO_PB: dict[type, Callable[[Any], pb.Report]] = {
    Hello: _hello_to_pb,
    TaskReports: lambda r: pb.Report(tasks=pb.TaskReports(tasks=map(_task_report_to_pb, r.tasks))),
    CommandReply: _reply_to_pb,
    DeviceEvents: lambda r: pb.Report(events=pb.DeviceEvents(events=map(_event_to_pb, r.events))),
    MetricSamples: _samples_to_pb,
    Pong: lambda r: pb.Report(pong=pb.Pong(sent_ms=r.sent_ms)),
    OutputPiece: lambda r: pb.Report(
        output=pb.OutputPiece(request_id=r.request_id, offset=r.offset, size=r.size, data=r.data, error=r.error)
    ),
}
_REPORT_FROM_PB: dict[str, Callable[[Any], Report]] = {
    "hello": _hello_from_pb,
    "tasks": lambda b: TaskReports(tasks=tuple(map(_task_report_from_pb, b.tasks))),
    "reply": _reply_from_pb,
    "events": lambda b: DeviceEvents(events=tuple(map(_event_from_pb, b.events))),
    "metrics": _samples_from_pb,
    "pong": lambda b: Pong(sent_ms=b.sent_ms),
    "output": lambda b: OutputPiece(request_id=b.request_id, offset=b.offset, size=b.size, data=b.data, error=b.error),
}
