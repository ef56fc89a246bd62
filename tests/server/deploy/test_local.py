"""What is of its own in the local backend, with real executors and real tasks; what holds for all: test_backends.py."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from deploy_ear import DEADLINE_S, Ear
from deploy_stages import LocalStage, settled
from free_ports import free_port

from executor.api.messages import ControlMode, TriggerHooks
from executor.api.options import ExecutorOptions
from occ.errors import LinkError, RefusedError
from server.deploy import executors
from server.deploy.backend import Demand, ExecutorState, KnownExecutor
from server.deploy.link import MAX_PATH, socket_path
from server.deploy.local import LocalBackend
from server.deploy.processes import spawn
from server.deploy.ranges import count
from server.ids import new_id


async def with_program(local: LocalStage, *command: str, **times: float) -> tuple[LocalBackend, Ear]:
    """Begin a life of the core that starts something else for an executor."""
    local.command = command
    return await local.start(**times)


async def test_an_executor_has_a_session_of_its_own_and_nothing_else_is_started(local: LocalStage) -> None:
    backend, ear = await local.start()
    await local.launch(backend, ear, "t1")
    host = local.info(backend)
    assert host.pid == ear.hellos[0].pid == local.known[host.executor_id].pid == os.getsid(host.pid)
    assert sorted(local.processes()) == sorted([host.pid, ear.tasks["t1"].pid])


async def test_the_end_of_an_executor_is_seen_soon(local: LocalStage) -> None:
    backend, ear = await local.start(heartbeat_s=600.0, silent_s=600.0)
    await local.launch(backend, ear, "t1")
    os.kill(local.info(backend).pid, signal.SIGKILL)
    await ear.until(lambda: ear.lost)


@pytest.mark.parametrize("core_is_there", [True, False])
async def test_what_tasks_started_below_themselves_ends_with_a_killed_executor_too(
    local: LocalStage, core_is_there: bool
) -> None:
    backend, ear = await local.start()
    # The parent-death signal is for the shell alone; one of its children is even in a session of its own.
    spec = msgspec.structs.replace(
        local.spec(backend, "flp001", "h1", Demand(), ControlMode.HOOK),
        value="sleep 600 & setsid sleep 600 & sleep 600", arguments=(), shell=True,
    )  # fmt: skip
    await backend.launch("flp001", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("h1"))
    pid = local.info(backend).pid
    assert backend.send("flp001", TriggerHooks(command_id="c1", environment_id="2env", task_ids=("h1",)))
    await ear.until(lambda: ear.replies)
    await settled(lambda: len(local.processes()) >= 5)  # the shell does not tell
    if not core_is_there:
        await backend.close()
    os.kill(pid, signal.SIGKILL)
    if not core_is_there:
        await asyncio.to_thread(os.waitpid, pid, 0)
        _, ear = await local.start()
    await ear.until(lambda: ear.lost)
    await local.empty()


async def test_executors_are_started_with_what_is_asked_of_them(local: LocalStage) -> None:
    local.options = ExecutorOptions(output_file_bytes=100, output_older_files=1)
    backend, ear = await local.start()
    hook = msgspec.structs.replace(
        local.spec(backend, "flp001", "h1", Demand(), ControlMode.HOOK), value="seq 300", arguments=(), shell=True
    )
    await backend.launch("flp001", "o1", [hook], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("h1"))
    backend.send("flp001", TriggerHooks(command_id="c1", environment_id="2env", task_ids=("h1",)))
    await ear.until(lambda: ear.tasks["h1"].exit_code == 0)
    kept = sorted(path.name for path in (local.folder / "tasks/h1").glob("stdout*"))
    assert kept == ["stdout", "stdout.1", "stdout.turns"]


async def test_an_executor_that_ended_while_no_core_was_there_is_lost_at_the_start_with_all_it_left(
    local: LocalStage,
) -> None:
    backend, ear = await local.start()
    await local.launch(backend, ear, "t1")
    executor_id, pid = local.info(backend).executor_id, local.info(backend).pid
    await backend.close()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pid, 0)
    again, new_ear = await local.start()
    assert new_ear.lost == [
        ("flp001", executor_id, f"executor {executor_id} on host flp001 ended while no core was there")
    ]
    await local.empty()
    assert local.info(again).state is ExecutorState.LOST


@pytest.mark.parametrize("is_killed", [False, True])
async def test_an_executor_that_is_heard_before_its_pid_is_told_is_lost_once(
    local: LocalStage, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    may_tell = threading.Event()

    def spawn_late(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        pid = spawn(argv, environment, log)
        may_tell.wait(DEADLINE_S)
        return pid

    monkeypatch.setattr(executors, "spawn", spawn_late)
    backend, ear = await local.start()
    await backend.restart("flp001", "was started", at_once=True)
    if is_killed:
        os.kill(ear.hellos[0].pid, signal.SIGKILL)
        await ear.until(lambda: ear.lost)
    may_tell.set()
    await settled(lambda: not backend._executors._work)
    if not is_killed:
        assert next(iter(local.known.values())).pid == ear.hellos[0].pid
        os.kill(ear.hellos[0].pid, signal.SIGKILL)
        await ear.until(lambda: ear.lost)
    await local.launch(backend, ear, "t1")
    assert len(ear.lost) == 1
    assert list(local.known) == [local.info(backend).executor_id]


async def test_a_pid_that_another_process_has_now_is_not_mistaken_for_the_executor(local: LocalStage) -> None:
    local.known["x1"] = KnownExecutor(host="flp001", executor_id="x1", agent_id="a1", pid=os.getpid(), started_ticks=1)
    _, ear = await local.start()
    assert [lost[1] for lost in ear.lost] == ["x1"]


async def test_an_executor_that_does_not_come_back_in_time_is_ended(local: LocalStage) -> None:
    backend, ear = await local.start()
    await local.launch(backend, ear, "t1")
    pid = local.info(backend).pid
    await backend.close()
    os.kill(pid, signal.SIGSTOP)
    again, new_ear = await local.start(reattach_s=0.3)
    assert local.info(again).state is ExecutorState.SILENT
    await new_ear.until(lambda: new_ear.lost)
    assert new_ear.lost[0][2].endswith("did not come back within 0.3 s")
    await local.empty()


async def test_an_executor_of_which_no_pid_was_noted_is_known_by_its_hello(local: LocalStage) -> None:
    backend, ear = await local.start()
    await local.launch(backend, ear, "t1")
    executor_id, pid = local.info(backend).executor_id, local.info(backend).pid
    await backend.close()
    local.known[executor_id] = KnownExecutor(host="flp001", executor_id=executor_id, agent_id="a")
    again, new_ear = await local.start()
    await new_ear.until(lambda: new_ear.hellos)
    assert (local.info(again).pid, local.info(again).state) == (pid, ExecutorState.ATTACHED)
    await new_ear.until(lambda: local.known[executor_id].pid == pid)


async def test_drain_kills_an_executor_that_does_not_end(local: LocalStage) -> None:
    backend, ear = await local.start(drain_s=0.5)
    await local.launch(backend, ear, "t1")
    os.kill(local.info(backend).pid, signal.SIGSTOP)
    await backend.drain()
    await local.empty()


async def test_a_restarted_executor_is_another_one_and_its_tasks_have_ended(local: LocalStage) -> None:
    backend, ear = await local.start()
    await local.launch(backend, ear, "t1")
    before = local.info(backend)
    await backend.restart("flp001", "was restarted by a test", at_once=False)
    after = local.info(backend)
    assert (after.state, len(local.processes())) == (ExecutorState.ATTACHED, 1)
    assert after.pid != before.pid and after.executor_id != before.executor_id
    assert [hello.executor_id for hello in ear.hellos] == [before.executor_id, after.executor_id]
    reason = f"executor {before.executor_id} on host flp001 was restarted by a test"
    assert ear.lost == [("flp001", before.executor_id, reason)]
    assert list(local.known) == [after.executor_id]
    await local.launch(backend, ear, "t2")


@pytest.mark.parametrize("how", ["silent", "not silent yet"])
async def test_an_executor_that_hangs_is_restarted_nevertheless(local: LocalStage, how: str) -> None:
    times = {"silent_s": 0.3, "drain_s": 60.0} if how == "silent" else {"silent_s": 60.0, "drain_s": 6.0}
    backend, ear = await local.start(heartbeat_s=0.05, **times)
    await local.launch(backend, ear, "t1")
    before = local.info(backend)
    os.kill(before.pid, signal.SIGSTOP)
    if how == "silent":
        await ear.until(lambda: local.info(backend).state is ExecutorState.SILENT)
    await backend.restart("flp001", "was restarted", at_once=True)
    await settled(lambda: local.info(backend).state is ExecutorState.ATTACHED)  # the new one may be silent for a moment
    assert local.processes() == [local.info(backend).pid]
    assert before.pid != local.info(backend).pid


async def test_a_host_without_an_executor_gets_one_by_a_restart(local: LocalStage) -> None:
    backend, ear = await local.start()
    await backend.restart("flp002", "was restarted", at_once=False)
    assert local.info(backend, "flp002").state is ExecutorState.ATTACHED
    assert (len(ear.hellos), ear.lost) == (1, [])


async def test_an_executor_that_cannot_be_started_again_says_so(local: LocalStage) -> None:
    backend, _ = await with_program(local, "/bin/false")
    with pytest.raises(LinkError, match="ended with exit code 1 before it attached"):
        await backend.restart("flp001", "was restarted", at_once=False)


async def test_a_launch_for_a_silent_executor_waits_until_it_is_back(local: LocalStage) -> None:
    backend, ear = await local.start(heartbeat_s=0.05, silent_s=0.3)
    await local.launch(backend, ear, "t1")
    os.kill(local.info(backend).pid, signal.SIGSTOP)
    await ear.until(lambda: local.info(backend).state is ExecutorState.SILENT)
    spec = local.spec(backend, "flp001", "t2")
    launch = asyncio.ensure_future(backend.launch("flp001", "o1", [spec], "c2", timeout_s=DEADLINE_S))
    await asyncio.sleep(0)
    assert not launch.done()
    os.kill(local.info(backend).pid, signal.SIGCONT)
    await launch
    await ear.until(lambda: ear.is_active("t2"))


async def test_a_launch_that_was_under_way_when_the_link_broke_is_sent_again_and_starts_its_task_once(
    local: LocalStage,
) -> None:
    backend, ear = await local.start()
    await local.launch(backend, ear, "t1")
    link = backend._hosts["flp001"].link
    assert link is not None
    spec = local.spec(backend, "flp001", "t2")
    await backend.launch("flp001", "o1", [spec], "c2", timeout_s=DEADLINE_S)
    link.drop()
    await ear.until(lambda: len(ear.hellos) == 2 and ear.is_active("t2"))
    assert ear.silent == ["flp001"] and ear.lost == []
    assert len(local.processes()) == 3


async def test_an_executor_that_cannot_start_says_why(local: LocalStage) -> None:
    backend, ear = await with_program(local, "/no/such/executor")
    spec = local.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match=r"could not be started: .*No such file"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)
    assert len(ear.lost) == 1


async def test_an_executor_that_ends_before_it_attached_says_its_last_words(local: LocalStage) -> None:
    backend, _ = await with_program(local, sys.executable, "-c", "import sys; sys.exit('no licence')")
    spec = local.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match="ended with exit code 1 before it attached: no licence"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)
    assert local.info(backend).state is ExecutorState.LOST


async def test_an_executor_that_never_attaches_is_ended(local: LocalStage) -> None:
    backend, _ = await with_program(local, sys.executable, "-c", "import time; time.sleep(60)", attach_s=0.3)
    spec = local.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match=r"did not attach within 0\.3 s"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)
    await local.empty()


async def test_a_launch_has_its_own_deadline(local: LocalStage) -> None:
    backend, _ = await with_program(local, sys.executable, "-c", "import time; time.sleep(60)")
    spec = local.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match=r"no executor attached on host flp001 within 0\.2 s"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=0.2)


async def test_hosts_of_this_machine_share_its_ports(local: LocalStage) -> None:
    backend, _ = await local.start()
    port = free_port()
    backend.reserve("flp001", "t1", Demand(static_ports=[port]))
    with pytest.raises(RefusedError, match=f"port {port} is used by another task"):
        backend.reserve("flp002", "t2", Demand(static_ports=[port]))


async def test_restored_tasks_hold_their_ports_and_resources(local: LocalStage) -> None:
    backend, _ = await local.start()
    before = (await backend.offers())[0]
    backend.occupy("flp001", "t1", Demand(cpus=1.0), [9000, 30000])
    after = (await backend.offers())[0]
    assert (after.cpus, count(after.ports)) == (before.cpus - 1, count(before.ports) - 2)


async def test_a_host_that_left_the_inventory_is_offered_no_more(local: LocalStage) -> None:
    backend, _ = await local.start()
    del local.hosts[0]
    assert [one.host for one in await backend.offers()] == ["flp002"]


def test_a_path_too_long_for_a_socket_is_replaced_by_the_same_short_one_each_time(tmp_path: Path) -> None:
    assert socket_path(Path("/tmp/x")) == Path("/tmp/x/executors.sock")
    deep, other = socket_path(tmp_path / ("d" * 90)), socket_path(tmp_path / ("e" * 90))
    try:
        assert len(os.fsencode(deep)) <= MAX_PATH
        assert socket_path(tmp_path / ("d" * 90)) == deep != other
    finally:
        deep.parent.rmdir()
        other.parent.rmdir()
