"""The Mesos backend on the double: real helper processes, real executors, real tasks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from deploy_ear import DEADLINE_S, DEVICE, Ear
from free_ports import free_slices
from mesos.courier import Parcel
from mesos.double import MesosDouble
from mesos.executor_run import VirtualAgent
from mesos.scheduler_door import Mood
from mesos.terms import Timing

from executor.api.messages import ControlMode, Kill, Phase, Target, TaskSpec, Transition
from occ.errors import LinkError, RefusedError
from server.deploy.backend import Demand, ExecutorState, HostInfo, KnownExecutor
from server.deploy.match import Want, match
from server.deploy.mesos import MesosBackend, MesosParts, MesosSettings
from server.deploy.mesos_executors import MesosTimes
from server.deploy.mesos_info import ExecutorSettings
from server.deploy.mesos_scheduler import MesosMaster
from server.ids import new_id

PACE = 20.0
PORTS = free_slices(2, data=100, control=100)
"""Of the two agents, which share this machine."""
EXECUTOR = str(Path(sys.executable).with_name("aliecs-executor"))


@dataclass(frozen=True)
class Entry:
    name: str
    detector: str = "TST"
    address: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    memory_mb: float = 0.0


class Cluster:
    """Two agents and any number of lives of a core that drives them."""

    def __init__(self, mesos: MesosDouble, folder: Path) -> None:
        self.mesos = mesos
        self.instance = f"test-{os.getpid()}-{new_id()}"
        self.framework_id = ""
        self.known: dict[str, KnownExecutor] = {}
        self.backends: list[MesosBackend] = []
        self.device = folder / "device.py"
        self.device.write_text(DEVICE)
        self.times = MesosTimes(heartbeat_s=0.5, kill_again_s=2.0, unknown_pause_s=0.3, unknown_s=2.0, drain_s=10.0)
        self.credentials = ("", "")
        self.address = mesos.address
        self.checkpoint = True
        self.occupied: list[tuple[str, str, Demand, tuple[int, ...]]] = []

    async def start(self) -> tuple[MesosBackend, Ear]:
        parts = MesosParts(
            instance=self.instance,
            core_epoch=new_id(),
            inventory=self._inventory,
            new_id=new_id,
            record_executor=self._record,
            forget_executor=lambda executor_id: self.known.pop(executor_id, None) and None,
            changed=lambda: None,
            load_framework_id=self._load,
            store_framework_id=self._store,
        )
        principal, secret = self.credentials
        master = MesosMaster(
            address=self.address, checkpoint=self.checkpoint, failover_timeout_s=3600.0, call_s=5.0,
            pause_min_s=0.05, pause_max_s=0.5,
            principal=principal, secret=secret, user=os.environ.get("USER") or "root",
        )  # fmt: skip
        settings = MesosSettings(
            master=master, executor=ExecutorSettings(path=EXECUTOR), times=self.times, offer_wait_s=2.0,
            settle_s=0.2, idle_s=0.3, refuse_s=0.5, subscribe_s=5.0,
        )  # fmt: skip
        backend, ear = MesosBackend(parts, settings), Ear()
        self.backends.append(backend)
        await backend.start(ear, list(self.known.values()))
        for host, task_id, demand, ports in self.occupied:
            backend.occupy(host, task_id, demand, ports)
        return backend, ear

    async def _inventory(self) -> Sequence[Entry]:
        return [Entry("host1")]

    async def _record(self, known: KnownExecutor) -> None:
        self.known[known.executor_id] = known

    async def _load(self) -> str:
        return self.framework_id

    async def _store(self, framework_id: str) -> None:
        self.framework_id = framework_id

    def spec(self, backend: MesosBackend, host: str, task_id: str, demand: Demand | None = None) -> TaskSpec:
        demand = demand or Demand(control=True, channels=1, cpus=0.1, memory_mb=32)
        given = backend.reserve(host, task_id, demand)
        self.occupied.append((host, task_id, demand, (*given.data_ports, given.control_port)))
        return TaskSpec(
            task_id=task_id, environment_id="2env", class_name="quiet", mode=ControlMode.DIRECT, value=sys.executable,
            arguments=("-P", str(self.device)), control_port=given.control_port, stdout="all",
            environment=(f"OCC_CONTROL_PORT={given.control_port}",),
        )  # fmt: skip

    async def launch(self, backend: MesosBackend, ear: Ear, *task_ids: str, host: str = "host1") -> None:
        await backend.offers()
        specs = [self.spec(backend, host, task_id) for task_id in task_ids]
        await backend.launch(host, "o1", specs, new_id(), timeout_s=DEADLINE_S)
        await ear.until(lambda: all(ear.is_active(task_id) for task_id in task_ids))

    def processes(self) -> list[int]:
        """Return all processes with our instance id in their environment."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"ALIECS_INSTANCE={self.instance}".encode() in environment:
                found.append(int(name))
        return found


