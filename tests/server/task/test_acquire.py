"""From descriptors to tasks on hosts, or to the reasons why not, with real executors and real tasks on this machine."""

from __future__ import annotations

import socket
import sys
import threading

import pytest
from free_ports import free_slices
from golden_workflows import RecordedServices
from msgspec.structs import replace
from task_world import DEADLINE_S, ENVIRONMENT, Facility, wants

from occ.errors import AliecsError
from server.ids import new_id
from server.task.acquire import Acquired, Acquirer
from server.template.model import Command, Inbound, Outbound, Wants
from server.template.vocabulary import vocabulary


def free_data_port() -> int:
    (((port, _), _),) = free_slices(1, data=1, control=1)
    return port


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
        free = free_data_port()
        static = facility.direct(wants=Wants(ports=((free, free),)))
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
    assert why[5] == f"host flp001: ports {free} are not free"
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
        port = free_data_port()
        taken.bind(("127.0.0.1", port))
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


async def test_nothing_wanted_is_acquired_at_once(facility: Facility) -> None:
    core = await facility.core()
    assert await core.acquire() == Acquired()
