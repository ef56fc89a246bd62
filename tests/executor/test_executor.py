"""A real executor with real processes, commanded by a scripted core over a real link."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from executor.api.messages import Hello, Kill, Phase, Ping, Pong, Shutdown, Target, Transition
from executor.holder import accepts

FOREIGN_TASK = Path(__file__).with_name("foreign_task.py")


async def ends(pid: int, deadline_s: float = 5.0) -> bool:
    """Whether the process ends within the deadline."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, gone.set)
    try:
        async with asyncio.timeout(deadline_s):
            await gone.wait()
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def nothing_but(host, *pids: int) -> bool:
    """Whether all other processes of the instance are ending; those whose parent is gone may need a moment."""
    return all([await ends(process.pid) for process in host.processes() if process.pid not in pids])


async def becomes(pid: int, name: str, deadline_s: float = 5.0) -> None:
    """Return when the new process has become the program that it was started for."""
    async with asyncio.timeout(deadline_s):
        while await asyncio.to_thread(psutil.Process(pid).name) != name:
            pass


async def closes(port: int, deadline_s: float = 5.0) -> None:
    """Return when nobody listens on the port any more."""
    async with asyncio.timeout(deadline_s):
        while await asyncio.to_thread(accepts, port):
            pass


async def test_a_direct_task_goes_through_a_cycle_and_ends_clean(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--metrics"))
    active = await core.phase("t1", Phase.ACTIVE)
    assert active.state == "STANDBY"
    assert psutil.Process(active.pid).environ()["ALIECS_TASK_ID"] == "t1"
    for event, source, destination in (
        ("CONFIGURE", "STANDBY", "CONFIGURED"),
        ("START", "CONFIGURED", "RUNNING"),
        ("STOP", "RUNNING", "CONFIGURED"),
        ("RESET", "CONFIGURED", "STANDBY"),
    ):
        reply = await core.transition(event, source, destination, "t1", arguments={"key": event})
        assert [(r.task_id, r.state, r.error) for r in reply.results] == [("t1", destination, "")]
    await core.until(lambda: [s for s in core.samples() if (s.name, s.value, s.unit) == ("data.rate", 12.5, "B/s")])
    await core.kill("t1")
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.exit_code, ended.state) == ("TASK_FINISHED", 0, "DONE")
    # the link repeats no state that a reply told
    assert [r.phase for r in core.task_reports("t1")] == [Phase.ACTIVE, Phase.ENDED]
    # what a task wrote is in its file when its end is told; before, it may be on its way
    said = (host.folder / "tasks/t1/stdout").read_text().split()
    assert said == ["key=CONFIGURE", "key=START", "key=STOP", "key=RESET"]


async def test_sixteen_tasks_take_one_command_and_give_one_reply(core, host, spec):
    host.start()
    specs = [spec(f"t{number}") for number in range(6)]
    await core.launch(*specs)
    for one in specs:
        await core.phase(one.task_id, Phase.ACTIVE)
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", *(s.task_id for s in specs), "t99")
    assert {r.task_id: r.error for r in reply.results} == {
        **{s.task_id: "" for s in specs},
        "t99": "task t99 is not known to this executor",
    }
    killed = await core.kill(*(s.task_id for s in specs))
    assert [r.error for r in killed.results] == [""] * 6


async def test_a_task_that_is_killed_at_once_is_not_asked_first(core, host, spec):
    host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    core.send(Kill(command_id="k", task_ids=("t1",), at_once=True))
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.signal) == ("TASK_KILLED", 9)
    assert [(r.task_id, r.error) for r in (await core.reply("k")).results] == [("t1", "")]


async def test_a_task_that_crashes_at_its_start_fails_at_once_with_its_last_words(core, host, spec):
    host.start()
    began = time.monotonic()
    await core.launch(spec("t1", "-c", "import sys; sys.exit('no such detector')", value="python3"))
    ended = await core.phase("t1", Phase.ENDED)
    assert time.monotonic() - began < 10
    assert (ended.final_status, ended.exit_code, ended.state) == ("TASK_FAILED", 1, "ERROR")
    assert "was ready: exit code 1; last line on stderr: no such detector" in ended.error


async def test_a_task_that_cannot_be_started_fails_with_the_reason(core, host, spec):
    host.start()
    await core.launch(spec("t1", value="no-such-command"))
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.error) == ("TASK_FAILED", "cannot start 'no-such-command': command not found")


