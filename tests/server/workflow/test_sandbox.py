"""DPL commands that fail, hang, say or write too much, or leave something behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from dpl_machine import Machine

from server.api.errors import CoreError
from server.workflow.generated import GeneratedTemplates


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


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
    return bool(select.select([pidfd], [], [], 60)[0])
