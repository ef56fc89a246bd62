"""The local backend with real executors and real tasks on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from deploy_ear import DEADLINE_S, DEVICE, Ear

from executor.api.messages import (
    ControlMode,
    Target,
    TaskSpec,
    Transition,
    TriggerHooks,
)
from executor.api.options import ExecutorOptions
from occ.errors import LinkError, RefusedError
from server.deploy.backend import Demand, ExecutorState, HostInfo, KnownExecutor
from server.deploy.executors import LocalParts, LocalSettings
from server.deploy.link import MAX_PATH, socket_path
from server.deploy.local import LocalBackend
from server.deploy.ranges import count
from server.ids import new_id


@dataclass(frozen=True)
class Entry:
    name: str
    address: str = "127.0.0.1"
    detector: str = "TST"
    attributes: dict[str, str] = field(default_factory=dict)
    cpus: float = 4.0
    memory_mb: float = 1000.0


class Facility:
    """One instance on this machine; every backend made here is a new life of its core."""

    def __init__(self, folder: Path) -> None:
        self.instance = f"test-{os.getpid()}-{new_id()}"
        self.folder = folder
        self.hosts = [Entry(f"flp00{number}", attributes={"machine_id": f"flp00{number}"}) for number in (1, 2)]
        self.known: dict[str, KnownExecutor] = {}
        self.backends: list[LocalBackend] = []
        self.device = folder / "device.py"
        self.device.write_text(DEVICE)

    async def start(self, *, command: Sequence[str] = (), **settings: Any) -> tuple[LocalBackend, Ear]:
        parts = LocalParts(
            instance=self.instance,
            state_directory=self.folder,
            core_epoch=new_id(),
            inventory=self._inventory,
            new_id=new_id,
            record_executor=self._record,
            forget_executor=self._forget,
        )
        if command:
            parts = LocalParts(**{name: getattr(parts, name) for name in parts.__slots__} | {"command": command})
        backend, ear = LocalBackend(parts, LocalSettings(**settings)), Ear()
        self.backends.append(backend)
        await backend.start(ear, list(self.known.values()))
        return backend, ear

    def spec(self, backend: LocalBackend, host: str, task_id: str, mode: ControlMode = ControlMode.DIRECT) -> TaskSpec:
        given = backend.reserve(host, task_id, Demand(control=mode is ControlMode.DIRECT))
        return TaskSpec(
            task_id=task_id, environment_id="2env", class_name="quiet", mode=mode, value=sys.executable,
            arguments=("-P", str(self.device)), control_port=given.control_port, stdout="all",
            environment=(f"OCC_CONTROL_PORT={given.control_port}",),
        )  # fmt: skip

    async def launch(self, backend: LocalBackend, ear: Ear, host: str = "flp001", task_id: str = "t1") -> None:
        spec = self.spec(backend, host, task_id)
        await backend.launch(host, "o1", [spec], new_id(), timeout_s=DEADLINE_S)
        await ear.until(lambda: ear.is_active(task_id))

    def processes(self) -> list[int]:
        """Return all processes with our instance id in their environment."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if f"ALIECS_INSTANCE={self.instance}".encode() in environment:
                    found.append(int(name))
        return found

    async def empty(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until no process of this instance is left."""
        async with asyncio.timeout(deadline_s):
            while self.processes():  # noqa: ASYNC110  # the kernel does not tell
                await asyncio.sleep(0.01)

    async def _inventory(self) -> Sequence[Entry]:
        return self.hosts

    async def _record(self, known: KnownExecutor) -> None:
        self.known[known.executor_id] = known

    def _forget(self, executor_id: str) -> None:
        self.known.pop(executor_id, None)


def info(backend: LocalBackend, host: str = "flp001") -> HostInfo:
    return next(one for one in backend.hosts() if one.name == host)


@pytest.fixture
async def facility(tmp_path: Path) -> AsyncIterator[Facility]:
    facility = Facility(tmp_path)
    yield facility
    for backend in facility.backends:
        await backend.close()
    for pid in facility.processes():
        os.kill(pid, signal.SIGKILL)
    await facility.empty()


async def test_a_launch_starts_the_executor_of_its_host_and_the_task_comes_up(facility: Facility) -> None:
    backend, ear = await facility.start()
    assert [one.state for one in backend.hosts()] == [ExecutorState.NONE, ExecutorState.NONE]
    await facility.launch(backend, ear)
    task = ear.tasks["t1"]
    assert (task.state, task.environment_id) == ("STANDBY", "2env")
    host = info(backend)
    assert (host.state, host.pid) == (ExecutorState.ATTACHED, ear.hellos[0].pid)
    assert host.executor_id == ear.hellos[0].executor_id
    assert facility.known[host.executor_id].pid == host.pid
    assert info(backend, "flp002").state is ExecutorState.NONE
    assert os.getsid(host.pid) == host.pid
    assert sorted(facility.processes()) == sorted([host.pid, task.pid])


async def test_what_a_task_writes_can_be_read_at_its_url(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    async with aiohttp.ClientSession() as session, session.get(backend.stdout_url("t1")) as answer:
        assert (answer.status, await answer.text()) == (200, "here\n")


async def test_executors_are_started_with_what_is_asked_of_them(facility: Facility) -> None:
    backend, ear = await facility.start(options=ExecutorOptions(output_file_bytes=100, output_older_files=1))
    hook = TaskSpec(
        task_id="h1", environment_id="2env", class_name="c", mode=ControlMode.HOOK, value="seq 300", shell=True
    )  # fmt: skip
    backend.reserve("flp001", "h1", Demand(control=False))
    await backend.launch("flp001", "o1", [hook], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("h1"))
    backend.send("flp001", TriggerHooks(command_id="c1", environment_id="2env", task_ids=("h1",)))
    await ear.until(lambda: ear.tasks["h1"].exit_code == 0)
    kept = sorted(path.name for path in (facility.folder / "tasks/h1").glob("stdout*"))
    assert kept == ["stdout", "stdout.1", "stdout.turns"]


async def test_executors_of_several_hosts_start_at_the_same_time_and_each_once(facility: Facility) -> None:
    backend, ear = await facility.start()
    specs = [facility.spec(backend, host, f"{host}-{n}") for host in ("flp001", "flp002") for n in range(2)]
    launches = [
        asyncio.ensure_future(backend.launch(spec.task_id.split("-")[0], "o", [spec], new_id(), timeout_s=DEADLINE_S))
        for spec in specs
    ]
    await ear.until(lambda: ear.hellos)
    await asyncio.gather(*launches)
    await ear.until(lambda: all(ear.is_active(spec.task_id) for spec in specs))
    assert sorted(hello.host for hello in ear.hellos) == ["flp001", "flp002"]
    assert len(facility.processes()) == 6


async def test_a_killed_executor_is_lost_at_once_and_nothing_of_it_is_left(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    executor_id, pid = info(backend).executor_id, info(backend).pid
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await ear.until(lambda: ear.lost)
    assert time.monotonic() - began < 1.0
    reason = f"executor {executor_id} on host flp001 was killed by signal 9 (SIGKILL)"
    assert ear.lost == [("flp001", executor_id, reason)]
    await facility.empty()
    assert info(backend).state is ExecutorState.LOST
    assert facility.known == {}


@pytest.mark.parametrize("core_is_there", [True, False])
async def test_what_tasks_started_below_themselves_ends_with_a_killed_executor_too(
    facility: Facility, core_is_there: bool
) -> None:
    backend, ear = await facility.start()
    # The parent-death signal is for the shell alone; one of its children is even in a session of its own.
    spec = msgspec.structs.replace(
        facility.spec(backend, "flp001", "h1", ControlMode.HOOK),
        value="sleep 600 & setsid sleep 600 & sleep 600", arguments=(), shell=True,
    )  # fmt: skip
    await backend.launch("flp001", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("h1"))
    pid = info(backend).pid
    assert backend.send("flp001", TriggerHooks(command_id="c1", environment_id="2env", task_ids=("h1",)))
    await ear.until(lambda: ear.replies)
    async with asyncio.timeout(DEADLINE_S):
        while len(facility.processes()) < 5:  # noqa: ASYNC110  # the shell does not tell
            await asyncio.sleep(0.01)
    if not core_is_there:
        await backend.close()
    os.kill(pid, signal.SIGKILL)
    if not core_is_there:
        await asyncio.to_thread(os.waitpid, pid, 0)
        _, ear = await facility.start()
    await ear.until(lambda: ear.lost)
    await facility.empty()


async def test_a_host_whose_executor_was_lost_gets_a_new_one(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    first = info(backend).executor_id
    os.kill(info(backend).pid, signal.SIGKILL)
    await ear.until(lambda: ear.lost)
    await facility.launch(backend, ear, task_id="t2")
    assert info(backend).executor_id != first
    assert info(backend).state is ExecutorState.ATTACHED


async def test_tasks_outlive_the_core_and_the_next_one_finds_them_as_they_were(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    command = Transition(
        command_id="c1", environment_id="2env", event="CONFIGURE", source="STANDBY", destination="CONFIGURED",
        targets=(Target(task_id="t1"),), timeout_s=DEADLINE_S,
    )  # fmt: skip
    assert backend.send("flp001", command)
    await ear.until(lambda: ear.replies)
    assert ear.replies[0].results[0].state == "CONFIGURED"
    before, pids = ear.tasks["t1"], facility.processes()
    await backend.close()
    assert ear.lost == [] and ear.silent == []

    again, new_ear = await facility.start()
    await new_ear.until(lambda: new_ear.hellos)
    (task,) = new_ear.hellos[0].tasks
    assert (task.task_id, task.state, task.pid) == ("t1", "CONFIGURED", before.pid)
    assert facility.processes() == pids
    assert info(again).state is ExecutorState.ATTACHED
    assert again.send("flp001", command)
    await new_ear.until(lambda: new_ear.replies)
    assert new_ear.replies == ear.replies, "the same command id gives the same reply"
    os.kill(info(again).pid, signal.SIGKILL)
    await new_ear.until(lambda: new_ear.lost)
    await facility.empty()


async def test_an_executor_that_ended_while_no_core_was_there_is_lost_at_the_start_with_all_it_left(
    facility: Facility,
) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    executor_id, pid = info(backend).executor_id, info(backend).pid
    await backend.close()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pid, 0)
    again, new_ear = await facility.start()
    assert new_ear.lost == [
        ("flp001", executor_id, f"executor {executor_id} on host flp001 ended while no core was there")
    ]
    await facility.empty()
    assert info(again).state is ExecutorState.LOST


async def test_a_pid_that_another_process_has_now_is_not_mistaken_for_the_executor(facility: Facility) -> None:
    facility.known["x1"] = KnownExecutor(
        host="flp001", executor_id="x1", agent_id="a1", pid=os.getpid(), started_ticks=1
    )
    _, ear = await facility.start()
    assert [lost[1] for lost in ear.lost] == ["x1"]


async def test_an_executor_that_does_not_come_back_in_time_is_ended(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    pid = info(backend).pid
    await backend.close()
    os.kill(pid, signal.SIGSTOP)
    again, new_ear = await facility.start(reattach_s=0.3)
    assert info(again).state is ExecutorState.SILENT
    await new_ear.until(lambda: new_ear.lost)
    assert new_ear.lost[0][2].endswith("did not come back within 0.3 s")
    await facility.empty()


async def test_an_executor_of_which_no_pid_was_noted_is_known_by_its_hello(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    executor_id, pid = info(backend).executor_id, info(backend).pid
    await backend.close()
    facility.known[executor_id] = KnownExecutor(host="flp001", executor_id=executor_id, agent_id="a")
    again, new_ear = await facility.start()
    await new_ear.until(lambda: new_ear.hellos)
    assert (info(again).pid, info(again).state) == (pid, ExecutorState.ATTACHED)
    await new_ear.until(lambda: facility.known[executor_id].pid == pid)


async def test_an_executor_that_nobody_knows_is_told_to_end_with_its_tasks(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    await backend.close()
    facility.known.clear()
    await facility.start()
    await facility.empty()


async def test_drain_leaves_nothing(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    await facility.launch(backend, ear, "flp002", "t2")
    await backend.drain()
    assert facility.processes() == []
    assert [one.state for one in backend.hosts()] == [ExecutorState.NONE, ExecutorState.NONE]
    assert facility.known == {}


async def test_drain_kills_an_executor_that_does_not_end(facility: Facility) -> None:
    backend, ear = await facility.start(drain_s=0.5)
    await facility.launch(backend, ear)
    os.kill(info(backend).pid, signal.SIGSTOP)
    await backend.drain()
    await facility.empty()


async def test_a_restarted_executor_is_another_one_and_its_tasks_have_ended(facility: Facility) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    before = info(backend)
    await backend.restart("flp001", "was restarted by a test", at_once=False)
    after = info(backend)
    assert (after.state, len(facility.processes())) == (ExecutorState.ATTACHED, 1)
    assert after.pid != before.pid and after.executor_id != before.executor_id
    assert [hello.executor_id for hello in ear.hellos] == [before.executor_id, after.executor_id]
    reason = f"executor {before.executor_id} on host flp001 was restarted by a test"
    assert ear.lost == [("flp001", before.executor_id, reason)]
    assert list(facility.known) == [after.executor_id]
    await facility.launch(backend, ear, task_id="t2")


@pytest.mark.parametrize("how", ["silent", "not silent yet"])
async def test_an_executor_that_hangs_is_restarted_nevertheless(facility: Facility, how: str) -> None:
    backend, ear = await facility.start(heartbeat_s=0.05, silent_s=0.3 if how == "silent" else 60.0, drain_s=1.0)
    await facility.launch(backend, ear)
    before = info(backend)
    os.kill(before.pid, signal.SIGSTOP)
    if how == "silent":
        await ear.until(lambda: ear.silent)
    await backend.restart("flp001", "was restarted", at_once=True)
    assert (info(backend).state, facility.processes()) == (ExecutorState.ATTACHED, [info(backend).pid])
    assert before.pid != info(backend).pid


async def test_a_host_without_an_executor_gets_one_by_a_restart(facility: Facility) -> None:
    backend, ear = await facility.start()
    await backend.restart("flp002", "was restarted", at_once=False)
    assert info(backend, "flp002").state is ExecutorState.ATTACHED
    assert (len(ear.hellos), ear.lost) == (1, [])


async def test_an_executor_that_cannot_be_started_again_says_so(facility: Facility) -> None:
    backend, _ = await facility.start(command=("/bin/false",))
    with pytest.raises(LinkError, match="ended with exit code 1 before it attached"):
        await backend.restart("flp001", "was restarted", at_once=False)


async def test_a_stopped_executor_is_silent_and_back_when_it_goes_on(facility: Facility) -> None:
    backend, ear = await facility.start(heartbeat_s=0.05, silent_s=0.3)
    await facility.launch(backend, ear)
    os.kill(info(backend).pid, signal.SIGSTOP)
    await ear.until(lambda: ear.silent)
    assert info(backend).state is ExecutorState.SILENT
    os.kill(info(backend).pid, signal.SIGCONT)
    await ear.until(lambda: ear.back)
    assert info(backend).state is ExecutorState.ATTACHED
    assert ear.lost == []


async def test_a_launch_for_a_silent_executor_waits_until_it_is_back(facility: Facility) -> None:
    backend, ear = await facility.start(heartbeat_s=0.05, silent_s=0.3)
    await facility.launch(backend, ear)
    os.kill(info(backend).pid, signal.SIGSTOP)
    await ear.until(lambda: ear.silent)
    spec = facility.spec(backend, "flp001", "t2")
    launch = asyncio.ensure_future(backend.launch("flp001", "o1", [spec], "c2", timeout_s=DEADLINE_S))
    await asyncio.sleep(0)
    assert not launch.done()
    os.kill(info(backend).pid, signal.SIGCONT)
    await launch
    await ear.until(lambda: ear.is_active("t2"))


async def test_a_launch_that_was_under_way_when_the_link_broke_is_sent_again_and_starts_its_task_once(
    facility: Facility,
) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    link = backend._hosts["flp001"].link
    assert link is not None
    spec = facility.spec(backend, "flp001", "t2")
    await backend.launch("flp001", "o1", [spec], "c2", timeout_s=DEADLINE_S)
    link.drop()
    await ear.until(lambda: len(ear.hellos) == 2 and ear.is_active("t2"))
    assert ear.silent == ["flp001"] and ear.lost == []
    assert len(facility.processes()) == 3


async def test_an_executor_that_cannot_start_says_why(facility: Facility) -> None:
    backend, ear = await facility.start(command=["/no/such/executor"])
    spec = facility.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match=r"could not be started: .*No such file"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)
    assert len(ear.lost) == 1


async def test_an_executor_that_ends_before_it_attached_says_its_last_words(facility: Facility) -> None:
    backend, _ = await facility.start(command=[sys.executable, "-c", "import sys; sys.exit('no licence')"])
    spec = facility.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match="ended with exit code 1 before it attached: no licence"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)
    assert info(backend).state is ExecutorState.LOST


async def test_an_executor_that_never_attaches_is_ended(facility: Facility) -> None:
    backend, _ = await facility.start(command=[sys.executable, "-c", "import time; time.sleep(60)"], attach_s=0.3)
    spec = facility.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match=r"did not attach within 0\.3 s"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)
    await facility.empty()


async def test_a_launch_has_its_own_deadline(facility: Facility) -> None:
    backend, _ = await facility.start(command=[sys.executable, "-c", "import time; time.sleep(60)"])
    spec = facility.spec(backend, "flp001", "t1")
    with pytest.raises(LinkError, match=r"no executor attached on host flp001 within 0\.2 s"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=0.2)


async def test_a_task_placed_under_an_executor_that_was_lost_since_is_not_launched_under_the_next(
    facility: Facility,
) -> None:
    backend, ear = await facility.start()
    await facility.launch(backend, ear)
    spec = facility.spec(backend, "flp001", "t2")
    os.kill(info(backend).pid, signal.SIGKILL)
    await ear.until(lambda: ear.lost)
    with pytest.raises(LinkError, match="that was to run t2 is gone"):
        await backend.launch("flp001", "o1", [spec], "c1", timeout_s=DEADLINE_S)


async def test_offers_show_what_is_left_and_release_gives_it_back(facility: Facility) -> None:
    backend, _ = await facility.start()
    (before, other) = await backend.offers()
    assert (before.host, before.cpus, before.attributes) == ("flp001", 4.0, {"machine_id": "flp001"})
    demand = Demand(cpus=1.5, memory_mb=100, static_ports=[29000, 29001], channels=2, control=True)
    given = backend.reserve("flp001", "t1", demand)
    assert len(given.data_ports) == 2 and given.control_port >= 30000
    after = (await backend.offers())[0]
    assert (after.cpus, after.memory_mb) == (2.5, 900.0)
    assert count(after.ports) == count(before.ports) - 5
    with pytest.raises(RefusedError, match="port 29000 is used by another task"):
        backend.reserve("flp002", "t2", demand)
    backend.release(["t1", "nobody"])
    assert (await backend.offers())[0].ports == before.ports
    assert (await backend.offers())[1].cpus == other.cpus


async def test_restored_tasks_hold_their_ports_and_resources(facility: Facility) -> None:
    backend, _ = await facility.start()
    before = (await backend.offers())[0]
    backend.occupy("flp001", "t1", Demand(cpus=1.0), [9000, 30000])
    after = (await backend.offers())[0]
    assert (after.cpus, count(after.ports)) == (before.cpus - 1, count(before.ports) - 2)


async def test_a_host_that_left_the_inventory_is_offered_no_more(facility: Facility) -> None:
    backend, _ = await facility.start()
    del facility.hosts[0]
    assert [one.host for one in await backend.offers()] == ["flp002"]


async def test_nothing_is_sent_to_a_host_without_a_link(facility: Facility) -> None:
    backend, _ = await facility.start()
    command = Transition(
        command_id="c", environment_id="e", event="START", source="A", destination="B", targets=(), timeout_s=1
    )
    assert not backend.send("flp001", command)
    assert not backend.send("flp999", command)


def test_a_path_too_long_for_a_socket_is_replaced_by_the_same_short_one_each_time(tmp_path: Path) -> None:
    assert socket_path(Path("/tmp/x")) == Path("/tmp/x/executors.sock")
    deep, other = socket_path(tmp_path / ("d" * 90)), socket_path(tmp_path / ("e" * 90))
    try:
        assert len(os.fsencode(deep)) <= MAX_PATH
        assert socket_path(tmp_path / ("d" * 90)) == deep != other
    finally:
        deep.parent.rmdir()
        other.parent.rmdir()