async def test_an_unknown_user_fails_with_the_reason(core, host, spec):
    host.start()
    await core.launch(spec("t1", user="nobody-of-that-name"))
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.error == "cannot build the command: no user 'nobody-of-that-name' on this host"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch users")
async def test_a_task_runs_as_the_user_it_names_and_still_dies_with_the_executor(core, host, spec):
    executor = host.start()
    host.folder.chmod(0o755)
    for folder in (host.folder, *host.folder.parents):
        if folder.stat().st_uid == os.geteuid() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o055)
    await core.launch(spec("b1", "60", mode="basic", value="sleep", user="nobody"))
    await core.transition("START", "CONFIGURED", "RUNNING", "b1")
    report = await core.until(lambda: [r for r in core.task_reports("b1") if r.pid])
    process = psutil.Process(report[0].pid)
    await becomes(process.pid, "sleep")
    assert process.username() == "nobody"
    os.kill(executor.pid, signal.SIGKILL)
    assert await ends(process.pid)


async def test_a_task_that_never_opens_its_port_fails_by_name_of_the_port(core, host, spec):
    host.start("--port-open-s", "0.5")
    silent = spec("t1", "--no-port")
    await core.launch(silent)
    ended = await core.phase("t1", Phase.ENDED)
    assert ended.final_status == "TASK_FAILED"
    assert ended.error == f"still alive but did not open its control port {silent.control_port} within 0.5 s"


async def test_a_task_is_not_started_where_its_control_port_is_taken_already(core, host, spec):
    host.start()
    first = spec("t1")
    await core.launch(first)
    await core.phase("t1", Phase.ACTIVE)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        await core.launch(spec("t2", control_port=first.control_port), spec("t3", control_port=port))
        for task_id, number, who in (("t2", first.control_port, "task t1"), ("t3", port, f"process {os.getpid()} (")):
            ended = await core.phase(task_id, Phase.ENDED)
            assert ended.final_status == "TASK_FAILED"
            assert ended.error.startswith(f"control port {number} is taken already by {who}")
            assert [r.pid for r in core.task_reports(task_id)] == [0]  # there never was a process
    reply = await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    assert [(r.state, r.error) for r in reply.results] == [("CONFIGURED", "")]


async def test_a_stranger_that_answers_on_the_port_of_a_task_is_found_out_and_left_alone(core, host, spec):
    """Between start and answer somebody else may come: a program of its own, or the task beside it."""
    host.start()
    silent = spec("t1", "--no-port")
    await core.launch(silent, spec("t2", value="no-such-command"))
    await core.phase("t2", Phase.ENDED)  # so the process of t1, which is started before, is there
    environment = {**os.environ, "OCC_CONTROL_PORT": str(silent.control_port)}
    stranger = await asyncio.create_subprocess_exec(sys.executable, str(FOREIGN_TASK), env=environment)
    try:
        ended = await core.phase("t1", Phase.ENDED)
        assert ended.final_status == "TASK_FAILED"
        assert ended.error.startswith(f"control port {silent.control_port} is answered by process {stranger.pid} (")
        assert ended.error.endswith("), which is not of this task")
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_task_that_starts_in_a_wrong_state_fails(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--state", "ERROR"))
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.error) == ("TASK_FAILED", "started in state ERROR, expected STANDBY")


async def test_the_end_of_a_killed_task_is_told_fast_with_its_signal(core, host, spec):
    host.start()
    await core.launch(spec("t1"), spec("t2", shell=True, value=f"true && {spec('x').value} {spec('x').arguments[0]}"))
    for task_id in ("t1", "t2"):
        active = await core.phase(task_id, Phase.ACTIVE)
        began = time.monotonic()
        os.kill(active.pid, signal.SIGKILL)
        ended = await core.phase(task_id, Phase.ENDED)
        assert time.monotonic() - began < 1
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
    (result,) = (await core.transition("START", "CONFIGURED", "RUNNING", "t1")).results
    assert time.monotonic() - began < 5  # of the 10 s that it had
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
    assert 4.9 < time.monotonic() - began < 8
    assert [r.error for r in reply.results] == [""]
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.signal) == ("TASK_KILLED", 9)
    assert not psutil.pid_exists(active.pid)


