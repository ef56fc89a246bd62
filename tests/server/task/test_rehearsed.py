"""Placing tasks in a room that takes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from executor.api.messages import ControlMode, TaskSpec
from server.deploy.backend import Demand, Offer, Reservation
from server.task.placement import Placement, TaskDescriptor
from server.task.rehearsed import RehearsedRoom, UnknownPort
from server.task.task import Task
from server.template.model import Command, Constraint, Inbound, TaskClass, Traits, Wants


class Room:
    """Two hosts; the first is nearly full. Nobody may reserve anything in it."""

    async def offers(self) -> Sequence[Offer]:
        return [
            Offer(
                offer_id="O", host=host, address="127.0.0.1", agent_id="A", attributes={"machine_id": host}, cpus=cpus,
                memory_mb=100, ports=((9000, 9001), (30000, 30001)),
            )
            for host, cpus in (("flp001", 0.5), ("flp002", 4.0))
        ]  # fmt: skip

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        raise AssertionError("a rehearsal reserves nothing")

    def release(self, task_ids: Iterable[str]) -> None:
        raise AssertionError("a rehearsal releases nothing")


def descriptor(key: int, host: str, **wants: object) -> TaskDescriptor:
    task_class = TaskClass(
        identifier="/r/tasks/t@h", name="t", wants=Wants(cpu=1.0, **wants),  # type: ignore[arg-type]
        command=Command(value="run", arguments=("{{ task_id }}",)),
    )  # fmt: skip
    return TaskDescriptor(
        key=key, role_path=f"w.{key}", task_class=task_class, constraints=(Constraint("machine_id", host),), stack={},
        inbound=(Inbound("data", alias="all"), Inbound("near", addressing="ipc")), outbound=(), traits=Traits(),
        detector="", critical=True, environment_id="E",
    )  # fmt: skip


def leftover(*, environment_id: str, final_status: str = "") -> Task:
    spec = TaskSpec(task_id="old", environment_id="", class_name="t", mode=ControlMode.DIRECT, value="run")
    return Task(
        task_id="old", class_id="/r/tasks/t@h", class_name="t", host="flp001", address="127.0.0.1", command=spec,
        environment_id=environment_id, agent_id="A", offer_id="O", executor_id="X", final_status=final_status, cpus=0.5,
        ports=(9002,),
    )  # fmt: skip


async def test_ports_that_are_not_chosen_have_names_and_nothing_is_taken() -> None:
    placed = await Placement(RehearsedRoom(Room(), ())).place([descriptor(0, "flp002")], lambda: "TASK1")
    task = placed.tasks[0]
    assert task.endpoints == {"data": "tcp://*:PORT1", "::all": "tcp://*:PORT1", "near": "ipc://@o2ipc-TASK1-1"}
    assert "OCC_CONTROL_PORT=PORT2" in task.command.environment
    assert (task.command.arguments, task.host) == (("TASK1",), "flp002")
    assert f"{UnknownPort(7)}" == str(UnknownPort(7)) == "PORT7"


async def test_what_does_not_fit_is_refused_as_it_would_be() -> None:
    placed = await Placement(RehearsedRoom(Room(), ())).place([descriptor(0, "flp001")], lambda: "TASK1")
    assert placed.tasks == {}
    assert placed.undeployable == {0: "host flp001: needs 1 cpus, 0.5 are left"}


async def test_tasks_that_a_creation_would_end_first_hold_nothing() -> None:
    wanted = [descriptor(0, "flp001", ports=((9002, 9002),))]
    for task, fits in (
        (leftover(environment_id=""), True),
        (leftover(environment_id="2other"), False),
        (leftover(environment_id="", final_status="TASK_KILLED"), False),
    ):
        placed = await Placement(RehearsedRoom(Room(), [task])).place(wanted, lambda: "TASK1")
        assert bool(placed.tasks) is fits
