"""What people get wrong: status, reason, place and hint of each, and nothing changed afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import grpc
import pytest
from facility import Facility, error_info

from server.api import o2control_pb2 as pb

CASES = [
    # template, hosts, variables, reason, what the message says, where it says it happened
    ("nothing-like-it", None, {}, "TEMPLATE_NOT_FOUND", "nothing-like-it", {}),
    (
        "missing-variable",
        None,
        {},
        "VARIABLE_MISSING",
        "unknown name nowhere in {{ nowhere }}",
        {"file": "missing-variable.yaml", "line": "3", "column": "17", "role": "missing-variable.x-{{ nowhere }}"},
    ),
    ("bad-yaml", None, {}, "TEMPLATE_BROKEN", "bad-yaml.yaml", {"line": "4"}),
    ("flow", ["flp009"], {}, "HOST_UNKNOWN", "flp009", {"host": "flp009"}),
    ("lonely", None, {}, "DEPLOYMENT_FAILED", "flp009", {"role": "lonely.sink"}),
    ("nocommand", None, {}, "DEPLOYMENT_FAILED", "exit code 127", {"role": "nocommand.t", "host": "flp001"}),
    ("noport", None, {}, "DEPLOYMENT_FAILED", "no news for 12 s", {"role": "noport.t"}),
    (
        "flow",
        ["flp001"],
        {"source_fail_on": "CONFIGURE"},
        "DEPLOYMENT_FAILED",
        "source",
        {"role": "flow.host-flp001.source", "host": "flp001"},
    ),
]


EXIT_CODES = {
    "TEMPLATE_NOT_FOUND": 5,
    "HOST_UNKNOWN": 5,
    "VARIABLE_MISSING": 2,
    "TEMPLATE_BROKEN": 2,
    "DEPLOYMENT_FAILED": 7,
}


@pytest.mark.parametrize(
    ("template", "hosts", "variables", "reason", "text", "where"), CASES, ids=[f"{c[0]}-{c[3]}" for c in CASES]
)
async def test_a_creation_that_cannot_work_says_what_where_and_leaves_nothing(
    facility: Facility,
    template: str,
    hosts: list[str] | None,
    variables: dict[str, str],
    reason: str,
    text: str,
    where: dict[str, str],
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await facility.create(template, hosts, **variables)
    error = caught.value
    info = error_info(error)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert (error.details() or "").startswith("cannot create new environment: ")
    assert info.reason == reason, error.details()
    assert text in f"{error.details()} {info.metadata.get('hint', '')}", error.details()
    for key, value in where.items():
        assert value in info.metadata[key], f"{key}: {dict(info.metadata)}"
    if template == "noport":  # its time may be over before it is placed: it is ended once it is there
        await facility.shows(lambda store: not store.tasks())
    assert not await facility.tasks()
    assert not (await facility.control.GetActiveDetectors(pb.Empty())).detectors
    assert not (await facility.control.GetEnvironments(pb.GetEnvironmentsRequest(showAll=True))).environments
    assert "Traceback" not in facility.log()
    words = ["env", "create", template]
    words += ["--hosts", ",".join(hosts)] if hosts else []
    words += [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
    code, said = await facility.aliecs(*words)
    assert code == EXIT_CODES[reason], said
    assert text in said and "Traceback" not in said
    if template == "noport":
        await facility.shows(lambda store: not store.tasks())
    assert not await facility.tasks()


async def test_what_a_template_may_not_mean_is_logged_with_its_place(facility: Facility) -> None:
    environment = await facility.create("traps", None, **{"role:name": "lost"})
    log = facility.log()
    for said in (
        "workflows/traps.yaml:3:13: defaults.untagged is neither text nor tagged !public",
        "workflows/traps.yaml:6:14: role traps.never is disabled, its enabled is 'yes'",
    ):
        assert f"template env={environment.id}: {said}" in log
    assert "names=role:name" in log


async def test_two_environments_cannot_have_one_detector(facility: Facility) -> None:
    first = await facility.create("flow", ["flp001"])
    tasks = {task.taskId for task in await facility.tasks()}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await facility.create("flow", ["flp001", "flp002"])
    info = error_info(caught.value)
    assert info.reason == "DETECTOR_IN_USE" and info.metadata["environment"] == first.id
    assert "detector ITS is already in use" in (caught.value.details() or "")
    assert {task.taskId for task in await facility.tasks()} == tasks
    assert list((await facility.control.GetActiveDetectors(pb.Empty())).detectors) == ["ITS"]
    assert (await facility.aliecs("env", "create", "flow", "--hosts", "flp001"))[0] == 6


async def test_of_two_creations_at_once_one_gets_the_detector(facility: Facility) -> None:
    results = await asyncio.gather(
        facility.create("flow", ["flp001"]), facility.create("flow", ["flp001"]), return_exceptions=True
    )
    failed = [one for one in results if isinstance(one, grpc.aio.AioRpcError)]
    assert len(failed) == 1 and error_info(failed[0]).reason == "DETECTOR_IN_USE"


async def test_a_transition_that_is_not_legal_now_is_refused_and_changes_nothing(facility: Facility) -> None:
    environment = await facility.create("flow", ["flp001"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await facility.ask(environment.id, "STOP_ACTIVITY")
    info = error_info(caught.value)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert (info.reason, info.metadata["state"]) == ("ILLEGAL_TRANSITION", "CONFIGURED")
    assert await facility.state_of(environment.id) == "CONFIGURED"
    code, said = await facility.aliecs("env", "stop", environment.id, "--yes", "--confirm", environment.id)
    assert code == 6 and "needs RUNNING" in said
    code, said = await facility.aliecs("env", "show", "2oDvieFrVTi")
    assert code == 5 and "2oDvieFrVTi" in said


async def test_a_task_that_ends_itself_during_start_leads_to_error_with_its_exit_code(facility: Facility) -> None:
    environment = await facility.create("flow", ["flp001"], sink_exit_on="START")
    reply = await facility.ask(environment.id, "START_ACTIVITY")
    assert reply.state == "ERROR"
    key = ("fault", environment.id)
    fault = (await facility.watch_until(lambda seen: key in seen))[key]
    assert (fault.task, fault.host) == ("sink", "flp001")
    assert "exit code 3" in fault.what + fault.cause


async def test_a_port_that_is_taken_is_told(facility: Facility) -> None:
    command = Path(sys.executable).parent / "aliecs-server"
    other = facility.folder / "other"
    process = await asyncio.create_subprocess_exec(
        str(command), f"--controlPort={facility.port}", "--bindAddress=127.0.0.1", f"--coreWorkingDir={other}",
        stderr=asyncio.subprocess.PIPE, env=dict(os.environ) | {"ALIECS_INSTANCE": facility.instance},
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert f"port {facility.port} on 127.0.0.1 is taken" in said.decode() and "Traceback" not in said.decode()