def agent(number: int) -> VirtualAgent:
    data, control = PORTS[number - 1]
    ports = f"ports:[{data[0]}-{data[1]},{control[0]}-{control[1]}]"
    return VirtualAgent(f"host{number}", {"machine_id": f"host{number}", "rack": "a"}, f"cpus:4;mem:4096;{ports}")


def info(backend: MesosBackend, host: str = "host1") -> HostInfo:
    return next(one for one in backend.hosts() if one.name == host)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with MesosDouble([agent(1), agent(2)], tmp_path / "agents", pace=PACE) as mesos:
        cluster = Cluster(mesos, tmp_path)
        yield cluster
        for backend in cluster.backends:
            await backend.close()
    await settled(lambda: not cluster.processes())


async def test_agents_become_hosts_with_what_they_offer(cluster: Cluster) -> None:
    backend, _ = await cluster.start()
    offers = await backend.offers()
    assert [(one.host, one.address, one.attributes["rack"], one.cpus) for one in offers] == [
        ("host1", "127.0.0.1", "a", 3.99),
        ("host2", "127.0.0.1", "a", 3.99),
    ]
    assert offers[0].memory_mb == 4096 - 64
    assert offers[0].ports == PORTS[0]
    assert [(one.name, one.detector) for one in backend.hosts()] == [("host1", "TST"), ("host2", "")]
    assert backend.framework_id == cluster.framework_id != ""


