"""Loading workflows: what they become, and how they are named (workflows-config.md 2, 3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_workflows import RecordedServices
from workflow_repository import Repository, paths

from server.api.errors import Reason
from server.template.model import RoleKind
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_workflow_says_where_it_comes_from_and_brings_its_classes(repository: Repository) -> None:
    workflow = repository.load(
        "name: !public w\ndescription: !public what it does\nroles: [{name: a, task: {load: x}}]"
    )
    info = workflow.template
    assert (info.name, info.description, info.public, info.revision, info.hash) == (
        "w",
        "what it does",
        True,
        "local",
        "abc",
    )
    (identifier,) = workflow.classes
    assert identifier == f"{repository.folder}/tasks/x@abc" == workflow.root.roles[0].load
    assert workflow.classes[identifier].mode == "basic"


def test_iterators_leave_no_trace_in_paths(repository: Repository) -> None:
    workflow = repository.load(
        """
name: w
defaults: {hosts: '["h1","h2"]'}
roles:
  - name: "host-{{ it }}"
    for: {range: "{{ hosts }}", var: it}
    vars: {where: "{{ it }}"}
    roles:
      - name: "t-{{ i }}"
        for: {begin: 0, end: "{{ 1 }}", var: i}
        task: {load: x}
"""
    )
    assert paths(workflow.root) == [
        "w", "w.host-h1", "w.host-h1.t-0", "w.host-h1.t-1", "w.host-h2", "w.host-h2.t-0", "w.host-h2.t-1",
    ]  # fmt: skip
    assert workflow.root.roles[1].vars == {"where": "h2", "it": "h2"}


def test_relatives_are_seen_by_expressions(repository: Repository) -> None:
    workflow = repository.load(
        """
name: w
roles:
  - name: a
    roles:
      - name: b
        vars: {p: "{{ Parent().Path }}", pp: "{{ Up(2).Name }}"}
        connect: [{name: c, type: pull, target: "{{ This().Path }}:d"}]
        task: {load: x}
"""
    )
    role = workflow.root.roles[0].roles[0]
    assert role.vars == {"p": "w.a", "pp": "w"}
    assert role.connect[0].target == "w.a.b:d"


def test_an_included_root_lies_on_top_of_the_role_that_includes_it(repository: Repository) -> None:
    repository.workflow("name: s\ndefaults: {a: sub}\nvars: {v: '{{ b }}'}\nroles: [{name: t, task: {load: x}}]", "sub")
    workflow = repository.load("name: w\nroles: [{name: i, defaults: {a: inc, b: inc}, include: sub}]")
    role = workflow.root.roles[0]
    assert (role.name, role.kind, role.include) == ("i", RoleKind.AGGREGATOR, "sub")
    assert (role.defaults, role.include_defaults) == ({"a": "sub", "b": "inc"}, ("b",))
    assert role.vars == {"v": "inc"}


def test_a_template_of_another_repository_loads_its_tasks_from_there(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other" if (tmp_path / "other").mkdir() is None else tmp_path)
    other.task("only-there")
    other.workflow("name: s\nroles: [{name: t, task: {load: only-there}}]", "sub")
    repository.workflow(f"name: w\nroles: [{{name: i, include: {other.folder}/workflows/sub}}]")
    both = RepositorySet(
        hashes={str(repository.folder): "abc", str(other.folder): "def"}, default=str(repository.folder)
    )
    workflow = load_workflow(
        "w", user_vars={}, defaults={}, vars={}, repositories=both, services=RecordedServices({}, {})
    )
    assert list(workflow.classes) == [f"{other.folder}/tasks/only-there@def"]


def test_a_null_section_hides_what_the_ancestors_say_and_warns(repository: Repository) -> None:
    error = repository.refused("name: w\ndefaults: {a: '1'}\nroles: [{name: '{{ a }}', defaults: , task: {load: x}}]")
    assert error.reason is Reason.VARIABLE_MISSING
    workflow = repository.load("name: w\ndefaults: {a: '1'}\nroles: [{name: t, defaults: , task: {load: x}}]")
    assert workflow.root.roles[0].cuts_defaults
    assert "defaults is empty" in workflow.warnings[0]


def test_an_empty_tree_is_no_error(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\nenabled: 'false'\ndefaults: {a: '{{ b }}'}\nroles: [{name: t, task: {load: x}}]"
    )
    assert not workflow.root.enabled
    assert (workflow.root.roles, workflow.classes) == ((), {})


def test_classes_of_disabled_roles_are_not_read(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\nroles: [{name: a, enabled: 'no', task: {load: nowhere}}, {name: b, task: {load: x}}]"
    )
    assert paths(workflow.root) == ["w", "w.b"]


def test_an_iterator_with_a_templated_enabled_never_exists_and_warns(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\nroles: [{name: 'a{{ i }}', enabled: '{{ true }}', for: {begin: 1, end: 2, var: i}, task: {load: x}}]"
    )
    assert workflow.root.roles == ()
    assert any("templated enabled" in warning for warning in workflow.warnings)


@pytest.mark.parametrize(
    ("written", "critical"),
    [("true", True), ("False", False), ("yes", True), ("'off'", False), ("", True), ("null", True)],
)
def test_critical_is_a_bool_of_yaml(repository: Repository, written: str, critical: bool) -> None:
    workflow = repository.load(f"name: w\nroles: [{{name: t, task: {{load: x, critical: {written}}}}}]")
    traits = workflow.root.roles[0].traits
    assert traits is not None
    assert traits.critical is critical


def test_scalars_keep_their_spelling(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\ndefaults: {a: 1.50, b: 0x10, c: yes, d: ~, e: , f: 2001-01-01, g: 'q', h: !public {value: 007}}\n"
        "roles: [{name: t, task: {load: x}}]"
    )
    assert workflow.root.defaults == {
        "a": "1.50", "b": "0x10", "c": "yes", "d": "~", "e": "", "f": "2001-01-01", "g": "q", "h": "007",
    }  # fmt: skip


def test_an_unknown_template_is_refused_with_names_that_are_near(repository: Repository) -> None:
    repository.workflow("name: readout\nroles: []", "readout")
    error = repository.refused(expression="readuot")
    assert error.reason is Reason.TEMPLATE_NOT_FOUND
    assert "readout" in error.hint


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("https://host/w", Reason.BAD_REQUEST),
        ("/a/workflows/b/workflows/w", Reason.BAD_REQUEST),
        ("w@a@b", Reason.BAD_REQUEST),
        ("/nowhere/repo/workflows/w", Reason.REPOSITORY),
        ("w@v1.0", Reason.REPOSITORY),
        ("../../etc/passwd", Reason.TEMPLATE_NOT_FOUND),
        ("", Reason.TEMPLATE_NOT_FOUND),
        ("w\0", Reason.TEMPLATE_NOT_FOUND),
    ],
)
def test_an_expression_that_names_no_template_is_refused(
    repository: Repository, expression: str, reason: Reason
) -> None:
    repository.workflow("name: w\nroles: []")
    assert repository.refused(expression=expression).reason is reason


@pytest.mark.parametrize(
    "expression", ["w", "w.yaml", "w@local", "w@abc", "{repo}/workflows/w", "{repo}/workflows/w.yaml@local"]
)
def test_all_ways_to_name_a_template(repository: Repository, expression: str) -> None:
    named = expression.format(repo=repository.folder)
    assert repository.load("name: w\nroles: [{name: t, task: {load: x}}]", named).template.name == "w"
