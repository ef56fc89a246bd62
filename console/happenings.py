"""Events as lines that people read: what happened, in words. How they reach the console: store.py."""

from __future__ import annotations

from console.present import clock, short_class
from server.api.model import (
    CallEvent,
    CoreStartEvent,
    EnvironmentEvent,
    Event,
    IntegratedServiceEvent,
    OpStatus,
    RoleEvent,
    RunEvent,
    TaskEvent,
)

KINDS: dict[type[Event], str] = {
    EnvironmentEvent: "env", TaskEvent: "task", RoleEvent: "role", CallEvent: "call", RunEvent: "run",
    IntegratedServiceEvent: "service", CoreStartEvent: "core",
}  # fmt: skip
"""The short names that columns and filters use."""

STEP = "transition step"
"""How the messages about steps of a transition begin (core.md 4.4)."""

_STATUS = {OpStatus.STARTED: "started", OpStatus.ONGOING: "goes on", OpStatus.DONE_OK: "ok",
           OpStatus.DONE_ERROR: "FAILED", OpStatus.DONE_TIMEOUT: "TIMED OUT"}  # fmt: skip


def event_line(event: Event) -> str:
    """Return one line for a log, with time, kind and environment."""
    environment_id = environment_of(event)
    return f"{clock(event.at_ms)} {KINDS[type(event)]:8} {environment_id + ' ' if environment_id else ''}{event_text(event)}"


def event_text(event: Event) -> str:
    """Return what happened, without time, kind and environment."""
    match event:
        case EnvironmentEvent():
            run = f"run {event.run_number}" if event.run_number else ""
            where = _words(event.transition, event.transition_step)
            return _words(f"{where}:" if where else "", event.message, event.state, run, event.error)
        case RunEvent():
            ended = _STATUS.get(event.transition_status, "")
            return _words(f"run {event.run_number}", event.transition, ended, event.state, event.error)
        case TaskEvent():
            name = short_class((event.name or event.class_name).partition("#")[0])
            where = f"on {event.host}:" if event.host else ":"
            return _words(name, where, event.state, event.status, f"({event.path})" if event.path else "")
        case RoleEvent():
            return _words(f"{event.path or event.name}:", event.state, event.status)
        case CallEvent():
            return _words(event.func, _STATUS.get(event.call_status, ""), event.output, event.error, f"({event.path})")
        case IntegratedServiceEvent():
            step = _words(event.operation_step, _STATUS.get(event.operation_step_status, ""))
            status = _STATUS.get(event.operation_status, "")
            return _words(event.name, event.operation_name, status, step, event.error, event.payload)
        case CoreStartEvent():
            return _words("the core started", event.framework_id)


def environment_of(event: Event) -> str:
    """Return the environment that an event is about, "" for none."""
    return "" if isinstance(event, CoreStartEvent) else event.environment_id


def is_bad(event: Event) -> bool:
    """Tell whether something failed."""
    failed = (OpStatus.DONE_ERROR, OpStatus.DONE_TIMEOUT)
    match event:
        case EnvironmentEvent():
            # The teardown of what failed is no new failure.
            is_news = not event.message.startswith(STEP) and event.transition != "DESTROY"
            return bool(event.error) or (event.state == "ERROR" and is_news) or event.transition_status in failed
        case RunEvent():
            return bool(event.error) or event.transition_status in failed
        case TaskEvent() | RoleEvent():
            return event.state == "ERROR" or event.status == "UNDEPLOYABLE"
        case CallEvent():
            return bool(event.error) or event.call_status in failed
        case IntegratedServiceEvent():
            return bool(event.error) or event.operation_status in failed or event.operation_step_status in failed
        case CoreStartEvent():
            return False


def is_detail(event: Event) -> bool:
    """Tell whether an event is one of the many that only somebody who looks for them wants to see."""
    match event:
        case RoleEvent():
            return True  # its tasks say the same, and why
        case _ if is_bad(event):
            return False
        case TaskEvent():
            return True
        case EnvironmentEvent():
            return event.message.startswith(STEP)
        case CallEvent():
            return event.call_status in (OpStatus.STARTED, OpStatus.ONGOING)
        case _:
            return False


def _words(*words: str) -> str:
    return " ".join(word for word in words if word).replace(" :", ":")