async def test_a_launch_starts_one_executor_on_its_agent_and_the_tasks_come_up(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1", "t2")
    assert (ear.tasks["t1"].state, ear.tasks["t1"].environment_id) == ("STANDBY", "2env")
    host = info(backend)
    assert (host.state, host.executor_id) == (ExecutorState.ATTACHED, ear.hellos[0].executor_id)
    assert len(ear.hellos) == 1
    await cluster.launch(backend, ear, "t3")
    assert len(ear.hellos) == 1
    command = Transition(
        command_id="c1", environment_id="2env", event="CONFIGURE", source="STANDBY", destination="CONFIGURED",
        targets=(Target(task_id="t1"), Target(task_id="t3")), timeout_s=DEADLINE_S,
    )  # fmt: skip
    assert backend.send("host1", command)
    await ear.until(lambda: ear.replies)
    assert {(one.task_id, one.state, one.error) for one in ear.replies[0].results} == {
        ("t1", "CONFIGURED", ""), ("t3", "CONFIGURED", ""),
    }  # fmt: skip


async def test_what_nobody_wants_is_given_back_and_not_offered_again(cluster: Cluster) -> None:
    backend, _ = await cluster.start()
    await backend.offers()
    framework = cluster.mesos.master.ledger.frameworks[cluster.framework_id]
    await settled(lambda: framework.suppressed and not cluster.mesos.master._allocator.of_framework(framework.id))


async def test_kills_end_tasks_and_their_resources_are_offered_again(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    assert backend.send("host1", Kill(command_id="k1", task_ids=("t1",)))
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED and ear.replies)
    backend.release(["t1"])
    offers = await backend.offers()
    assert [(one.host, round(one.cpus, 3)) for one in offers] == [("host1", 3.99), ("host2", 3.99)]
    assert offers[0].ports == PORTS[0]


async def test_what_a_task_writes_is_served_by_its_agent(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    port = cluster.mesos.agents["host1"].door.port
    path = f"/frameworks/{cluster.framework_id}/executors/{info(backend).executor_id}/runs/latest/tasks/t1/stdout"
    assert backend.stdout_url("t1") == f"http://127.0.0.1:{port}/files/download?path={path}"


async def test_tasks_outlive_the_core_and_the_next_one_finds_them_as_they_were(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    pid, executor_id = ear.tasks["t1"].pid, info(backend).executor_id
    await backend.close()
    again, ear = await cluster.start()
    await ear.until(lambda: ear.hellos)
    assert (ear.tasks["t1"].pid, ear.tasks["t1"].phase) == (pid, Phase.ACTIVE)
    assert (info(again).state, info(again).executor_id) == (ExecutorState.ATTACHED, executor_id)
    await cluster.launch(again, ear, "t2")
    assert len(ear.hellos) == 1
    assert ear.is_active("t1")
    assert ear.lost == []


async def test_a_core_that_knows_nothing_of_tasks_of_its_framework_ends_them(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await backend.close()
    cluster.known, cluster.occupied = {}, []
    await cluster.start()
    await settled(lambda: len(cluster.processes()) == 1)


async def test_a_killed_executor_is_lost_at_once_and_its_host_gets_a_new_one(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    first = info(backend).executor_id
    os.kill(ear.hellos[0].pid, signal.SIGKILL)
    await ear.until(lambda: ear.lost)
    reason = f"executor {first} on host host1 was killed by signal 9 (SIGKILL)"
    assert ear.lost == [("host1", first, reason)]
    assert info(backend).state is ExecutorState.LOST
    assert cluster.known == {}
    backend.release(["t1"])
    await cluster.launch(backend, ear, "t2")
    assert info(backend).executor_id not in ("", first)


async def test_what_ran_on_a_lost_agent_is_lost(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    executor_id = info(backend).executor_id
    await cluster.mesos.lose_agent("host1")
    cluster.mesos.remove_agent("host1")
    await ear.until(lambda: ear.lost)
    assert ear.lost[0][:2] == ("host1", executor_id)
    assert "agent" in ear.lost[0][2] and "is lost" in ear.lost[0][2]
    assert [one.host for one in await backend.offers()] == ["host2"]


async def test_more_than_there_is_is_refused_and_the_reason_told(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    cluster.mesos.overcommit("host1", "cpus:100")
    await settled_offers(backend, lambda cpus: cpus > 100)
    spec = cluster.spec(backend, "host1", "t1", Demand(cpus=50, memory_mb=10, control=True))
    await backend.launch("host1", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: "t1" in ear.tasks)
    assert (ear.tasks["t1"].phase, ear.tasks["t1"].final_status) == (Phase.ENDED, "TASK_ERROR")
    assert ear.tasks["t1"].error.startswith("TASK_ERROR: ")
    assert ear.tasks["t1"].error.endswith("(REASON_TASK_INVALID)")
    assert info(backend).state is ExecutorState.NONE
    backend.release(["t1"])
    await cluster.launch(backend, ear, "t2")


async def test_a_launch_on_offers_that_were_taken_back_is_done_again(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await backend.offers()
    master = cluster.mesos.master
    for offer in master._allocator.of_framework(cluster.framework_id):
        master._withdraw(offer.id)  # and the core does not know it yet
    await backend.launch("host1", "o1", [cluster.spec(backend, "host1", "t1")], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("t1"))


async def test_offers_that_are_rescinded_are_not_used(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await backend.offers()
    spec = cluster.spec(backend, "host1", "t1")
    cluster.mesos.rescind_offers("host1")
    await backend.launch("host1", "o1", [spec], new_id(), timeout_s=DEADLINE_S)
    await ear.until(lambda: ear.is_active("t1"))


async def test_one_task_more_than_an_agent_has_cores_is_not_placed(cluster: Cluster) -> None:
    backend, _ = await cluster.start()
    offers = await backend.offers()
    matched = match([Want(key=key, cpu=1.3) for key in range(7)], offers)
    assert len(matched.placed) == 6
    assert "needs 1.31 cpus" in matched.unplaced[6]


async def test_ports_that_are_not_offered_are_refused(cluster: Cluster) -> None:
    backend, _ = await cluster.start()
    await backend.offers()
    with pytest.raises(RefusedError, match="port 8000 is not offered there"):
        backend.reserve("host1", "t1", Demand(static_ports=(PORTS[0][0][0], 8000)))
    with pytest.raises(RefusedError, match="no free port between 9000 and 29999"):
        backend.reserve("host1", "t1", Demand(channels=101))
    assert (await backend.offers())[0].ports == PORTS[0]


async def test_a_scheduler_process_that_is_killed_comes_back_and_tasks_go_on(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    framework_id, pid = backend.framework_id, backend.scheduler_pid
    os.kill(pid, signal.SIGKILL)
    await settled(lambda: backend.scheduler_pid != pid)
    await cluster.launch(backend, ear, "t2")
    assert (backend.framework_id, len(ear.hellos), ear.lost) == (framework_id, 1, [])
    assert ear.is_active("t1")


async def test_an_executors_link_process_that_is_killed_comes_back(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    executor = ear.hellos[0].pid
    children = [pid for pid in cluster.processes() if b"executor.mesos_driver" in command_of(pid)]
    assert len(children) == 1
    os.kill(children[0], signal.SIGKILL)
    assert backend.send("host1", Kill(command_id="k1", task_ids=("t1",)))
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED and ear.replies)
    assert (ear.lost, ear.hellos[0].pid, len(ear.hellos)) == ([], executor, 1)


async def test_an_executor_that_is_not_heard_is_silent_until_it_is_heard_again(cluster: Cluster) -> None:
    cluster.times = replace(cluster.times, silent_s=1.5)
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    os.kill(ear.hellos[0].pid, signal.SIGSTOP)
    await ear.until(lambda: ear.silent)
    assert info(backend).state is ExecutorState.SILENT
    os.kill(ear.hellos[0].pid, signal.SIGCONT)
    await ear.until(lambda: ear.back)
    assert (info(backend).state, ear.lost, len(ear.hellos)) == (ExecutorState.ATTACHED, [], 1)


async def test_a_new_master_is_told_of_us_and_tasks_go_on(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await cluster.mesos.restart_master(agents_return=False)
    await settled(lambda: cluster.framework_id in cluster.mesos.master.ledger.frameworks)
    cluster.mesos.return_agents()
    await cluster.launch(backend, ear, "t2")
    assert (ear.is_active("t1"), ear.lost) == (True, [])


async def test_a_task_that_no_master_knows_any_more_is_lost_after_a_while(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await cluster.mesos.restart_master(agents_return=False)
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED)
    assert ear.tasks["t1"].final_status == "TASK_LOST"
    assert "REASON_RECONCILIATION" in ear.tasks["t1"].error


async def test_a_broken_connection_to_the_master_is_made_again(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    cluster.mesos.scheduler_stream(cluster.framework_id).cut()
    await cluster.launch(backend, ear, "t2")
    assert (ear.is_active("t1"), len(ear.hellos), ear.lost) == (True, 1, [])


async def test_a_standby_sends_us_to_the_master_that_leads(cluster: Cluster) -> None:
    cluster.address = await cluster.mesos.start_standby()
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")


async def test_a_master_that_does_not_lead_yet_is_asked_again_with_pauses(cluster: Cluster) -> None:
    cluster.mesos.set_mood(Mood.LEADERLESS)
    backend, ear = await cluster.start()
    with pytest.raises(LinkError, match="has not accepted this core within 5 s"):
        await backend.offers()
    cluster.mesos.set_mood(Mood.LEADING)
    await cluster.launch(backend, ear, "t1")


async def test_without_checkpoints_tasks_end_with_their_agent(cluster: Cluster) -> None:
    cluster.checkpoint = False
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await cluster.mesos.lose_agent("host1")
    await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED)
    assert ear.tasks["t1"].error == "TASK_LOST: Agent host1 disconnected (REASON_AGENT_DISCONNECTED)"
    await settled(lambda: len(cluster.processes()) == 1)


async def test_a_framework_that_the_master_has_removed_begins_anew(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    first = cluster.framework_id
    master = cluster.mesos.master
    master.remove_framework(master.ledger.frameworks[first])
    await ear.until(lambda: ear.lost)
    await settled(lambda: cluster.framework_id != first)
    await cluster.launch(backend, ear, "t2")
    assert cluster.framework_id == backend.framework_id


async def test_messages_may_be_lost_doubled_and_swapped(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    courier = cluster.mesos.courier
    for parcel in (Parcel.TO_SCHEDULER, Parcel.TO_EXECUTOR):
        courier.drop(parcel, 1)
        courier.duplicate(parcel, 2)
        courier.reorder(parcel, 2)
        courier.drop(parcel, 1)
    courier.duplicate(Parcel.UPDATE, 2)
    await cluster.launch(backend, ear, "t1")
    for number, (event, source, destination) in enumerate(
        [("CONFIGURE", "STANDBY", "CONFIGURED"), ("START", "CONFIGURED", "RUNNING"), ("STOP", "RUNNING", "CONFIGURED")]
    ):
        command = Transition(
            command_id=f"c{number}", environment_id="2env", event=event, source=source, destination=destination,
            targets=(Target(task_id="t1"),), timeout_s=DEADLINE_S,
        )  # fmt: skip
        backend.send("host1", command)
        await ear.until(lambda number=number: len(ear.replies) > number)
        assert ear.replies[-1].results[0].state == destination
    assert len(ear.replies) == 3


async def test_principal_and_secret_are_told_to_the_master(tmp_path: Path) -> None:
    async with MesosDouble([agent(1)], tmp_path / "agents", pace=PACE, credentials=("aliecs", "sesame")) as mesos:
        cluster = Cluster(mesos, tmp_path)
        cluster.credentials = ("aliecs", "sesame")
        backend, _ = await cluster.start()
        assert [one.host for one in await backend.offers()] == ["host1"]
        await backend.close()
        cluster.credentials = ("aliecs", "wrong")
        backend, _ = await cluster.start()
        with pytest.raises(LinkError, match="has not accepted this core within 5 s"):
            await backend.offers()
        await backend.close()


async def test_a_restarted_executor_ends_and_the_next_task_starts_another_one(cluster: Cluster) -> None:
    cluster.times = replace(cluster.times, heartbeat_s=0.1, silent_s=0.6)
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    before = info(backend).executor_id
    await backend.restart("host1", "was restarted by a test", at_once=True)
    assert (info(backend).state, cluster.processes()) == (ExecutorState.NONE, [])
    assert ear.lost == [("host1", before, f"executor {before} on host host1 was restarted by a test")]
    backend.release(["t1"])
    await cluster.launch(backend, ear, "t2")
    assert info(backend).executor_id != before
    pid = ear.hellos[-1].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await ear.until(lambda: ear.silent)
        with pytest.raises(LinkError, match="SILENT and cannot be told to end"):
            await backend.restart("host1", "was restarted", at_once=True)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_draining_ends_executors_and_their_tasks(cluster: Cluster) -> None:
    backend, ear = await cluster.start()
    await cluster.launch(backend, ear, "t1")
    await backend.drain()
    assert info(backend).state is ExecutorState.NONE
    await settled(lambda: len(cluster.processes()) == 0)


async def test_tasks_outlive_a_restart_of_their_agent(tmp_path: Path) -> None:
    timing = replace(Timing(), recovery_s=60.0, removal_s=1000.0)
    async with MesosDouble([agent(1)], tmp_path / "agents", pace=PACE, timing=timing) as mesos:
        cluster = Cluster(mesos, tmp_path)
        backend, ear = await cluster.start()
        await cluster.launch(backend, ear, "t1")
        await mesos.lose_agent("host1")
        await mesos.restart_agent("host1", refusal=(404, ""))
        assert backend.send("host1", Kill(command_id="k1", task_ids=("t1",)))
        mesos.accept_executors("host1")
        await ear.until(lambda: ear.tasks["t1"].phase is Phase.ENDED and ear.replies, 30.0)
        assert ear.lost == []
        await backend.close()


async def test_a_connection_on_which_nothing_is_heard_is_broken_and_made_again(tmp_path: Path) -> None:
    async with MesosDouble(
        [agent(1)], tmp_path / "agents", pace=PACE, timing=replace(Timing(), heartbeat_s=10.0)
    ) as mesos:
        cluster = Cluster(mesos, tmp_path)
        backend, ear = await cluster.start()
        await cluster.launch(backend, ear, "t1")
        before = mesos.scheduler_stream(cluster.framework_id)
        before.silence()
        framework = mesos.master.ledger.frameworks[cluster.framework_id]
        await settled(lambda: framework.stream is not None and framework.stream is not before)
        await cluster.launch(backend, ear, "t2")
        assert (ear.is_active("t1"), ear.lost) == (True, [])
        await backend.close()


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def settled_offers(backend: MesosBackend, condition: Callable[[float], bool]) -> None:
    """Ask for offers until the cores of the first host are as wanted."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition(max((one.cpus for one in await backend.offers()), default=0.0)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def settled(condition: Callable[[], object]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
