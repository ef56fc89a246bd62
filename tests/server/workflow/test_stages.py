"""What is evaluated when, with what, and what it becomes (workflows-config.md 2.5, 3.2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_repository import Repository

from server.api.errors import Reason
from server.template.model import Traits


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("written", "traits"),
    [
        ("", ("", "", "0s")),
        ("await: after_X", ("", "", "0s")),
        ("await: '{{ nobody }}'", ("", "", "0s")),
        ("trigger: '', await: after_X, timeout: ''", ("", "", "0s")),
        ("trigger: enter_X", ("enter_X", "enter_X", "30s")),
        ("trigger: enter_X, timeout: ~, await: ''", ("enter_X", "enter_X", "30s")),
        ("trigger: '{{ m }}'", ("leave_Y", "leave_Y", "30s")),
        ("trigger: '{{ m }}', await: '{{ e }}', timeout: '{{ e }}'", ("leave_Y", "", "")),
        ("trigger: '{{ e }}', await: after_X", ("", "after_X", "30s")),
        ("timeout: '{{ e }}'", ("", "", "")),
    ],
)
def test_defaults_of_a_hook_go_by_what_is_written(
    repository: Repository, written: str, traits: tuple[str, str, str]
) -> None:
    kinds = f"[{{name: t, task: {{load: x, {written}}}}}, {{name: c, call: {{func: f, {written}}}}}]"
    workflow = repository.load(f"name: w\ndefaults: {{e: '', m: leave_Y}}\nroles: {kinds}")
    expected = Traits(trigger=traits[0], await_=traits[1], timeout=traits[2], critical=True)
    assert [one.traits for one in workflow.root.roles] == [expected, expected]


@pytest.mark.parametrize("field", ["enabled: '{{ a }}'", "defaults: {b: '{{ a }}'}"])
@pytest.mark.parametrize(("section", "other"), [("defaults", "vars"), ("vars", "defaults")])
def test_a_null_section_hides_the_layer_above_from_the_role_itself(
    repository: Repository, field: str, section: str, other: str
) -> None:
    if section == "defaults" and field.startswith("defaults"):
        return
    template = (
        "name: w\n{layer}: {{a: 'true'}}\nroles:\n  - name: t\n    {section}:\n    {field}\n    task: {{load: x}}"
    )
    shown = repository.load(template.format(layer=other, section=section, field=field))
    assert [one.name for one in shown.root.roles] == ["t"]
    text = template.format(layer=section, section=section, field=field)
    if field.startswith("enabled"):
        assert repository.load(text).root.roles == ()
    else:
        assert repository.refused(text).reason is Reason.VARIABLE_MISSING


def test_blanks_around_a_target_go_and_those_of_a_value_stay(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\ndefaults: {b: ' a:b '}\nconnect: [{name: c, target: '  {{ b }}  '}, {name: d, target: '  x:y '}]\n"
        "roles: [{name: t, task: {load: x}}]"
    )
    assert [one.target for one in workflow.root.connect] == [" a:b ", "x:y"]


def test_the_name_of_an_include_role_is_looked_at_again_with_what_it_includes(repository: Repository) -> None:
    repository.workflow(
        "name: sub\ndefaults: {b: inner}\nroles: [{name: '{{ Parent().Name }}', task: {load: x}}]", "sub"
    )
    text = "name: w\ndefaults: {{b: outer}}\nroles: [{{name: '{}', include: sub}}]"
    (once,) = repository.load(text.format("{{ b }}")).root.roles
    assert (once.name, once.roles[0].name) == ("outer", "outer")
    (again,) = repository.load(text.format("{{ a }}"), user_vars={"a": "x-{{ b }}"}).root.roles
    assert (again.name, again.roles[0].name) == ("x-inner", "x-inner")
    assert repository.refused(text.format("{{ a }}"), user_vars={"a": "{{ nobody }}"}).reason is Reason.VARIABLE_MISSING
