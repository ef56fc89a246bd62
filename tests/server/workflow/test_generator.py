"""Templates made of DPL commands by a program that behaves like one of DPL: names, many at once, reuse."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from dpl_machine import Machine

from server.api.errors import CoreError
from server.workflow.generated import KEEP_S, GeneratedTemplates


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_command_becomes_a_workflow_whose_task_classes_are_loaded_too(machine: Machine) -> None:
    (machine.repository / "jit" / "its").write_text("o2-fake --devices {{ devices }}\n")
    workflow = machine.load(
        "name: w\nroles: [{name: d, include: \"{{ dpl.GenerateFromUri('its') }}\"}]", devices="reader,filter,writer"
    )
    made = workflow.root.roles[0]
    assert [role.name for role in made.roles] == ["reader", "filter", "writer"]
    assert made.roles[1].connect[0].target == "w.d.reader:from_reader_to_filter"
    assert {one.name for one in workflow.classes.values()} == {f"{made.include}-{role.name}" for role in made.roles}
    assert made.roles[0].load == f"{machine.repository}/tasks/{made.include}-reader@abc"
    assert sorted(machine.repository.rglob("jit-*")) == []


def test_the_name_is_the_digest_of_all_that_matters(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.profile.parent / "bin").mkdir()
    rpm = machine.profile.parent / "bin" / "rpm"
    rpm.write_text("#!/bin/sh\necho o2-O2-1.0 for $*\n")
    rpm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{rpm.parent}{os.pathsep}{os.environ['PATH']}")
    machine.services.payloads["qc/ANY/any/one"] = "first"
    machine.services.payloads["qc/ANY/any/two"] = "second"
    command = "o2-fake --config apricot://a:1/o2/components/qc/ANY/any/one --config 'consul-json://b/components/qc/ANY/any/two'"
    name = machine.generate(command, jit_env_vars="A=1 B=2")
    told = f"source {machine.profile} && {command}o2-O2-1.0 for -qa o2-O2 o2-QualityControl\nA=1 B=2firstsecond"
    assert name == f"jit-{hashlib.sha1(told.encode()).hexdigest()}"


def test_a_command_in_the_template_itself_is_generated_as_well(machine: Machine) -> None:
    workflow = machine.load("name: w\nroles: [{name: d, include: \"{{ dpl.Generate('o2-fake --devices one') }}\"}]")
    assert [role.name for role in workflow.root.roles[0].roles] == ["one"]


def test_a_command_file_that_is_not_there_falls_back_to_the_template_of_that_name(machine: Machine) -> None:
    (machine.repository / "workflows" / "static.yaml").write_text("name: static\nroles: [{name: t, task: {load: x}}]")
    (machine.repository / "tasks" / "x.yaml").write_text(
        "name: x\nwants: {cpu: 1, memory: 1}\ncommand: {value: 'true'}"
    )
    text = "name: w\nroles: [{name: d, include: \"{{ dpl.GenerateFromUriOrFallbackToTemplate('static') }}\"}]"
    assert machine.load(text).root.roles[0].include == "static"
    (machine.repository / "jit" / "static").write_text("o2-fake")
    assert machine.load(text).root.roles[0].include.startswith("jit-")


@pytest.mark.parametrize("function", ["Generate", "GenerateFromUri", "GenerateFromUriOrFallbackToTemplate"])
def test_none_is_no_command(machine: Machine, function: str) -> None:
    with pytest.raises(CoreError, match="dplCommand is 'none'"):
        machine.load(f"name: w\nroles: [{{name: d, include: \"{{{{ dpl.{function}('none') }}}}\"}}]")


def test_variables_for_the_generator_are_exported_and_lines_are_joined(machine: Machine) -> None:
    command = "echo $ONE-$TWO \\\n  three | cat && o2-fake \\\n --do\nfail"
    error = machine.refused(command, jit_env_vars="ONE=1 TWO=2")
    assert "1-2 three\n" in error.message
    assert "exit code 3" in error.message


# ---- many at once ----------------------------------------------------------------------


def test_the_commands_of_one_workflow_run_side_by_side(machine: Machine, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # whoever opens it waits for the other
    (machine.repository / "jit" / "one").write_text(f"echo go > {fifo} && o2-fake --devices one")
    (machine.repository / "jit" / "two").write_text(f"cat {fifo} && o2-fake --devices two --count {machine.runs}")
    text = """
