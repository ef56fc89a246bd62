"""What real tasks do and suffer under a real executor: transitions, hooks, ends."""

from __future__ import annotations

import os
import signal
import time

import psutil
from process_ends import closes, ends, nothing_but

from executor.api.messages import Phase


async def test_the_end_of_a_killed_task_is_told_soon_with_its_signal(core, host, spec):
    host.start()
    await core.launch(spec("t1"), spec("t2", shell=True, value=f"true && {spec('x').value} {spec('x').arguments[0]}"))
    for task_id in ("t1", "t2"):
        active = await core.phase(task_id, Phase.ACTIVE)
        began = time.monotonic()
        os.kill(active.pid, signal.SIGKILL)
        ended = await core.phase(task_id, Phase.ENDED)
        assert time.monotonic() - began < 10
        assert ended.final_status == "TASK_FAILED"
        if task_id == "t1":
            assert (ended.exit_code, ended.signal) == (None, 9)
            assert ended.error.startswith("killed by signal 9 (SIGKILL)")
        else:
            assert ended.exit_code == 137  # as the shell tells it


async def test_a_task_that_dies_in_a_transition_fails_the_command_with_how_it_ended(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--die", "CONFIGURE"))
    await core.phase("t1", Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    assert reply.results[0].error == "ended during CONFIGURE: killed by signal 9 (SIGKILL)"


async def test_a_transition_that_hangs_is_answered_at_its_timeout_and_the_task_can_be_killed(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--hang", "CONFIGURE"))
    await core.phase("t1", Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1", timeout_s=0.3)
    assert [(r.state, r.error) for r in reply.results] == [("STANDBY", "CONFIGURE timed out")]
    assert [r.error for r in (await core.kill("t1")).results] == [""]


async def test_a_task_that_closes_its_port_and_lives_on_is_told_by_the_next_command_and_can_be_killed(core, host, spec):
    host.start()
    silent = spec("t1", "--close-after", "CONFIGURE")
    await core.launch(silent)
    active = await core.phase("t1", Phase.ACTIVE)
    configured = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    assert [(r.state, r.error) for r in configured.results] == [("CONFIGURED", "")]
    await closes(silent.control_port)
    began = time.monotonic()
    (result,) = (await core.transition("START", "CONFIGURED", "RUNNING", "t1", timeout_s=60.0)).results
    assert time.monotonic() - began < 30  # of the 60 s that it had
    assert result.state == "CONFIGURED"
    assert result.error.startswith(f"START failed: task at 127.0.0.1:{silent.control_port}: UNAVAILABLE: ")
    assert psutil.pid_exists(active.pid)
    assert [r.error for r in (await core.kill("t1")).results] == [""]
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.signal) == ("TASK_KILLED", 15)


async def test_a_failed_transition_tells_what_the_task_answered(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--fail", "CONFIGURE"))
    await core.phase("t1", Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    wanted = "CONFIGURE should have led to CONFIGURED: ok=false trigger=DEVICE_ERROR event=CONFIGURE state=ERROR"
    assert [(r.state, r.error) for r in reply.results] == [("ERROR", wanted)]
    wrong_source = await core.transition("RESET", "STANDBY", "STANDBY", "t1")
    assert wrong_source.results[0].error.startswith("RESET failed: ")
    assert wrong_source.results[0].error.endswith("is ERROR, not STANDBY")


async def test_an_error_of_a_running_task_is_told_by_state_and_event(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--error-after-start"))
    await core.phase("t1", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    await core.transition("START", "CONFIGURED", "RUNNING", "t1")
    await core.until(lambda: core.task_reports("t1")[-1].state == "ERROR")
    assert (await core.event("t1", 3)).environment_id == "env"


async def test_a_hook_gives_its_exit_code_and_output(core, host, spec):
    host.start()
    await core.launch(spec("h1", mode="hook", shell=True, value="echo said; echo warned >&2; exit 3"))
    assert (await core.phase("h1", Phase.ACTIVE)).state == "STANDBY"
    assert [(r.state, r.error) for r in (await core.trigger("h1")).results] == [("STANDBY", "")]
    end = (await core.event("h1", 2)).termination
    assert (end.exit_code, end.stdout, end.stderr, end.voluntary) == (3, "said\n", "warned\n", True)
    assert end.final_status == "TASK_FAILED"
    configured = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "h1")
    assert [(r.state, r.error) for r in configured.results] == [("CONFIGURED", "")]
    await core.kill("h1")
    assert (await core.phase("h1", Phase.ENDED)).final_status == "TASK_FINISHED"


async def test_a_hook_is_killed_at_its_timeout_with_its_children(core, host, spec):
    host.start()
    await core.launch(spec("h1", mode="hook", shell=True, value="sleep 61 & sleep 62", timeout_s=0.3))
    await core.phase("h1", Phase.ACTIVE)
    await core.trigger("h1")
    end = (await core.event("h1", 2)).termination
    assert (end.exit_code, end.voluntary, end.final_status) == (-1, True, "TASK_FAILED")
    assert "killed after its timeout of 0.3 s" in end.stderr
    assert await nothing_but(host, host.executors[0].pid)


async def test_a_basic_task_runs_from_start_to_stop(core, host, spec):
    host.start()
    await core.launch(spec("b1", "60", mode="basic", value="sleep"))
    await core.phase("b1", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "b1")
    started = await core.transition("START", "CONFIGURED", "RUNNING", "b1")
    assert [(r.state, r.error) for r in started.results] == [("RUNNING", "")]
    pid = (await core.until(lambda: [r for r in core.task_reports("b1") if r.pid]))[0].pid
    stopped = await core.transition("STOP", "RUNNING", "CONFIGURED", "b1")
    assert [(r.state, r.error) for r in stopped.results] == [("CONFIGURED", "")]
    assert await ends(pid)
    end = (await core.event("b1", 2)).termination
    assert (end.exit_code, end.voluntary, end.final_status) == (-1, False, "TASK_KILLED")
    again = await core.transition("START", "CONFIGURED", "RUNNING", "b1")
    assert [(r.state, r.error) for r in again.results] == [("RUNNING", "")]
    await core.kill("b1")
    assert (await core.phase("b1", Phase.ENDED)).final_status == "TASK_KILLED"


async def test_a_task_that_ignores_sigterm_is_killed_by_sigkill_after_five_seconds(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--ignore-sigterm", "--fail", "EXIT"))
    active = await core.phase("t1", Phase.ACTIVE)
    began = time.monotonic()
    reply = await core.kill("t1")
    assert 4.9 < time.monotonic() - began < 30
    assert [r.error for r in reply.results] == [""]
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.signal) == ("TASK_KILLED", 9)
    assert not psutil.pid_exists(active.pid)


async def test_a_task_can_be_killed_before_it_is_ready(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--no-port"))
    await core.kill("t1")
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_KILLED"
