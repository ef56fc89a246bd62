"""A real executor with real processes, commanded by a scripted core over a real link."""

from __future__ import annotations

import os
import signal
import sys
import time

import psutil
from process_ends import becomes, ends, nothing_but

from executor.api.messages import Hello, Kill, Phase, Ping, Pong, Shutdown, Target, Transition


async def test_a_direct_task_goes_through_a_cycle_and_ends_clean(core, host, spec):
    host.start()
    # deaf to signals, so that the ladder leaves it time to end by itself, with its own exit code
    await core.launch(spec("t1", "--metrics", "--ignore-sigterm"))
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


DEAF = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.execv(sys.argv[1], sys.argv[1:])
"""


async def test_what_the_executor_inherits_of_signals_hides_no_end_and_makes_no_task_deaf(core, host, spec):
    host.start(through=[sys.executable, "-c", DEAF])
    await core.launch(spec("h1", mode="hook", shell=True, value="kill $$; exit 3"))
    assert (await core.trigger("h1")).results[0].error == ""
    event = await core.event("h1", 2)
    assert (event.termination.exit_code, event.termination.final_status) == (-1, "TASK_FAILED")
    await core.until(lambda: [r for r in core.task_reports("h1") if r.signal == signal.SIGTERM])


async def test_a_task_that_is_killed_at_once_is_not_asked_first(core, host, spec):
    host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    core.send(Kill(command_id="k", task_ids=("t1",), at_once=True))
    ended = await core.phase("t1", Phase.ENDED)
    assert (ended.final_status, ended.signal) == ("TASK_KILLED", 9)
    assert [(r.task_id, r.error) for r in (await core.reply("k")).results] == [("t1", "")]


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
    assert time.monotonic() - began < 8  # of the 10 s that the ladder takes
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
    waiting = f"until test -e {host.folder}/go; do sleep 0.1; done; echo done"
    await core.launch(spec("t1"), spec("h1", mode="hook", shell=True, value=waiting), spec("t2"))
    active = await core.phase("t1", Phase.ACTIVE)
    doomed = await core.phase("t2", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1")
    await core.trigger("h1")
    await core.stop()
    os.kill(doomed.pid, signal.SIGKILL)
    await host.logs("task=t2 exit_code=None signal=9")
    (host.folder / "go").touch()
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
        targets=(Target(task_id="t1", arguments={"own": "1"}),), timeout_s=45, arguments={"common": "2"},
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
    executor = host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    await core.stop()
    core.lease_s = 6.0  # not before: the start of a task may take longer
    await core.start()
    core.send(Ping(sent_ms=1))
    await core.until(lambda: Pong(sent_ms=1) in core.reports)
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


async def test_the_rate_of_a_stopped_source_falls_to_zero_soon(core, host, spec):
    host.start()
    await core.launch(spec("t1", "--metrics"))
    active = await core.phase("t1", Phase.ACTIVE)
    await core.until(lambda: [s for s in core.samples() if s.value == 12.5])
    os.kill(active.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        await core.until(lambda: [s.value for s in core.samples() if s.name == "data.rate"][-1] == 0.0)
        assert time.monotonic() - began < 20
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
