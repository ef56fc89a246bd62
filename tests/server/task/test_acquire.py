"""From descriptors to running tasks and back to nothing, with real executors and real tasks on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from golden_workflows import RecordedServices
from msgspec.structs import replace

from executor.api.messages import ControlMode, DeviceEvent
from occ.errors import AliecsError
from occ.states import TaskState
from server.api.states import Status
from server.deploy.backend import Demand, KnownExecutor
from server.deploy.executors import LocalParts, LocalSettings
from server.deploy.local import LocalBackend
from server.ids import new_id
from server.task.acquire import Acquired, Acquirer
from server.task.commander import Commander
from server.task.outputs import Outputs
from server.task.placement import TaskDescriptor
from server.task.reception import Reception
from server.task.roster import Roster, TaskChange
from server.task.task import Task, from_record
from server.template.model import Command, Constraint, Inbound, Outbound, TaskClass, Traits, Wants
from server.template.vocabulary import vocabulary

DEVICE = """
import sys
from occ import Device

class Quiet(Device):
    pass

sys.exit(Quiet.main())
"""
DEADLINE_S = 20.0
ENVIRONMENT = "2env"


@dataclass(frozen=True)
class Entry:
    name: str
    address: str = "127.0.0.1"
    detector: str = "TST"
    attributes: dict[str, str] = field(default_factory=dict)
    cpus: float = 4.0
    memory_mb: float = 1000.0


class Core:
    """The part of a core that has to do with tasks: one life of it."""

    def __init__(self, folder: Path, instance: str, disk: Disk, command: Sequence[str]) -> None:
        self.disk = disk
        self.events: list[DeviceEvent] = []
        self._changed = asyncio.Event()
        self.backend = LocalBackend(
            LocalParts(
                instance=instance, state_directory=folder, core_epoch=new_id(), inventory=self._inventory,
                new_id=new_id, record_executor=disk.put_executor, forget_executor=disk.forget_executor,
                command=command,
            ),
            LocalSettings(),
        )  # fmt: skip
        self.roster = Roster()
        self.commander = Commander(self.backend, self.roster)
        self.reception = Reception(
            self.backend, self.roster, self.commander, on_device_events=self._happened, on_host=lambda host: None,
            on_output=Outputs(self.backend, self.roster).took,
        )  # fmt: skip
        self.acquirer = Acquirer(self.backend, self.roster, record=disk.put_tasks)
        self.roster.listen(self._tasks_changed)

    async def start(self) -> None:
        tasks = [from_record(record) for record in self.disk.tasks.values()]
        self.roster.restore(tasks)
        for task in tasks:
            demand = Demand(cpus=task.cpus, memory_mb=task.memory_mb)
            self.backend.occupy(task.host, task.task_id, demand, task.ports)
        await self.backend.start(self.reception, list(self.disk.executors.values()))
        self.reception.check(self.backend.hosts())

    async def acquire(self, *descriptors: TaskDescriptor) -> Acquired:
        return await self.acquirer.acquire(ENVIRONMENT, descriptors, timeout_s=DEADLINE_S, ids=new_id)

    async def until(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def active(self, acquired: Acquired) -> list[Task]:
        """Wait until all are ACTIVE, and return them."""
        assert acquired.undeployable == {}
        ids = [task_id for _, task_id in sorted(acquired.assigned.items())]
        await self.until(lambda: all(self.task(task_id).status is Status.ACTIVE for task_id in ids))
        return [self.task(task_id) for task_id in ids]

    def task(self, task_id: str) -> Task:
        task = self.roster.get(task_id)
        assert task is not None
        return task

    async def drive(self, event: str, source: str, destination: str, ids: Sequence[str]) -> dict[str, str]:
        results = await self.commander.transition(
            new_id(), ENVIRONMENT, event, source, destination, arguments={}, per_task={one: {} for one in ids},
            timeout_s=DEADLINE_S,
        )  # fmt: skip
        return {task_id: result.error for task_id, result in results.items()}

    async def _inventory(self) -> Sequence[Entry]:
        return [Entry(name, attributes={"machine_id": name}) for name in ("flp001", "flp002")]

    def _happened(self, events: Sequence[DeviceEvent]) -> None:
        self.events += events
        self._changed.set()

    def _tasks_changed(self, changes: Sequence[TaskChange]) -> None:
        for before, after, _ in changes:
            if after:
                self.disk.tasks[after.task_id] = after.to_record()
            elif before:
                del self.disk.tasks[before.task_id]
        self._changed.set()


class Disk:
    """What survives a core."""

    def __init__(self) -> None:
        self.tasks: dict[str, bytes] = {}
        self.executors: dict[str, KnownExecutor] = {}
        self.is_full = False

    async def put_tasks(self, tasks: Sequence[Task]) -> None:
        if self.is_full:
            raise AliecsError("disk is full")
        self.tasks.update({task.task_id: task.to_record() for task in tasks})

    async def put_executor(self, known: KnownExecutor) -> None:
        self.executors[known.executor_id] = known

    def forget_executor(self, executor_id: str) -> None:
        self.executors.pop(executor_id, None)


class Facility:
    """One instance on this machine and the lives of its core."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instance = f"test-{os.getpid()}-{new_id()}"
        self.disk = Disk()
        self.cores: list[Core] = []
        (folder / "device.py").write_text(DEVICE)

    async def core(self, command: Sequence[str] = (sys.executable, "-P", "-m", "executor")) -> Core:
        core = Core(self.folder, self.instance, self.disk, command)
        self.cores.append(core)
        await core.start()
        return core

    def direct(self, **fields: object) -> TaskClass:
        command = Command(value=sys.executable, arguments=("-P", str(self.folder / "device.py")))
        plain = TaskClass(identifier="/r/tasks/quiet@local", name="quiet", command=command)
        return replace(plain, **fields)

    def processes(self) -> set[int]:
        found = set()
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    environment = Path(f"/proc/{name}/environ").read_bytes()
                except OSError:
                    continue
                if f"ALIECS_INSTANCE={self.instance}".encode() in environment.split(b"\0"):
                    found.add(int(name))
        return found

    async def empty(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.processes():  # noqa: ASYNC110  # the kernel does not tell
                await asyncio.sleep(0.01)


def wants(key: int, task_class: TaskClass, host: str = "flp001", **fields: object) -> TaskDescriptor:
    values: dict[str, object] = {
        "key": key, "role_path": f"top.{host}.{key}", "task_class": task_class, "stack": {}, "inbound": (),
        "constraints": (Constraint(attribute="machine_id", value=host),) if host else (), "outbound": (),
        "traits": Traits(), "detector": "TST", "critical": True, "environment_id": ENVIRONMENT,
    }  # fmt: skip
    return TaskDescriptor(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture
async def facility(tmp_path: Path) -> AsyncIterator[Facility]:
    facility = Facility(tmp_path)
    yield facility
    for core in facility.cores:
        await core.backend.close()
    for pid in facility.processes():
        os.kill(pid, signal.SIGKILL)
    await facility.empty()


async def test_tasks_are_acquired_driven_through_a_run_and_killed(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    acquired = await core.acquire(wants(0, quiet), wants(1, quiet, "flp002"), wants(2, quiet))
    tasks = await core.active(acquired)
    assert [(task.host, task.locked, task.role_path) for task in tasks] == [
        ("flp001", True, "top.flp001.0"), ("flp002", True, "top.flp002.1"), ("flp001", True, "top.flp001.2"),
    ]  # fmt: skip
    assert {task.pid for task in tasks} < facility.processes()
    assert len({task.control_port for task in tasks}) == 3
    ids = [task.task_id for task in tasks]
    for event, source, destination in (
        ("CONFIGURE", "STANDBY", "CONFIGURED"),
        ("START", "CONFIGURED", "RUNNING"),
        ("STOP", "RUNNING", "CONFIGURED"),
        ("RESET", "CONFIGURED", "STANDBY"),
    ):
        assert await core.drive(event, source, destination, ids) == dict.fromkeys(ids, "")
        assert {core.task(one).state for one in ids} == {TaskState(destination)}
    core.roster.release(ids)
    killed, remaining = await core.commander.kill(ids, timeout_s=DEADLINE_S)
    assert (sorted(killed), remaining) == (sorted(ids), [])
    assert len(core.roster) == 0 and facility.disk.tasks == {}
    assert [offer.cpus for offer in await core.backend.offers()] == [4.0, 4.0]
    await core.backend.drain()
    assert facility.processes() == set()


async def test_channels_get_endpoints_and_aliases_and_the_class_adds_its_own(facility: Facility) -> None:
    core = await facility.core()
    task_class = facility.direct(
        bind=(Inbound(name="class-data", type="push"), Inbound(name="data", type="never")),
        connect=(Outbound(name="up", type="pull", target="top.x:out"),),
    )
    inbound = (Inbound(name="data", type="pub", alias="DATA"), Inbound(name="near", type="sub", addressing="ipc"))
    (task,) = await core.active(await core.acquire(wants(0, task_class, inbound=inbound)))
    assert [(one.name, one.type, one.target) for one in (*task.inbound, *task.outbound)] == [
        ("data", "pub", ""), ("near", "sub", ""), ("class-data", "push", ""), ("up", "pull", "top.x:out"),
    ]  # fmt: skip
    data, extra = task.ports[:2]
    assert task.ports == (data, extra, task.control_port)
    assert task.endpoints == {
        "data": f"tcp://*:{data}",
        "::DATA": f"tcp://*:{data}",
        "near": f"ipc://@o2ipc-{task.task_id}-1",
        "class-data": f"tcp://*:{extra}",
    }


async def test_a_task_is_in_the_roster_and_on_the_disk_before_it_is_launched(facility: Facility) -> None:
    core = await facility.core()
    causes: list[str] = []
    core.roster.listen(lambda changes: causes.extend(change.cause for change in changes))
    await core.active(await core.acquire(wants(0, facility.direct())))
    assert causes[0] == "added"
    assert len(facility.disk.tasks) == 1


async def test_what_cannot_be_recorded_is_not_launched_and_holds_nothing(facility: Facility) -> None:
    core = await facility.core()
    before = await core.backend.offers()
    facility.disk.is_full = True
    with pytest.raises(AliecsError, match="disk is full"):
        await core.acquire(wants(0, facility.direct(wants=Wants(cpu=1.0))))
    assert len(core.roster) == 0 and facility.processes() == set()
    assert [offer.cpus for offer in await core.backend.offers()] == [offer.cpus for offer in before]
    assert [offer.ports for offer in await core.backend.offers()] == [offer.ports for offer in before]


async def test_every_descriptor_that_cannot_be_deployed_says_why_and_the_others_go(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        static = facility.direct(wants=Wants(ports=((29999, 29999),)))
        acquired = await core.acquire(
            wants(0, quiet),
            wants(1, quiet, "flp009"),
            wants(2, facility.direct(wants=Wants(cpu=99))),
            wants(3, facility.direct(command=Command(value="{{ nowhere }}"))),
            wants(4, static),
            wants(5, static),
            wants(6, facility.direct(wants=Wants(ports=((port, port),)))),
        )
    assert sorted(acquired.assigned) == [0, 4]
    why = acquired.undeployable
    assert why[1] == "no host flp009 (machine_id) in the inventory: known hosts are flp001, flp002"
    assert why[2] == "host flp001: needs 99 cpus, 4 are left"
    assert why[3].startswith("host flp001: ") and "nowhere" in why[3]
    assert why[5] == "host flp001: ports 29999 are not free"
    assert str(port) in why[6]
    assert len(core.roster) == 2


class Asked(RecordedServices):
    """A configuration that answers only in threads, and for one host not at all until it is let to."""

    def __init__(self) -> None:
        super().__init__({}, {})
        self.let_go = threading.Event()

    def detector_for_host(self, host: str) -> str:
        assert threading.current_thread() is not threading.main_thread()
        if host == "flp002":
            self.let_go.wait(DEADLINE_S)
        return f"detector of {host}"


async def test_a_command_may_ask_the_configuration_and_does_so_beside_the_loop(facility: Facility) -> None:
    core, services = await facility.core(), Asked()
    acquirer = Acquirer(core.backend, core.roster, record=core.disk.put_tasks, objects=vocabulary(services))
    quiet = facility.direct()
    asking = replace(quiet, command=replace(quiet.command, env=("D={{ inventory.DetectorForHost(task_hostname) }}",)))
    wanted = [wants(0, asking), wants(1, replace(quiet, identifier="/r/tasks/plain@local"))]
    acquired = await acquirer.acquire(ENVIRONMENT, wanted, timeout_s=DEADLINE_S, ids=new_id)
    first, second = await core.active(acquired)
    assert "D=detector of flp001" in first.command.environment
    assert not any(one.startswith("D=") for one in second.command.environment)
    with pytest.raises(AliecsError, match=r"not placed within 0\.2 s"):
        await acquirer.acquire(ENVIRONMENT, [wants(2, asking, "flp002")], timeout_s=0.2, ids=new_id)
    services.let_go.set()
    assert (await core.backend.offers())[1].cpus == 4.0
    await core.commander.kill(list(acquired.assigned.values()), timeout_s=DEADLINE_S)


async def test_a_static_port_that_a_foreign_process_has_is_named(facility: Facility) -> None:
    core = await facility.core()
    with socket.socket() as taken:
        for port in range(29000, 29500):
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            break
        taken.listen()
        acquired = await core.acquire(wants(0, facility.direct(wants=Wants(ports=((port, port),)))))
    assert acquired.undeployable[0].startswith(f"host flp001: port {port} is in use on this machine")


async def test_an_executor_that_does_not_start_makes_its_tasks_undeployable(facility: Facility) -> None:
    core = await facility.core([sys.executable, "-c", "import sys; sys.exit('no licence')"])
    acquired = await core.acquire(wants(0, facility.direct()), wants(1, facility.direct(), "flp002"))
    assert sorted(acquired.undeployable) == [0, 1]
    assert all("no licence" in reason for reason in acquired.undeployable.values())
    assert len(core.roster) == 0 and facility.disk.tasks == {}
    assert [offer.cpus for offer in await core.backend.offers()] == [4.0, 4.0]


async def test_a_command_that_does_not_exist_is_told_by_the_end_of_its_task(facility: Facility) -> None:
    core = await facility.core()
    acquired = await core.acquire(wants(0, facility.direct(command=Command(value="/no/such/program"))))
    task_id = acquired.assigned[0]
    await core.until(lambda: core.task(task_id).ended)
    task = core.task(task_id)
    assert (task.status, task.state, task.final_status) == (Status.INACTIVE, TaskState.ERROR, "TASK_FAILED")
    assert "/no/such/program" in task.error


async def test_hooks_run_when_triggered_and_basic_tasks_with_the_run(facility: Facility) -> None:
    core = await facility.core()
    say = Command(value="/bin/echo", arguments=("hello",))
    basic = facility.direct(mode="basic", command=say)
    hook = wants(0, basic, traits=Traits(trigger="before_START_ACTIVITY", timeout="5s"))
    tasks = await core.active(await core.acquire(hook, wants(1, basic)))
    assert [(task.mode, task.control_port) for task in tasks] == [(ControlMode.HOOK, 0), (ControlMode.BASIC, 0)]
    hook_id, basic_id = (task.task_id for task in tasks)
    errors = await core.commander.trigger_hooks(new_id(), ENVIRONMENT, [hook_id], timeout_s=DEADLINE_S)
    assert errors == {hook_id: ""}
    assert await core.drive("START", "CONFIGURED", "RUNNING", [hook_id, basic_id]) == {hook_id: "", basic_id: ""}
    await core.until(lambda: len(core.events) == 2)
    for event in core.events:
        assert event.termination is not None
        assert (event.termination.exit_code, event.termination.stdout) == (0, "hello\n")


async def test_a_killed_task_is_an_error_at_once_with_its_signal(facility: Facility) -> None:
    core = await facility.core()
    (task,) = await core.active(await core.acquire(wants(0, facility.direct())))
    os.kill(task.pid, signal.SIGKILL)
    await core.until(lambda: core.task(task.task_id).ended)
    dead = core.task(task.task_id)
    assert (dead.state, dead.status, dead.signal) == (TaskState.ERROR, Status.INACTIVE, 9)


async def test_a_killed_executor_takes_its_tasks_and_fails_their_commands(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    one, other = await core.active(await core.acquire(wants(0, quiet), wants(1, quiet, "flp002")))
    (pid,) = {host.pid for host in core.backend.hosts() if host.name == "flp001"}
    os.kill(one.pid, signal.SIGSTOP)
    driving = asyncio.ensure_future(core.drive("CONFIGURE", "STANDBY", "CONFIGURED", [one.task_id, other.task_id]))
    await core.until(lambda: core.task(other.task_id).state is TaskState.CONFIGURED)
    os.kill(pid, signal.SIGKILL)
    errors = await driving
    assert errors[other.task_id] == ""
    assert "host flp001 was killed by signal 9" in errors[one.task_id]
    dead = core.task(one.task_id)
    assert (dead.state, dead.status) == (TaskState.ERROR, Status.INACTIVE)
    assert dead.error == f"executor {one.executor_id} on host flp001 was killed by signal 9 (SIGKILL)"
    async with asyncio.timeout(DEADLINE_S):
        while one.pid in facility.processes():  # noqa: ASYNC110  # the kernel does not tell
            await asyncio.sleep(0.01)
    assert other.pid in facility.processes()


async def test_after_a_restart_of_the_core_the_same_tasks_run_in_the_same_states(facility: Facility) -> None:
    core = await facility.core()
    quiet = facility.direct()
    acquired = await core.acquire(wants(0, quiet, inbound=(Inbound(name="data"),)), wants(1, quiet, "flp002"))
    ids = [task.task_id for task in await core.active(acquired)]
    await core.drive("CONFIGURE", "STANDBY", "CONFIGURED", ids)
    await core.drive("START", "CONFIGURED", "RUNNING", ids)
    before, offers = core.roster.all(), await core.backend.offers()
    pids = facility.processes()
    await core.backend.close()

    again = await facility.core()
    assert again.roster.all() == before
    # Sent before the executors are back: it waits for them.
    assert await again.drive("STOP", "RUNNING", "CONFIGURED", ids) == dict.fromkeys(ids, "")
    assert facility.processes() == pids
    assert [task.state for task in again.roster.all()] == [TaskState.CONFIGURED] * 2
    assert [offer.ports for offer in await again.backend.offers()] == [offer.ports for offer in offers]
    again.roster.release(ids)
    assert sorted((await again.commander.kill(ids, timeout_s=DEADLINE_S))[0]) == sorted(ids)
    await again.backend.drain()
    assert facility.processes() == set()


async def test_what_happened_to_tasks_while_no_core_was_there_is_learned_when_executors_are_back(
    facility: Facility,
) -> None:
    core = await facility.core()
    quiet = facility.direct()
    one, other = await core.active(await core.acquire(wants(0, quiet), wants(1, quiet)))
    await core.backend.close()
    os.kill(one.pid, signal.SIGKILL)
    again = await facility.core()
    await again.until(lambda: again.task(one.task_id).ended)
    assert (again.task(one.task_id).state, again.task(one.task_id).signal) == (TaskState.ERROR, 9)
    assert again.task(other.task_id) == other


async def test_nothing_wanted_is_acquired_at_once(facility: Facility) -> None:
    core = await facility.core()
    assert await core.acquire() == Acquired()
