"""Conversion of transitions, under way and finished, between model.py and live.proto, both ways. Who calls: convert.py."""

from __future__ import annotations

from typing import cast

from server.api import events_pb2, live_pb2
from server.api import model as m
from server.api.kept import KeptBytes


def to_progress(value: m.TransitionProgress | None) -> live_pb2.TransitionProgress | None:
    """Return the transition in progress, None for None."""
    if value is None:
        return None
    message = live_pb2.TransitionProgress(
        event=value.event,
        step=value.step,
        started_ms=value.started_ms,
        tasks_done=value.tasks_done,
        tasks_total=value.tasks_total,
        user=value.user,
        waiting_for=value.waiting_for,
        usual_ms=value.usual_ms,
        budget_ms=value.budget_ms,
    )
    message.MergeFromString(b"".join(map(_STEP_OF_PROGRESS, value.steps)))
    return message


def from_progress(message: live_pb2.TransitionProgress) -> m.TransitionProgress:
    return m.TransitionProgress(
        event=message.event,
        step=message.step,
        started_ms=message.started_ms,
        tasks_done=message.tasks_done,
        tasks_total=message.tasks_total,
        user=message.user,
        waiting_for=message.waiting_for,
        steps=tuple([_from_step(step) for step in message.steps]),
        usual_ms=message.usual_ms,
        budget_ms=message.budget_ms,
    )


def to_history(value: m.History) -> live_pb2.History:
    return live_pb2.History(
        environment_id=value.environment_id,
        transitions=[
            live_pb2.TransitionRecord(
                event=one.event,
                source=one.source,
                reached=one.reached,
                started_ms=one.started_ms,
                ended_ms=one.ended_ms,
                user=one.user,
                error=one.error,
                run_number=one.run_number,
                steps=[_to_step(step) for step in one.steps],
            )
            for one in value.transitions
        ],
    )


def from_history(message: live_pb2.History) -> m.History:
    transitions = [
        m.TransitionRecord(
            event=one.event,
            source=one.source,
            reached=one.reached,
            started_ms=one.started_ms,
            ended_ms=one.ended_ms,
            user=one.user,
            error=one.error,
            run_number=one.run_number,
            steps=tuple([_from_step(step) for step in one.steps]),
        )
        for one in message.transitions
    ]
    return m.History(environment_id=message.environment_id, transitions=tuple(transitions))


def _to_step(value: m.Step) -> live_pb2.Step:
    return live_pb2.Step(
        name=value.name,
        status=cast(events_pb2.OpStatus.ValueType, int(value.status)),
        started_ms=value.started_ms,
        ended_ms=value.ended_ms,
        error=value.error,
        tasks_done=value.tasks_done,
        tasks_total=value.tasks_total,
        calls=[
            live_pb2.StepCall(
                path=call.path,
                func=call.func,
                critical=call.critical,
                status=cast(events_pb2.OpStatus.ValueType, int(call.status)),
                started_ms=call.started_ms,
                ended_ms=call.ended_ms,
                error=call.error,
            )
            for call in value.calls
        ],
    )


_STEP_OF_PROGRESS = KeptBytes[m.Step](lambda step: live_pb2.TransitionProgress(steps=[_to_step(step)]))
"""While tasks are counted, the steps before and after stay what they are."""


def _from_step(message: live_pb2.Step) -> m.Step:
    calls = [
        m.StepCall(
            path=call.path,
            func=call.func,
            critical=call.critical,
            status=m.OpStatus(call.status),
            started_ms=call.started_ms,
            ended_ms=call.ended_ms,
            error=call.error,
        )
        for call in message.calls
    ]
    return m.Step(
        name=message.name,
        status=m.OpStatus(message.status),
        started_ms=message.started_ms,
        ended_ms=message.ended_ms,
        error=message.error,
        tasks_done=message.tasks_done,
        tasks_total=message.tasks_total,
        calls=tuple(calls),
    )
