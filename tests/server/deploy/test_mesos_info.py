"""What core and Mesos say to each other, as plain values."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from executor.__main__ import settings_in
from executor.api import executor_pb2
from executor.api.convert import command_from_pb, report_to_pb
from executor.api.messages import ControlMode, Launch, Phase, TaskReport, TaskReports, TaskSpec
from executor.api.options import OPTIONS, ExecutorOptions
from executor.settings import Settings
from server.deploy.host import Held
from server.deploy.mesos_info import (
    ExecutorSettings,
    executor_info,
    framework_info,
    how_executor_ended,
    how_task_ended,
    offer_from,
    report_in,
    task_info,
)

SETTINGS = ExecutorSettings(path="/opt/aliecs/bin/aliecs-executor")
SPEC = TaskSpec(
    task_id="t1", environment_id="2env", class_name="repo/tasks/sink@0a", mode=ControlMode.DIRECT, value="sink",
    detector="TPC",
)  # fmt: skip


def scalar(name: str, value: float, **more: object) -> dict[str, object]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def offer(*resources: dict[str, object], **more: object) -> dict[str, object]:
    return {
        "id": {"value": "O1"},
        "agent_id": {"value": "S1"},
        "hostname": "flp001.cern",
        "url": {"scheme": "http", "address": {"hostname": "flp001.cern", "ip": "10.0.0.1", "port": 5052}},
        "resources": resources,
        **more,
    }


def test_only_unreserved_resources_of_an_offer_count() -> None:
    ports = {"begin": 9000, "end": 9009}, {"begin": 9010, "end": 9010}
    seen = offer_from(
        offer(
            scalar("cpus", 2.0, role="*"),
            scalar("cpus", 1.5),
            scalar("cpus", 4.0, role="other"),
            scalar("cpus", 4.0, reservations=[{"type": "STATIC", "role": "other"}]),
            scalar("mem", 100.9, role="*", allocation_info={"role": "*"}),
            {"name": "ports", "type": "RANGES", "ranges": {"range": list(ports)}},
        )
    )
    assert (seen.cpus, seen.memory_mb, seen.ports) == (3.5, 100, ((9000, 9010),))
    assert (seen.address, seen.port, seen.hostname) == ("10.0.0.1", 5052, "flp001.cern")


def test_only_texts_are_attributes_and_the_first_of_a_name_counts() -> None:
    attributes = [
        {"name": "machine_id", "type": "TEXT", "text": {"value": "flp001"}},
        {"name": "machine_id", "type": "TEXT", "text": {"value": "flp002"}},
        {"name": "rack", "type": "SCALAR", "scalar": {"value": 3}},
    ]
    seen = offer_from(offer(attributes=attributes, executor_ids=[{"value": "x1"}]))
    assert (dict(seen.attributes), seen.executor_ids) == ({"machine_id": "flp001"}, ("x1",))


def test_an_executor_is_started_by_its_absolute_path_and_knows_its_host() -> None:
    libraries = {"executor_env_LD_LIBRARY_PATH": "/opt/lib"}
    info = executor_info("x1", SETTINGS, host="flp001", instance="i1", attributes=libraries)
    command = info["command"]
    assert (command["shell"], command["value"], command["arguments"]) == (False, SETTINGS.path, [SETTINGS.path])
    variables = {one["name"]: one["value"] for one in command["environment"]["variables"]}
    assert variables == {"ALIECS_HOST": "flp001", "ALIECS_INSTANCE": "i1", "LD_LIBRARY_PATH": "/opt/lib"}
    assert info["resources"] == [scalar("cpus", 0.01), scalar("mem", 64.0)]
    assert info == executor_info("x1", SETTINGS, host="flp001", instance="i1", attributes=libraries)


def test_what_an_executor_is_asked_for_goes_with_its_environment_and_comes_out_as_its_settings() -> None:
    options = ExecutorOptions(
        output_file_bytes=1000, output_older_files=1, kept_tasks=7, kept_days=0.5, task_limits="off"
    )
    info = executor_info("x1", replace(SETTINGS, options=options), host="flp001", instance="i1", attributes={})
    variables = {one["name"]: one["value"] for one in info["command"]["environment"]["variables"]}
    found = settings_in(variables[OPTIONS] + " --of-a-newer-core 1")
    assert found == Settings(
        output_file_bytes=1000, output_older_files=1, kept_tasks=7, kept_tasks_s=43200.0, task_limits="off"
    )  # fmt: skip
    assert settings_in("") == Settings()


def test_an_executor_in_an_image_has_the_network_of_its_host() -> None:
    settings = ExecutorSettings(path="/opt/aliecs/bin/aliecs-executor", image="aliecs/executor:1")
    info = executor_info("x1", settings, host="flp001", instance="i1", attributes={})
    assert info["container"] == {
        "type": "DOCKER",
        "docker": {
            "image": "aliecs/executor:1",
            "network": "HOST",
            "parameters": [{"key": "entrypoint", "value": settings.path}],
        },
    }
    assert set(info["command"]) == {"shell", "environment"}
    assert "container" not in executor_info("x1", SETTINGS, host="flp001", instance="i1", attributes={})


def test_a_task_carries_our_own_launch_and_all_that_it_takes() -> None:
    held = Held(0.51, 164.0, (30001, 9000, 9001), "x1")
    info = task_info(
        SPEC, "c1", agent_id="S1", executor={"executor_id": {"value": "x1"}}, held=held, takes_limits=False
    )
    message = executor_pb2.Command.FromString(base64.b64decode(info["data"]))
    assert command_from_pb(message) == Launch(command_id="c1", tasks=(SPEC,))
    assert (info["name"], info["task_id"], info["agent_id"]) == (
        "repo/tasks/sink@0a#t1", {"value": "t1"}, {"value": "S1"},
    )  # fmt: skip
    assert info["labels"]["labels"] == [
        {"key": "environmentId", "value": "2env"}, {"key": "detector", "value": "TPC"},
    ]  # fmt: skip
    ports = [{"begin": 9000, "end": 9001}, {"begin": 30001, "end": 30001}]
    assert info["resources"] == [
        scalar("cpus", 0.51),
        scalar("mem", 164.0),
        {"name": "ports", "type": "RANGES", "ranges": {"range": ports}},
    ]
    nothing = task_info(SPEC, "c1", agent_id="S1", executor={}, held=Held(0.0, 0.0, (), "x1"), takes_limits=False)
    assert nothing["resources"] == []
    assert "limits" not in info


@pytest.mark.parametrize(
    ("cpu", "memory_mb", "limits"),
    [
        (0.0, 0.0, {"cpus": {"value": "Infinity"}, "mem": {"value": "Infinity"}}),
        (2.0, 0.0, {"cpus": {"value": 2.0}, "mem": {"value": "Infinity"}}),
        (0.5, 100.0, {"cpus": {"value": 0.51}, "mem": {"value": 164.0}}),
    ],
)
def test_agents_that_take_limits_are_told_those_of_the_class_and_where_there_is_none(
    cpu: float, memory_mb: float, limits: dict[str, object]
) -> None:
    spec = msgspec.structs.replace(SPEC, cpu_limit=cpu, memory_limit_mb=memory_mb)
    info = task_info(spec, "c1", agent_id="S1", executor={}, held=Held(0.51, 164.0, (), "x1"), takes_limits=True)
    assert info["limits"] == limits
    assert "Infinity" not in json.dumps(info).replace('"Infinity"', "")


def test_what_an_agent_can_is_read_from_what_the_driver_adds_to_its_offer() -> None:
    assert offer_from(offer(agent_capabilities=["MULTI_ROLE", "TASK_RESOURCE_LIMITS"])).takes_limits
    assert not offer_from(offer(agent_capabilities=["MULTI_ROLE"])).takes_limits
    assert not offer_from(offer()).takes_limits


def test_a_framework_that_comes_back_names_its_id() -> None:
    def made(framework_id: str) -> dict[str, object]:
        return framework_info(
            user="root", name="aliecs", failover_timeout_s=3.6e6, checkpoint=True, roles=(), principal="", hostname="",
            framework_id=framework_id,
        )  # fmt: skip

    assert made("f1")["id"] == {"value": "f1"}
    assert "id" not in made("") and "principal" not in made("")
    assert made("")["capabilities"] == [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}]
    assert made("")["roles"] == ["*"]


def test_a_framework_has_the_labels_that_it_is_given() -> None:
    def made(*labels: tuple[str, str]) -> dict[str, object]:
        return framework_info(
            user="root", name="aliecs", failover_timeout_s=0, checkpoint=True, roles=(), principal="", hostname="",
            framework_id="", labels=labels,
        )  # fmt: skip

    assert "labels" not in made()
    shown = [{"key": "site", "value": "p2"}, {"key": "spare", "value": ""}]
    assert made(("site", "p2"), ("spare", ""))["labels"] == {"labels": shown}


def test_ends_are_told_in_words() -> None:
    assert how_executor_ended(1792) == "ended with exit code 7"
    assert how_executor_ended(9) == "was killed by signal 9 (SIGKILL)"
    assert how_executor_ended(-1) == "was not started, or ended unseen"
    status = {"state": "TASK_ERROR", "message": "Too much\nmore", "reason": "REASON_TASK_INVALID"}
    assert how_task_ended(status) == "TASK_ERROR: Too much (REASON_TASK_INVALID)"
    assert how_task_ended({"state": "TASK_LOST"}) == "TASK_LOST"


def test_an_update_of_our_executor_carries_its_own_words() -> None:
    report = TaskReport(
        task_id="t1", environment_id="2env", phase=Phase.ENDED, final_status="TASK_FAILED", exit_code=3,
        error="ended with exit code 3",
    )  # fmt: skip
    data = base64.b64encode(report_to_pb(TaskReports(tasks=(report,))).SerializeToString()).decode()
    status = {"task_id": {"value": "t1"}, "state": "TASK_FAILED", "source": "SOURCE_EXECUTOR", "data": data}
    assert report_in(status) == report
    assert report_in(status | {"source": "SOURCE_AGENT"}) is None
    assert report_in(status | {"task_id": {"value": "t2"}}) is None
    assert report_in(status | {"data": "bm90IG91cnM="}) is None


@pytest.mark.reference
def test_offers_of_a_real_master_are_understood(reference: Path) -> None:
    text = (reference / "golden" / "mesos" / "02-custom-executor-scheduler-api.txt").read_text()
    records = re.findall(r'RECORD \(\d+ bytes\)\n(\{\n "type": "OFFERS".*?\n\})\n', text, re.S)
    offers = [offer_from(one) for record in records for one in json.loads(record)["offers"]["offers"]]
    assert len(offers) > 2
    assert offers[0].attributes["machine_id"] == "flp001"
    assert (offers[0].cpus, offers[0].memory_mb, offers[0].ports) == (4.0, 4096, ((31000, 32000),))
    assert any(one.executor_ids for one in offers)