name: w
roles:
  - {name: a, include: "{{ dpl.GenerateFromUri('one') }}"}
  - {name: b, include: "{{ dpl.GenerateFromUri('two') }}"}
  - {name: c, include: "{{ dpl.GenerateFromUri('two') }}"}
"""
    workflow = machine.load(text)
    assert [role.roles[0].name for role in workflow.root.roles] == ["one", "two", "two"]
    assert machine.counted() == 1
    assert machine.load(text) == workflow
    assert machine.counted() == 1


def test_of_commands_side_by_side_the_first_that_fails_is_told_and_the_others_are_kept(machine: Machine) -> None:
    (machine.repository / "jit" / "good").write_text(f"o2-fake --count {machine.runs}")
    (machine.repository / "jit" / "bad").write_text(f"o2-fake --count {machine.runs} --do fail")
    text = """
name: w
roles:
  - {name: a, include: "{{ dpl.GenerateFromUri('bad') }}"}
  - {name: b, include: "{{ dpl.GenerateFromUri('good') }}"}
"""
    with pytest.raises(CoreError, match=r"role w\.a: the DPL command bad failed with exit code 3"):
        machine.load(text)
    assert machine.counted() == 2
    assert len(machine.left()) == 1


def test_an_error_elsewhere_is_told_although_commands_were_run(machine: Machine) -> None:
    (machine.repository / "jit" / "good").write_text("o2-fake")
    text = """
name: w
roles:
  - {name: a, include: "{{ dpl.GenerateFromUri('good') }}"}
  - {name: '{{ nobody }}', roles: [{name: t, task: {load: x}}]}
"""
    with pytest.raises(CoreError, match="unknown name nobody"):
        machine.load(text)


# ---- reuse --------------------------------------------------------------------------------


def test_what_was_made_is_used_again(machine: Machine) -> None:
    names = {machine.generate(f"o2-fake --count {machine.runs}") for _ in range(3)}
    assert len(names) == 1
    assert machine.counted() == 1


def test_what_the_repository_holds_already_is_used(machine: Machine) -> None:
    name = machine.generate(f"o2-fake --count {machine.runs}")
    GeneratedTemplates(machine.generated).clear()
    assert machine.left() == []
    (machine.repository / "workflows" / f"{name}.yaml").write_text("name: any")
    assert machine.generate(f"o2-fake --count {machine.runs}") == name
    assert machine.counted() == 1


def test_a_changed_payload_makes_another_workflow(machine: Machine) -> None:
    command = f"o2-fake --count {machine.runs} --config apricot://host:1/o2/components/qc/ANY/any/its-qc"
    names = []
    for payload in ("one", "two", "one"):
        machine.services.payloads["qc/ANY/any/its-qc"] = payload
        names.append(machine.generate(command))
    assert names[0] == names[2] != names[1]
    assert machine.counted() == 2


def test_other_variables_for_the_generator_make_another_workflow(machine: Machine) -> None:
    assert machine.generate("o2-fake", jit_env_vars="A=1") != machine.generate("o2-fake", jit_env_vars="A=2")


def test_two_processes_that_want_the_same_workflow_run_its_command_once(machine: Machine, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = (
        "import sys, msgspec; from pathlib import Path; from golden_workflows import RecordedServices\n"
        "from server.workflow.generator import GenerationSettings, Generator\n"
        "from server.workflow.jit import DplCommand\n"
        "settings = msgspec.json.decode(sys.argv[1], type=GenerationSettings)\n"
        "print(Generator(settings, RecordedServices({}, {}))(DplCommand(sys.argv[2], 'its', {}, Path(sys.argv[3]))))"
    )
    command = f"o2-fake --count {machine.runs} --wait {fifo}"
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    settings = msgspec.json.encode(machine.settings).decode()
    argv = [sys.executable, "-c", code, settings, command, str(machine.repository)]
    with (
        subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as two,
    ):
        fifo.write_text("go")  # waits until the command of one of them reads
        names = [process.communicate(timeout=60)[0] for process in (one, two)]
    assert names[0] == names[1] != ""
    assert machine.counted() == 1


def test_templates_that_nobody_uses_are_removed_in_the_end(machine: Machine) -> None:
    old = machine.generate("o2-fake --devices old")
    used = machine.generate("o2-fake --devices used")
    for name in (old, used):
        long_ago = (machine.generated / name).stat().st_mtime - KEEP_S - 1
        os.utime(machine.generated / name, (long_ago, long_ago))
    machine.generate("o2-fake --devices used")
    new = machine.generate("o2-fake --devices new")
    assert machine.left() == sorted([used, new])
