"""Events as lines that people read."""

from __future__ import annotations

from console.happenings import event_line, event_text, is_bad, is_detail
from server.api.model import CallEvent, CoreStartEvent, EnvironmentEvent, OpStatus, RoleEvent, RunEvent, TaskEvent


def test_every_kind_of_event_says_what_happened_where() -> None:
    assert event_text(
        EnvironmentEvent(at_ms=0, environment_id="2abc", transition="CONFIGURE", transition_step="leave_DEPLOYED",
                         message="transition step finished", state="DEPLOYED")
    ) == "CONFIGURE leave_DEPLOYED: transition step finished DEPLOYED"  # fmt: skip
    run = RunEvent(
        at_ms=0, environment_id="2abc", run_number=7, state="RUNNING", transition="START_ACTIVITY",
        transition_status=OpStatus.DONE_OK,
    )  # fmt: skip
    assert event_text(run) == "run 7 START_ACTIVITY ok RUNNING"
    task = TaskEvent(at_ms=0, name="repo/tasks/sink@main#2x", task_id="2x", host="flp001", state="ERROR", path="a.b")
    assert event_text(task) == "sink on flp001: ERROR (a.b)"
    assert event_text(RoleEvent(at_ms=0, name="b", path="a.b", status="ACTIVE")) == "a.b: ACTIVE"
    call = CallEvent(
        at_ms=0, environment_id="2abc", path="a.c", func="dcs.StartOfRun()", call_status=OpStatus.DONE_TIMEOUT
    )
    assert event_text(call) == "dcs.StartOfRun() TIMED OUT (a.c)"
    assert event_line(CoreStartEvent(at_ms=0, framework_id="f-1")).endswith("core     the core started f-1")


def test_what_failed_is_no_detail_and_what_everybody_would_drown_in_is_one() -> None:
    steps = EnvironmentEvent(at_ms=0, environment_id="2abc", message="transition step finished", state="ERROR")
    failed = EnvironmentEvent(at_ms=0, environment_id="2abc", message="transition step finished", error="no answer")
    broken = TaskEvent(at_ms=0, name="sink", task_id="2x", state="ERROR")
    role = RoleEvent(at_ms=0, name="b", path="a.b", state="ERROR")
    assert is_detail(steps) and not is_bad(steps)
    assert is_bad(failed) and not is_detail(failed)
    assert is_bad(broken) and not is_detail(broken)
    assert is_detail(role) and is_bad(role)