async def test_a_task_can_be_killed_before_it_is_ready(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--no-port"))
    await core.kill("t1")
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_KILLED"


async def test_sigterm_ends_all_tasks_and_then_the_executor(core, host, spec):
    executor = host.start()
    await core.launch(spec("t1"), spec("b1", "60", mode="basic", value="sleep"), spec("h1", mode="hook", value="true"))
    await core.phase("t1", Phase.ACTIVE)
    await core.transition("START", "CONFIGURED", "RUNNING", "b1")
    executor.terminate()
    assert await host.wait(executor) == 0
    assert await nothing_but(host)
    assert {t: core.task_reports(t)[-1].final_status for t in ("t1", "b1", "h1")} == {
        "t1": "TASK_FINISHED",
        "b1": "TASK_KILLED",
        "h1": "TASK_FINISHED",
    }


async def test_a_second_sigterm_ends_stubborn_tasks_at_once(core, host, spec):
    executor = host.start()
    await core.launch(spec("t1", "--ignore-sigterm", "--hang", "EXIT"))
    await core.phase("t1", Phase.ACTIVE)
    began = time.monotonic()
    executor.terminate()
    core.send(Ping(sent_ms=1))  # handled after the signal, as both are taken in turn
    await core.until(lambda: Pong(sent_ms=1) in core.reports)
    executor.terminate()
    assert await host.wait(executor) == 0
    assert time.monotonic() - began < 3
    assert await nothing_but(host)


async def test_tasks_die_with_an_executor_that_is_killed(core, host, spec):
    executor = host.start()
    await core.launch(spec("t1"), spec("b1", "60", mode="basic", value="sleep"))
    active = await core.phase("t1", Phase.ACTIVE)
    await core.transition("START", "CONFIGURED", "RUNNING", "b1")
    pid = (await core.until(lambda: [r for r in core.task_reports("b1") if r.pid]))[0].pid
    await becomes(pid, "sleep")
    os.kill(executor.pid, signal.SIGKILL)
    assert await ends(active.pid)
    assert await ends(pid)


async def test_tasks_survive_a_lost_link_and_the_next_hello_tells_them_all(core, host, spec):
    host.start()
    await core.launch(spec("t1"), spec("h1", mode="hook", shell=True, value="sleep 0.5; echo done"), spec("t2"))
    active = await core.phase("t1", Phase.ACTIVE)
    doomed = await core.phase("t2", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    await core.trigger("h1")
    await core.stop()
    os.kill(doomed.pid, signal.SIGKILL)
    assert await ends(doomed.pid)
    await core.start()
    hello = (await core.until(lambda: [r for r in core.reports if isinstance(r, Hello)][1:]))[0]
    told = {t.task_id: (t.phase, t.state, t.signal) for t in hello.tasks}
    assert told == {
        "t1": (Phase.ACTIVE, "CONFIGURED", None),
        "h1": (Phase.ACTIVE, "STANDBY", None),
        "t2": (Phase.ENDED, "ERROR", 9),
    }
    assert (await core.event("h1", 2)).termination.stdout == "done\n"
    assert hello.tasks[0].pid == active.pid
    reply = await core.transition("START", "CONFIGURED", "RUNNING", "t1")
    assert [(r.state, r.error) for r in reply.results] == [("RUNNING", "")]


async def test_a_command_that_comes_twice_is_executed_once_and_answered_alike(core, host, spec):
    host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    command = Transition(
        command_id="c1", environment_id="env", event="CONFIGURE", source="STANDBY", destination="CONFIGURED",
        targets=(Target(task_id="t1", arguments={"own": "1"}),), timeout_s=5, arguments={"common": "2"},
    )  # fmt: skip
    core.send(command)
    core.send(command)
    first = await core.reply("c1")
    core.send(command)
    await core.until(lambda: core.reports.count(first) >= 2)
    assert first.results[0].error == ""
    await core.kill("t1")
    assert sorted((host.folder / "tasks/t1/stdout").read_text().split()) == ["common=2", "own=1"]


async def test_without_a_core_tasks_end_with_their_lease(core, host, spec):
    core.lease_s = 1.0
    executor = host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    await core.stop()
    assert await host.wait(executor) == 0
    assert await nothing_but(host)
    await core.start()


async def test_a_shutdown_ends_the_executor_after_its_tasks(core, host, spec):
    executor = host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    core.send(Shutdown(kill_tasks=True))
    assert await host.wait(executor) == 0
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_FINISHED"


async def test_the_rate_of_a_stopped_source_falls_to_zero_within_two_seconds(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--metrics"))
    active = await core.phase("t1", Phase.ACTIVE)
    await core.until(lambda: [s for s in core.samples() if s.value == 12.5])
    os.kill(active.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        await core.until(lambda: core.samples()[-1].value == 0.0)
        assert time.monotonic() - began < 2
    finally:
        os.kill(active.pid, signal.SIGCONT)


async def test_a_device_of_our_own_goes_through_a_cycle(core, host, spec):
    host.start()
    await core.launch(spec("t1", "-m", "occ.samples.quality", value=sys.executable))
    assert (await core.phase("t1", Phase.ACTIVE)).state == "STANDBY"
    for event, source, destination in (("CONFIGURE", "STANDBY", "CONFIGURED"), ("RESET", "CONFIGURED", "STANDBY")):
        reply = await core.transition(event, source, destination, "t1")
        assert [(r.state, r.error) for r in reply.results] == [(destination, "")]
    await core.kill("t1")
    assert (await core.phase("t1", Phase.ENDED)).final_status == "TASK_FINISHED"
