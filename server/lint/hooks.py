"""When task hooks and calls act: moments, weights, timeouts, functions of services (core.md 2.8)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import NamedTuple

from server.api.states import EnvironmentEvent, EnvironmentState
from server.lint.expressions import Fault, analyse_body
from server.template.duration import parse_duration
from server.template.scope import Function
from server.workflow.findings import UNKNOWN

MOMENTS = frozenset({
    *(f"{when}_{event.value}" for when in ("before", "after") for event in EnvironmentEvent),
    *(f"{when}_{state.value}" for when in ("enter", "leave") for state in EnvironmentState),
    *(event.value for event in EnvironmentEvent), *(state.value for state in EnvironmentState),
})  # fmt: skip
"""Every name of a moment (workflows-config.md 2.6)."""

CALLS: dict[str, tuple[str, ...]] = {
    "bookkeeping": (
        "StartOfRun", "UpdateRunStart", "UpdateRunStop", "CreateEnv", "UpdateEnv", "RetrieveFillInfo",
    ),
    "ccdb": ("RunStart", "RunStop"),
    "dcs": ("PrepareForRun", "StartOfRun", "EndOfRun", "Cleanup"),
    "ddsched": ("PartitionInitialize", "PartitionTerminate", "EnsureTermination"),
    "kafka": ("PublishEnterStateUpdate", "PublishLeaveStateUpdate", "PublishStartActivityUpdate"),
    "lhc": ("UpdateFillInfo",),
    "odc": (
        "PartitionInitialize", "Configure", "Reset", "PartitionTerminate", "Start", "Stop", "EnsureStop", "EnsureCleanup",
        "PreDeploymentCleanup", "EnsureCleanupLegacy",
    ),
    "testplugin": ("Noop", "Test", "TimestampObserver", "CallOrderObserver"),
    "trg": (
        "PrepareForRun", "RunLoad", "RunStart", "RunStop", "RunUnload", "Cleanup", "EnsureRunStop", "EnsureRunUnload",
    ),
}  # fmt: skip
"""Functions that calls may name, by service (workflows-config.md 6.4)."""
CALL_OBJECTS = {service: {name: Function((), lambda: "") for name in functions} for service, functions in CALLS.items()}


class Trouble(NamedTuple):
    """A finding about one of the fields of a hook or a call."""

    rule: str
    key: str
    message: str
    hint: str = ""


def look_at_hook(trigger: str, await_: str, timeout: str, *, is_call: bool) -> Iterator[Trouble]:
    """Yield what is wrong with the rendered fields of a task or call role."""
    if not trigger and is_call:
        yield Trouble("call-without-trigger", "func", "a call without trigger never runs")
    if await_ and not trigger:
        yield Trouble("await-without-trigger", "await", "await is not used without trigger")
    for key, text in (("trigger", trigger), ("await", await_)):
        if text and UNKNOWN not in text:
            yield from _look_at_moment(key, text)
    if timeout and UNKNOWN not in timeout and parse_duration(timeout) is None:
        yield Trouble("bad-timeout", "timeout", f"timeout {timeout!r} is no duration", "write it like 30s or 1m30s")


def _look_at_moment(key: str, text: str) -> Iterator[Trouble]:
    cut = max(text.rfind("+"), text.rfind("-"))
    name, weight = (text, "") if cut < 0 else (text[:cut], text[cut:])
    if weight and not (weight[1:].isdecimal() and weight[1:].isascii()):
        yield Trouble("bad-weight", key, f"{key} {text!r}: the weight {weight!r} is no number, it counts as +0")
    if name not in MOMENTS:
        near = difflib.get_close_matches(name, sorted(MOMENTS), 3)
        hint = f"near are {', '.join(near)}" if near else "a moment is like before_CONFIGURE or enter_RUNNING"
        yield Trouble("unknown-moment", key, f"{key} {text!r} names no moment: it never comes", hint)


def look_at_function(func: str) -> Iterator[Fault]:
    """Yield what is wrong with the function of a call, whose offsets are in ``func``."""
    if UNKNOWN in func:
        return
    if not func.strip():
        yield Fault("unknown-call", "the call names no function", 0)
        return
    for fault in analyse_body(func, CALL_OBJECTS).faults:
        rule = "unknown-call" if fault.rule == "unknown-function" else fault.rule
        yield fault._replace(rule=rule)
