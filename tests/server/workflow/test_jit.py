"""DPL commands of templates: handed to the generator rendered, refused where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_repository import Repository

from server.api.errors import Reason
from server.workflow.jit import DplCommand


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_dpl_command_is_rendered_and_handed_to_the_generator(repository: Repository) -> None:
    asked: list[DplCommand] = []

    def generate(command: DplCommand) -> str:
        asked.append(command)
        return "made"

    (repository.folder / "jit" / "its").write_text("o2-its --host {{ it }}")
    repository.workflow("name: any\nroles: [{name: t, task: {load: x}}]", "made")
    workflow = repository.load(
        "name: w\nvars: {it: flp001}\nroles: [{name: d, include: \"{{ dpl.GenerateFromUri('its') }}\"}]",
        generate=generate,
    )
    assert [(one.text, one.name) for one in asked] == [("o2-its --host flp001", "its")]
    assert (asked[0].variables["it"], asked[0].repository) == ("flp001", repository.folder)
    assert workflow.root.roles[0].include == "made"


def test_without_a_generator_a_dpl_command_is_refused(repository: Repository) -> None:
    error = repository.refused("name: w\nroles: [{name: d, include: \"{{ dpl.Generate('o2-x') }}\"}]")
    assert "dpl.Generate needs the just-in-time generator, which is not installed" in error.message
    assert error.where["role"] == "w.d"


def test_an_undefined_name_in_a_dpl_command_is_named(repository: Repository) -> None:
    (repository.folder / "jit" / "its").write_text("o2-its {{ nobody }}")
    error = repository.refused("name: w\nroles: [{name: d, include: \"{{ dpl.GenerateFromUri('its') }}\"}]")
    assert error.reason is Reason.VARIABLE_MISSING
    assert "nobody" in error.message


def test_a_command_outside_of_jit_is_not_read(repository: Repository) -> None:
    error = repository.refused("name: w\nroles: [{name: d, include: \"{{ dpl.GenerateFromUri('../tasks/x.yaml') }}\"}]")
    assert "no DPL command" in error.message
