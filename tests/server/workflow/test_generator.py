"""Templates made of DPL commands by a program that behaves like one of DPL: names, reuse, limits, and what goes wrong."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dpl_program
import msgspec
import pytest
from golden_workflows import RecordedServices

from occ.errors import ConfigError
from server.api.errors import CoreError
from server.template.errors import ExpressionError
from server.template.model import LoadedWorkflow
from server.template.render import names_in, render
from server.workflow.findings import Findings
from server.workflow.generated import KEEP_S, GeneratedTemplates
from server.workflow.generator import GenerationSettings, Generator
from server.workflow.jit import DplCommand
from server.workflow.load import load_workflow
from server.workflow.payloads import payload_addresses
from server.workflow.repos import RepositorySet


class Payloads(RecordedServices):
    """Services with component payloads."""

    def __init__(self) -> None:
        super().__init__({}, {})
        self.payloads: dict[str, str] = {}
        self.asked: list[tuple[str, Mapping[str, str] | None]] = []

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        self.asked.append((path, dict(variables)))
        return self._payload(path)

    def get_component_raw(self, path: str) -> str:
        self.asked.append((path, None))
        return self._payload(path)

    def _payload(self, path: str) -> str:
        if path not in self.payloads:
            raise ConfigError(f"no payload at configuration path o2/components/{path}")
        return self.payloads[path]


class Machine:
    """A machine with the generator installed, and a repository."""

    def __init__(self, folder: Path) -> None:
        self.services = Payloads()
        self.profile = dpl_program.install(folder)
        self.runs = folder / "runs"
        self.repository = folder / "repository"
        for kind in ("workflows", "tasks", "jit"):
            (self.repository / kind).mkdir(parents=True)
        self.generated = folder / "state" / "generated"
        self.timeout_s = 20.0
        self.enabled = True

    def processes(self) -> list[str]:
        """Return the command lines of all processes that run in a folder of this machine."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(self.generated):
                    found.append((entry / "cmdline").read_text())
        return found

    @property
    def settings(self) -> GenerationSettings:
        return GenerationSettings(
            folder=str(self.generated), timeout_s=self.timeout_s, profile=str(self.profile), enabled=self.enabled
        )

    def generate(self, text: str, name: str = "its", **variables: str) -> str:
        return Generator(self.settings, self.services)(DplCommand(text, name, variables, self.repository))

    def refused(self, text: str, **variables: str) -> ExpressionError:
        with pytest.raises(ExpressionError) as caught:
            self.generate(text, **variables)
        assert self.left() == []
        return caught.value

    def left(self) -> list[str]:
        """Return what stands in the store of templates besides locks."""
        return sorted(one.name for one in self.generated.glob("*") if one.suffix != ".lock")

    def counted(self) -> int:
        return len(self.runs.read_text().splitlines())

    def load(self, template: str, **user_vars: str) -> LoadedWorkflow:
        (self.repository / "workflows" / "w.yaml").write_text(template)
        generator = Generator(self.settings, self.services)

        def load(findings: Findings) -> LoadedWorkflow:
            return load_workflow(
                "w",
                user_vars=user_vars,
                defaults={},
                vars={},
                repositories=RepositorySet(hashes={str(self.repository): "abc"}, default=str(self.repository)),
                services=self.services,
                generate=generator,
                generated=generator.templates,
                findings=findings,
            )

        return generator.load(load, Findings)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# ---- what is made ------------------------------------------------------------------------------------


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


# ---- many at once ----------------------------------------------------------------------------------------


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


# ---- reuse -------------------------------------------------------------------------------------------


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
        names = [process.communicate(timeout=15)[0] for process in (one, two)]
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


# ---- the configuration that a command names --------------------------------------------------------------


def test_a_payload_is_processed_as_its_address_says(machine: Machine) -> None:
    machine.services.payloads["qc/PHYSICS/any/a/b"] = "x"
    head = "components/qc/PHYSICS/any/a/b"
    for address in (
        f"apricot://h/{head}",
        f"consul-json://h/{head}",
        f'"apricot://h/{head}?run_type=PHYSICS&detectors=%5B%22ITS%22%5D"',
        f"'apricot://h/{head}?process=false'",
        f"consul-json://h/{head}?beam_type=pp|o2-fake",
    ):
        machine.generate(f"o2-fake --config {address}")
    assert [variables for _, variables in machine.services.asked] == [
        {},
        None,
        {"run_type": "PHYSICS", "detectors": '["ITS"]'},
        None,
        {"beam_type": "pp"},
    ]


