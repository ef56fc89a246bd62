"""Hosts that are drained and executors that are restarted, on a real core with real executors and tasks."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from facility import Facility

WHY = "disk 3 is dying"


async def told(facility: Facility, *words: str) -> Any:
    code, said = await facility.aliecs("-o", "json", *words)
    assert code == 0, said
    return json.loads(said)


def audited(facility: Facility, what: str) -> list[dict[str, Any]]:
    """Return what the audit log has of a kind of act, when it was over."""
    lines = [line for line in facility.log().splitlines() if f"over what={what} " in line and "server.audit" in line]
    return [json.loads(line[line.index("{") :]) for line in lines]


async def test_nothing_new_comes_to_a_drained_host_also_after_a_crash_of_the_core(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    done = await told(facility, "host", "drain", "flp001", "--why", WHY)
    assert (done["drain"]["why"], done["tasks"], "@" in done["drain"]["who"]) == (WHY, 4, True)
    assert await facility.state_of(made.id) == "CONFIGURED"
    await facility.kill()
    await facility.start()
    store = await facility.shows(
        lambda it: bool((host := it.hosts.get("flp001")) and host.executor_state == "ATTACHED")
    )
    drain = store.hosts["flp001"].drain
    assert drain is not None and drain.why == WHY
    await facility.destroy(made.id)
    code, said = await facility.aliecs("env", "plan", "flow", "--hosts", "flp001")
    assert f"host flp001: is drained by {drain.who} since" in said and WHY in said, said
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await facility.create("flow", ["flp001"])
    assert "host flp001: is drained by" in str(refused.value.details()) and WHY in str(refused.value.details())
    assert (await told(facility, "host", "undrain", "flp001"))["drain"] is None
    again = await facility.create("flow", ["flp001"])
    assert again.state == "CONFIGURED"
    assert [(one["host"], one["why"]) for one in audited(facility, "DrainHost")] == [("flp001", WHY)]
    code, said = await facility.aliecs("host", "drain", "flp999")
    assert (code, "no host flp999: there are flp001, flp002" in said) == (5, True), said


async def test_an_executor_is_restarted_with_its_tasks_only_by_force(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    before = await told(facility, "host", "show", "flp001")
    code, said = await facility.aliecs("host", "restart", "flp001")
    assert (code, f"runs 4 tasks of environment {made.id}, and they would end with it" in said) == (6, True), said
    sure = ("--force", "--confirm", "flp001", "--reason", "it leaks memory")
    after = await told(facility, "host", "restart", "flp001", *sure)
    assert (after["executor_state"], after["tasks"]) == ("ATTACHED", 0)
    assert after["pid"] not in (0, before["pid"]) and after["executor_id"] != before["executor_id"]
    assert before["pid"] not in facility.processes() and after["pid"] in facility.processes()
    await facility.shows(lambda it: bool((one := it.environment(made.id)) and one.state == "ERROR"))
    await facility.destroy(made.id, force=True)
    acts = audited(facility, "RestartExecutor")
    assert [(one["error"] == "", one["reason"], one["was"]) for one in acts] == [
        (False, "", "ATTACHED"), (True, "it leaks memory", "ATTACHED"),
    ]  # fmt: skip
    assert (await facility.create("flow", ["flp001"])).state == "CONFIGURED"


async def test_tasks_of_no_environment_are_ended_and_forgotten_by_a_restart(facility: Facility) -> None:
    made = await facility.create("flow", ["flp001"])
    await facility.destroy(made.id, keepTasks=True)
    before = await told(facility, "host", "show", "flp001")
    assert before["tasks"] > 0
    after = await told(facility, "host", "restart", "flp001")
    assert (after["executor_state"], after["tasks"], await facility.tasks()) == ("ATTACHED", 0, [])
