"""Tasks that no environment has any more are taken over where that is set: which, and that nobody else takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace
from task_world import DEADLINE_S, Facility, wants

from executor.api.messages import ControlMode, TaskSpec
from occ.errors import AliecsError
from occ.states import TaskState
from server.api.states import Status
from server.deploy.backend import ExecutorState, HostInfo
from server.ids import new_id
from server.task.acquire import Acquirer
from server.task.claims import Claims
from server.task.roster import Roster
from server.task.task import Task
from server.template.model import Constraint, Inbound, TaskClass, Traits

QUIET = TaskClass(identifier="/r/tasks/quiet@local", name="quiet")


def free(task_id: str, host: str = "flp001", **fields: object) -> Task:
    spec = TaskSpec(
        task_id=task_id, environment_id="2old", class_name=QUIET.identifier, mode=ControlMode.DIRECT, value="q"
    )
    task = Task(
        task_id=task_id, class_id=QUIET.identifier, class_name="quiet", host=host, address="127.0.0.1", agent_id="a",
        offer_id="o", executor_id="x", command=spec, status=Status.ACTIVE, state=TaskState.STANDBY,
        endpoints={"data": "tcp://*:9000", "::old": "tcp://*:9000", "near": "ipc://@here"},
    )  # fmt: skip
    return replace(task, **fields)


class Here:
    """A roster with these tasks, and hosts whose executors are heard."""

    def __init__(self, *tasks: Task, closed: Mapping[str, str] | None = None, **states: ExecutorState) -> None:
        self.roster = Roster()
        self.roster.add(tasks)
        known = {"flp001": ExecutorState.ATTACHED, "flp002": ExecutorState.ATTACHED} | states
        hosts = [
            HostInfo(name=name, address="", attributes={"kind": "flp", "rack": "a,b"}, state=state)
            for name, state in known.items()
        ]
        self.claims = Claims(self.roster, lambda: hosts, lambda: closed or {})

    def taken(self, *descriptors: object) -> dict[int, str]:
        found = self.claims.find(descriptors)  # type: ignore[arg-type]
        return {key: task.task_id for key, task in found.items()}


@pytest.mark.parametrize(
    "reason",
    [
        {"environment_id": "2other"}, {"state": TaskState.CONFIGURED}, {"status": Status.INACTIVE},
        {"class_id": "/r/tasks/quiet@other"}, {"killing": True}, {"host": "flp002"},
    ],
    ids=str,
)  # fmt: skip
def test_only_a_free_task_of_the_same_class_in_standby_is_taken_over(reason: Mapping[str, object]) -> None:
    assert Here(free("t1")).taken(wants(0, QUIET)) == {0: "t1"}
    assert Here(free("t1", **reason)).taken(wants(0, QUIET)) == {}


def test_the_first_that_fits_is_taken_and_none_twice() -> None:
    here = Here(free("t1"), free("t2", "flp002"), free("t3"))
    assert here.taken(wants(0, QUIET), wants(1, QUIET, ""), wants(2, QUIET)) == {0: "t1", 1: "t2", 2: "t3"}
    assert here.taken(*(wants(key, QUIET) for key in range(3))) == {0: "t1", 1: "t3"}


def test_all_constraints_of_role_and_class_must_hold() -> None:
    rack = Constraint(attribute="rack", value="b")
    spare = replace(QUIET, constraints=(Constraint(attribute="kind", value="spare"),))
    here = Here(free("t1"))
    assert here.taken(wants(0, QUIET, constraints=(rack,))) == {0: "t1"}
    assert here.taken(wants(0, spare, constraints=(rack,))) == {}


def test_a_host_that_is_drained_or_silent_gives_no_task() -> None:
    assert Here(free("t1"), closed={"flp001": "is drained"}).taken(wants(0, QUIET, "")) == {}
    assert Here(free("t1"), flp001=ExecutorState.SILENT).taken(wants(0, QUIET, "")) == {}


def test_a_task_must_bind_what_is_wanted_and_is_found_by_its_new_aliases() -> None:
    here = Here(free("t1"))
    (task,) = here.claims.find([wants(0, QUIET, inbound=(Inbound(name="data", alias="new"),))]).values()
    assert task.endpoints == {"data": "tcp://*:9000", "::new": "tcp://*:9000"}
    assert [channel.name for channel in task.inbound] == ["data"]
    assert here.taken(wants(0, QUIET, inbound=(Inbound(name="more"),))) == {}
    assert here.taken(wants(0, QUIET, inbound=(Inbound(name="near"),))) == {}, "it is bound elsewhere than wanted"
    assert here.taken(wants(0, QUIET, inbound=(Inbound(name="near", addressing="ipc"),))) == {0: "t1"}


def test_a_basic_task_does_not_become_a_hook() -> None:
    basic = replace(QUIET, mode="basic")
    here = Here(free("t1", command=replace(free("t1").command, mode=ControlMode.BASIC)))
    assert here.taken(wants(0, basic)) == {0: "t1"}
    assert here.taken(wants(0, basic, traits=Traits(trigger="before_CONFIGURE"))) == {}


async def test_tasks_of_one_environment_go_on_in_the_next_and_missing_ones_are_started(facility: Facility) -> None:
    core, quiet = await facility.core(), facility.direct()
    acquirer = Acquirer(core.backend, core.roster, record=facility.disk.put_tasks, reuses=True)
    first = await core.active(await core.acquire(wants(0, quiet), wants(1, quiet, "flp002")))
    core.roster.release([task.task_id for task in first])
    asked = [
        wants(key, quiet, host, environment_id="2next", critical=False) for key, host in ((7, "flp002"), (8, "flp002"))
    ]
    async with asyncio.timeout(DEADLINE_S):
        acquired = await acquirer.acquire("2next", asked, timeout_s=DEADLINE_S, ids=new_id)
    again, fresh = await core.active(acquired)
    assert again.task_id == first[1].task_id and again.pid == first[1].pid and fresh.task_id != again.task_id
    assert again.locked and (again.environment_id, again.role_path, again.critical) == ("2next", "top.flp002.7", False)
    assert (await core.drive("CONFIGURE", "STANDBY", "CONFIGURED", [again.task_id])) == {again.task_id: ""}
    assert core.roster.of_environment("") == [core.task(first[0].task_id)]


async def test_what_cannot_be_recorded_is_not_taken_over(facility: Facility) -> None:
    core, quiet = await facility.core(), facility.direct()
    acquirer = Acquirer(core.backend, core.roster, record=facility.disk.put_tasks, reuses=True)
    (task,) = await core.active(await core.acquire(wants(0, quiet)))
    core.roster.release([task.task_id])
    facility.disk.is_full = True
    with pytest.raises(AliecsError, match="disk is full"):
        await acquirer.acquire("2next", [wants(0, quiet)], timeout_s=DEADLINE_S, ids=new_id)
    assert core.task(task.task_id).claimable