def test_only_the_first_two_addresses_count(machine: Machine) -> None:
    machine.services.payloads["qc/ANY/any/a"] = "x"
    address = "apricot://h/components/qc/ANY/any/a"
    machine.generate(f"o2-fake --config {address} | o2-fake --config {address} | o2-fake --config apricot://h/nonsense")
    assert len(machine.services.asked) == 2


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("apricot://h/qc/ANY/any/a", "no components/ in the address"),
        ("apricot://h/components/qc/ANY/any", "bad component configuration key format"),
        ("apricot://h/components/qc/NOTYPE/any/a", "bad component configuration key format"),
        ("apricot://h/components/qc/ANY/any/a?beam_type=", "'beam_type=' is not key=value"),
        ("apricot://h/components/qc/ANY/any/a?", "is not key=value"),
        ("apricot://h/components/qc/ANY/any/a?x=1&x=2", "x is given twice"),
        ("apricot://h/components/qc/ANY/any/a?process=maybe", "no bool"),
        ("apricot://h/components/qc/ANY/any/gone", "no payload at configuration path"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(machine: Machine, address: str, problem: str) -> None:
    error = machine.refused(f"o2-fake --count {machine.runs} --config {address}", detector="ITS")
    assert problem in error.message
    assert "DPL command its (detector ITS): apricot://h/" in error.message
    assert not machine.runs.exists()


# ---- what goes wrong ---------------------------------------------------------------------------------


def test_without_the_generator_the_error_says_exactly_that(machine: Machine) -> None:
    machine.profile.unlink()
    (machine.repository / "jit" / "its").write_text("o2-fake")
    with pytest.raises(CoreError) as caught:
        machine.load("name: w\nroles:\n- name: d\n  include: \"{{ dpl.GenerateFromUri('its') }}\"")
    assert caught.value.message.startswith("workflows/w.yaml:4:")
    assert "role w.d: " in caught.value.message
    assert (
        f"the DPL command its needs the just-in-time generator, which is not installed: there is no {machine.profile}"
        in caught.value.message
    )
    assert "install o2-O2 and o2-QualityControl" in caught.value.hint


def test_a_program_that_is_not_installed_is_named(machine: Machine) -> None:
    error = machine.refused("o2-qc-nobody-has -b | o2-fake", detector="TPC")
    assert error.message == (
        "the DPL command its (detector TPC) needs o2-qc-nobody-has, which is not installed on this machine"
    )
    assert str(machine.profile) in error.hint


def test_generation_that_is_switched_off_is_refused(machine: Machine) -> None:
    machine.enabled = False
    error = machine.refused("o2-fake")
    assert "switched off" in error.message
    assert "jitEnabled" in error.hint


def test_a_command_that_fails_is_shown_with_what_it_said_last(machine: Machine) -> None:
    error = machine.refused("o2-fake --do fail")
    assert "failed with exit code 3; it said last:\n  [FATAL] error while setting up workflow" in error.message


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(machine: Machine) -> None:
    machine.timeout_s = 1.0
    error = machine.refused("o2-fake --do hang")
    assert "was ended after 1 s" in error.message
    assert machine.processes() == []


def test_processes_that_a_command_leaves_behind_are_ended(machine: Machine) -> None:
    machine.generate("o2-fake --do leave")
    assert machine.processes() == []


def test_a_command_that_says_too_much_is_ended(machine: Machine) -> None:
    error = machine.refused("o2-fake --do spew")
    assert "says too much" in error.message
    assert len(error.message) < 5000


def test_a_command_cannot_fill_the_disk_with_one_file(machine: Machine) -> None:
    error = machine.refused("o2-fake --do fill")
    assert "failed with exit code" in error.message
    assert "File too large" in error.message


def test_a_command_has_no_input_little_environment_and_a_folder_of_its_own(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    assert "stdin has 0 characters" in machine.refused("o2-fake --do stdin").message
    error = machine.refused("o2-fake --do environment")
    assert "SECRET" not in error.message
    assert f"in {machine.generated}/.jit-" in error.message


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("o2-fake --do nothing", "it wrote no workflows/jit-"),
        ("o2-fake --do half", "what it wrote is broken: workflows/jit-"),
        ("o2-fake && rm tasks/*-reader.yaml; true", "-reader.yaml, which its workflow loads"),
        ("o2-fake && for f in workflows/*; do ln -sf /etc/passwd $f; done; true", ".yaml is no file"),
        ("o2-fake && for f in workflows/*; do head -c 5000000 /dev/zero > $f; done; true", "has more than"),
    ],
)
def test_what_is_not_a_whole_workflow_never_counts(machine: Machine, command: str, problem: str) -> None:
    # The name is added behind the command: a comment keeps it from the last program.
    given = f"{command} #" if ";" in command else command
    if ";" in command:
        given = given.replace("o2-fake", "o2-fake --o2-control $(basename $PWD .work | cut -c2-)")
    assert problem in machine.refused(given).message


def test_half_a_workflow_of_a_killed_process_is_made_anew(machine: Machine) -> None:
    name = machine.generate("o2-fake")
    GeneratedTemplates(machine.generated).clear()
    stale = machine.generated / f".{name}.work" / "workflows"
    stale.mkdir(parents=True)
    (stale / f"{name}.yaml").write_text("name: half")
    assert machine.generate("o2-fake") == name
    assert machine.left() == [name]


def test_the_command_ends_when_the_process_that_asked_dies(machine: Machine, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = (
        "import sys; from pathlib import Path; from server.workflow.sandbox import run_confined\n"
        f"run_confined('sleep 599 & echo $! $$ > {fifo}; sleep 599', Path({str(tmp_path)!r}), timeout_s=60)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        ends = [os.pidfd_open(int(pid)) for pid in fifo.read_text().split()]
        process.kill()
    assert len(ends) == 2
    for end in ends:
        assert wait_for_end(end)
        os.close(end)


def wait_for_end(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 10)[0])


# ---- production ----------------------------------------------------------------------------------------


@pytest.mark.reference
def test_every_production_command_renders_and_names_configuration_that_can_be_read(reference: Path) -> None:
    found = 0
    for path in sorted((reference / "corpus").glob("*/jit/*")):
        command = path.read_text(encoding="utf-8")
        rendered = render(command, dict.fromkeys(names_in(command), "x1"))
        assert "{{" not in rendered
        addresses = payload_addresses(rendered)
        assert len(addresses) == min(2, rendered.count("apricot://") + rendered.count("consul-json://"))
        for address in addresses:
            assert address.path.startswith("qc/")
        found += len(addresses)
    assert found > 50
