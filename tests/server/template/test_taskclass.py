"""Task templates: from YAML to TaskClass (workflows-config.md 5.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.api.errors import CoreError, Reason
from server.template.documents import parse, read
from server.template.model import Command, Constraint, Inbound, Outbound, TaskClass, Wants
from server.template.taskclass import read_task_class


def read_text(text: str) -> TaskClass:
    return read_task_class(parse(text, "tasks/t.yaml"), "t", "repo/tasks/t@hash")


MINIMAL = "name: t\nwants: {cpu: 1, memory: 2}\ncommand: {value: x}\n"


def test_every_key_of_a_task_template_is_read() -> None:
    found = read_text(
        """
name: t
defaults: {a: 1.50, b: , c: yes}
vars: {d: x}
properties: {e: "{{ a }}"}
control: {mode: FairMQ}
wants: {cpu: "0.15", memory: 128, ports: "9000-9002, 9005"}
limits: {cpu: 2, memory: 1e3}
bind: [{name: in, type: PUSH, transport: shmem, addressing: ipc, global: g, sndBufSize: "4", rateLogging: "{{ r }}"}]
connect: [{name: out, type: pull, target: "tcp://h:1"}]
constraints: [{attribute: machine_type, value: flp}]
command:
  shell: " TRUE "
  value: echo
  user: flp
  env: [A=1, B=2]
  arguments: [-c, 5, true]
  stdout: all
  stderr: "{{ e }}"
"""
    )
    assert found == TaskClass(
        identifier="repo/tasks/t@hash",
        name="t",
        mode="fairmq",
        defaults={"a": "1.50", "b": "", "c": "yes"},
        vars={"d": "x"},
        properties={"e": "{{ a }}"},
        wants=Wants(cpu=0.15, memory=128.0, ports=((9000, 9002), (9005, 9005))),
        cpu_limit=2.0,
        memory_limit=1000.0,
        bind=(
            Inbound(
                name="in", type="push", transport="shmem", addressing="ipc", alias="g", snd_buf_size=4, rate_logging="{{ r }}"
            ),
        ),
        connect=(Outbound(name="out", type="pull", target=""),),
        constraints=(Constraint(attribute="machine_type", value="flp"),),
        command=Command(
            shell=True, value="echo", user="flp", env=("A=1", "B=2"), arguments=("-c", "5", "true"), stdout="all",
            stderr="{{ e }}",
        ),
        places={"properties.e": (5, 17), "stderr": (19, 11)},
    )  # fmt: skip


def test_what_is_left_out_has_its_default() -> None:
    found = read_text(MINIMAL)
    assert (found.mode, found.cpu_limit, found.bind, found.command.stdout) == ("direct", None, (), None)


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("basic", "basic"),
        ("HOOK", "hook"),
        ("nonsense", "direct"),
        ("", "direct"),
        ('"basic"', "basic"),
        (" basic", "direct"),
    ],
)
def test_an_unknown_control_mode_is_direct(written: str, mode: str) -> None:
    assert read_text(f"{MINIMAL}control: {{mode: '{written}'}}").mode == mode


def test_the_old_key_log_stands_for_stdout() -> None:
    assert read_text("name: t\nwants: {cpu: 1, memory: 1}\ncommand: {value: x, log: all}").command.stdout == "all"
    assert read_text("name: t\nwants: {cpu: 1, memory: 1}\ncommand: {log: all, stdout: none}").command.stdout == "none"


def test_items_that_are_null_are_no_arguments_and_no_environment() -> None:
    text = "command:\n  value: x\n  env: [~, A=1]\n  arguments: [a, null, '', '{{ b }}', 'null']\n"
    place = parse(f"name: t\nwants: {{cpu: 1, memory: 1}}\n{text}", "tasks/t.yaml")
    found = read_task_class(place, "t", "i")
    assert (found.command.env, found.command.arguments) == (("A=1",), ("a", "", "{{ b }}", "null"))
    assert found.places == {"arguments[2]": (6, 28)}
    assert [(one.rule, one.line, one.column) for one in place.remarks] == [("empty-item", 5, 9), ("empty-item", 6, 18)]


def test_a_limit_that_is_null_is_none() -> None:
    found = read_text(MINIMAL + "limits: {cpu: , memory: 1_000}")
    assert (found.cpu_limit, found.memory_limit) == (None, 1000.0)


def test_variables_that_are_null_are_empty() -> None:
    found = read_text(MINIMAL + "defaults: {a: ~, b: , ~: c}\nvars: {a: null}\nproperties:\n  p:\n")
    assert (found.defaults, found.vars, found.properties) == ({"a": "", "b": ""}, {"a": ""}, {"p": ""})


def test_missing_wants_are_zero_and_remarked() -> None:
    place = parse("name: t\ncommand: {value: x}", "tasks/t.yaml")
    assert read_task_class(place, "t", "repo/tasks/t@hash").wants == Wants()
    assert [(remark.rule, remark.line) for remark in place.remarks] == [("no-wants", 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: other\ncommand: {value: x}", "but the file is called"),
        ("command: {value: x}", "but the file is called"),
        ("name: t", "needs a command"),
        (MINIMAL + "defaults: {a: {b: c}}", "plain text"),
        (MINIMAL + "defaults: {a: !public {value: c}}", "plain text"),
        (MINIMAL + "vars: [a]", "mapping"),
        (MINIMAL + "limits: {cpu: lots}", "number"),
        (MINIMAL + "limits: {cpu: nan}", "number"),
        ("name: t\nwants: {ports: 9000-x}\ncommand: {value: x}", "wants.ports"),
        (MINIMAL + "bind: [{name: b, transport: pigeon}]", "transport"),
        (MINIMAL + "bind: {name: b}", "list"),
        ("name: t\ncommand: {arguments: x}", "list"),
        ("name: t\ncommand: {stdout: all, log: [all]}", "command.log must be plain text"),
        ("", "the file is empty"),
        ("- t", "mapping"),
    ],
)
def test_a_broken_task_template_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(CoreError, match=said) as caught:
        read_text(text)
    assert caught.value.reason is Reason.TEMPLATE_BROKEN
    assert caught.value.where["file"] == "tasks/t.yaml"
    assert int(caught.value.where["line"]) >= 1


@pytest.mark.reference
def test_every_production_task_template_can_be_read(reference: Path) -> None:
    paths = sorted((reference / "corpus").glob("*/tasks/*.yaml"))
    assert paths
    for path in paths:
        assert read_task_class(read(path, path.parents[1]), path.stem, "id").command.value
