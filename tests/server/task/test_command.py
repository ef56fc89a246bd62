"""The command of a task (workflows-config.md 5.3)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from golden_workflows import reference_folder

from executor.api.messages import ControlMode
from occ.errors import ConfigError
from server.task.command import ResolvedCommand, finish_command, resolve_command
from server.template.documents import parse, read
from server.template.model import Command, Inbound, Outbound, TaskClass
from server.template.taskclass import read_task_class


def resolve(
    command: Command | None = None, *, mode: str = "basic", stack: dict[str, str] | None = None, trigger: str = "",
    timeout: str = "0s", defaults: dict[str, str] | None = None, vars: dict[str, str] | None = None, **more: Any,
) -> ResolvedCommand:  # fmt: skip
    task_class = TaskClass(
        identifier="repo/tasks/t@h",
        name="t",
        mode=mode,
        defaults=defaults or {},
        vars=vars or {},
        command=command or Command(),
    )
    return resolve_command(
        task_class, stack or {}, task_id="T1", task_name="t#T1", hostname="flp001", environment_id="E1", role_path="w.a.t",
        trigger=trigger, timeout=timeout, **more,
    )  # fmt: skip


def test_role_variables_beat_class_defaults_and_those_beat_class_vars() -> None:
    found = resolve(
        Command(value="{{ a }} {{ b }} {{ c }}"), stack={"a": "role"}, defaults={"a": "default", "b": "default"},
        vars={"a": "var", "b": "var", "c": "var"},
    )  # fmt: skip
    assert found.value == "role default var"


@pytest.mark.parametrize(
    ("text", "limits"),
    [("limits: {cpu: 1.5, memory: 200}", (1.5, 200.0)), ("limits: {memory: 64}", (0.0, 64.0)), ("{}", (0.0, 0.0)),
     ("limits: {cpu: 0, memory: -1}", (0.0, 0.0))],
)  # fmt: skip
def test_limits_of_the_class_go_with_the_command_and_none_is_none(text: str, limits: tuple[float, float]) -> None:
    document = f"name: t\n{text if text != '{}' else ''}\ncommand:\n  value: x\n"
    task_class = read_task_class(parse(document, "tasks/t.yaml"), "t", "repo/tasks/t@h")
    found = resolve_command(
        task_class, {}, task_id="T", task_name="t", hostname="h", environment_id="E", role_path="w.t"
    )  # fmt: skip
    assert (found.cpu_limit, found.memory_limit_mb) == limits


def test_class_vars_see_class_defaults_but_defaults_do_not_see_each_other() -> None:
    assert resolve(Command(value="{{ v }}"), defaults={"d": "1"}, vars={"v": "<{{ d }}>"}).value == "<1>"
    with pytest.raises(ConfigError, match=r"task class t, defaults.e: unknown name d"):
        resolve(defaults={"d": "1", "e": "{{ d }}"})


def test_what_cannot_be_rendered_is_named_with_its_place_in_the_template() -> None:
    text = "name: t\nwants: {cpu: 1, memory: 1}\ncommand:\n  value: x\n  arguments:\n    - -a\n    - '{{ nope }}'\n"
    task_class = read_task_class(parse(text, "tasks/t.yaml"), "t", "repo/tasks/t@h")
    with pytest.raises(ConfigError, match=r"^tasks/t.yaml:7:7: task class t, arguments\[1\]: unknown name nope in"):
        resolve_command(
            task_class, {}, task_id="T", task_name="t", hostname="h", environment_id="E", role_path="w.t"
        )  # fmt: skip


def test_special_variables_beat_everything() -> None:
    text = "{{ task_id }} {{ task_name }} {{ task_hostname }} {{ environment_id }} {{ task_parent_role }}"
    found = resolve(
        Command(arguments=(text,)), stack={"task_id": "no", "environment_id": "no"}, defaults={"task_hostname": "no"}
    )
    assert found.arguments == ("T1 t#T1 flp001 E1 w.a.t",)


def test_every_part_of_a_command_is_rendered() -> None:
    part = "{{ x }}"
    found = resolve(
        Command(value=part, user=part, env=(f"A={part}",), arguments=(part, "-c"), stdout=part, stderr=" ALL "),
        stack={"x": "stdout"},
    )
    assert found == ResolvedCommand(
        value="stdout", shell=False, user="stdout", arguments=("stdout", "-c"), environment=("A=stdout",), stdout="stdout",
        stderr="all", mode=ControlMode.BASIC,
    )  # fmt: skip


def test_where_output_goes_is_one_of_three_words() -> None:
    assert resolve().stdout == "none"
    with pytest.raises(ConfigError, match="stdout: 'file' is not one of none, stdout, all"):
        resolve(Command(stdout="file"))
    with pytest.raises(ConfigError, match="stderr"):
        resolve(Command(stderr=""))


@pytest.mark.parametrize(
    ("mode", "trigger", "expected"),
    [
        ("basic", "", ControlMode.BASIC),
        ("basic", "before_X", ControlMode.HOOK),
        ("hook", "", ControlMode.HOOK),
        ("direct", "", ControlMode.DIRECT),
        ("fairmq", "", ControlMode.FAIRMQ),
    ],
)
def test_a_basic_task_with_a_trigger_is_a_hook(mode: str, trigger: str, expected: ControlMode) -> None:
    assert resolve(mode=mode, trigger=trigger).mode is expected


def test_a_control_mode_that_we_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match="kubectl_direct is not supported"):
        resolve(mode="kubectl_direct")


def test_the_timeout_of_a_role_is_for_hooks_and_basic_tasks() -> None:
    assert resolve(timeout="1m30s").timeout_s == 90
    assert resolve(mode="direct", timeout="1m30s").timeout_s == 0
    with pytest.raises(ConfigError, match="'soon' is no duration"):
        resolve(timeout="soon")


def test_a_fairmq_task_gets_the_arguments_of_its_plugin() -> None:
    found = resolve(Command(arguments=("-b",)), mode="fairmq")
    assert found.arguments == (
        "-b",
        "--id",
        "T1",
        "-S",
        "$CONTROL_OCCPLUGIN_ROOT/lib/",
        "-P",
        "OCClite",
        "--color",
        "false",
    )
    assert resolve(Command(arguments=("--id", "me")), mode="fairmq").arguments[:3] == ("--id", "me", "-S")


def test_a_placed_command_knows_its_port_and_host() -> None:
    direct = finish_command(resolve(mode="direct"), control_port=31000, hostname="flp001")
    assert direct.environment == ("OCC_CONTROL_PORT=31000", "O2_ROLE=flp001", "O2_SYSTEM=FLP")
    fairmq = finish_command(resolve(mode="fairmq"), control_port=31000, hostname="flp001")
    assert fairmq.arguments[-2:] == ("--control-port", "31000")
    basic = finish_command(resolve(Command(env=("O2_SYSTEM=EPN",))), control_port=0, hostname="flp001")
    assert basic.environment == ("O2_SYSTEM=EPN", "O2_ROLE=flp001")


def test_functions_of_services_may_be_given() -> None:
    assert resolve(Command(value="{{ plug.F('a') }}"), objects={"plug": {"F": lambda text: text * 2}}).value == "aa"


# ---- recorded --------------------------------------------------------------------------------------


@cache
def recorded() -> list[Any]:
    folder = reference_folder()
    path = folder / "golden" / "trees" / "task-commands.json" if folder else None
    return (
        [pytest.param(case, id=f"{case['task']}-{case['case']}") for case in json.loads(path.read_text())]
        if path
        else []
    )


def channel(one: Inbound | Outbound) -> dict[str, object]:
    shown = {
        "Name": one.name, "Type": one.type, "SndBufSize": one.snd_buf_size, "RcvBufSize": one.rcv_buf_size,
        "RateLogging": one.rate_logging, "Transport": one.transport, "Target": one.target,
    }  # fmt: skip
    return shown | ({"Global": one.alias, "Addressing": one.addressing} if isinstance(one, Inbound) else {})


@pytest.mark.reference
@pytest.mark.parametrize("case", recorded())
def test_a_production_task_gets_the_command_that_aliecs_gives_it(reference: Path, case: dict[str, Any]) -> None:
    (path,) = (reference / "corpus" / "ControlWorkflows-2026").glob(f"tasks/{case['task']}.yaml")
    task_class = read_task_class(read(path, path.parents[1]), path.stem, f"repo/tasks/{path.stem}@HASH")
    result = case["result"]
    assert [channel(one) for one in task_class.bind] == (result["bind"] or [])
    assert [channel(one) for one in task_class.connect] == (result["connect"] or [])
    assert task_class.mode == result["mode"]
    assert (task_class.wants.cpu, task_class.wants.memory) == (result["wants"]["Cpu"], result["wants"]["Memory"])
    found = resolve_command(
        task_class, case["role_stack"], task_id="TASKID", task_name="NAME", hostname="HOST", environment_id="ENVID",
        role_path="ROLE",
    )  # fmt: skip
    # What the engine appends to a FairMQ task is not in the recording.
    arguments = (
        found.arguments[: found.arguments.index("--id")] if found.mode is ControlMode.FAIRMQ else found.arguments
    )
    command = result["cmd"]
    assert found.value == command["value"]
    assert found.shell == command["shell"]
    assert found.user == command["user"]
    assert list(found.environment) == command.get("env", [])
    assert list(arguments) == command.get("arguments", [])
    assert (found.stdout, found.stderr) == (command["stdout"], command["stderr"])
