"""Errors of templates say where and what, the first one or all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_workflows import RecordedServices
from workflow_repository import Repository, paths

from server.api.errors import Reason
from server.template.model import LoadedWorkflow
from server.workflow.findings import UNKNOWN, Findings
from server.workflow.load import load_workflow


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_an_undefined_variable_is_named_with_its_place(repository: Repository) -> None:
    error = repository.refused(
        "name: w\nroles:\n  - name: a\n    roles:\n      - name: t\n        vars:\n          v: '{{ nope }}'\n"
        "        task: {load: x}"
    )
    assert error.reason is Reason.VARIABLE_MISSING
    assert error.where == {"file": "workflows/w.yaml", "line": "7", "column": "18", "role": "w.a.t"}
    assert error.message.startswith("workflows/w.yaml:7:18: role w.a.t: unknown name nope in {{ nope }}")
    assert "-e nope=" in error.hint


def test_an_expression_that_fails_says_where(repository: Repository) -> None:
    error = repository.refused("name: w\nroles:\n  - name: \"{{ 'a' + 1 }}\"\n    task: {load: x}")
    assert error.reason is Reason.TEMPLATE_BROKEN
    assert (error.where["line"], error.where["column"]) == ("3", "19")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name: w\nroles: [a: }", "2", "bad YAML"),
        ("name: w\n\tx: 1", "2", "bad YAML"),
        ("- a", "1", "mapping"),
        ("name: w\nroles: {a: 1}", "2", "list"),
        ("name: w\nroles:\n  - name: a", "3", "exactly one"),
        ("name: w\nroles:\n  - {name: a, task: {load: x}, include: y}", "3", "task and include"),
        ("name: w\nroles:\n  - {name: a, task: x}", "3", "mapping"),
        ("name: w\nroles:\n  - {name: a, task: {}}", "3", "needs load"),
        ("name: w\nroles:\n  - {name: a, for: {begin: 1, var: i}, task: {load: x}}", "3", "invalid range"),
        ("name: w\nroles:\n  - {name: a, for: {range: '5', var: i}, task: {load: x}}", "3", "JSON list"),
        ("name: w\nroles:\n  - {name: a, for: {begin: a, end: 2, var: i}, task: {load: x}}", "3", "whole number"),
        ("name: w\ndefaults: [a]\nroles: []", "2", "mapping"),
        ("name: w\ndefaults:\n  a: 1\n  a: 2\nroles: []", "4", "twice"),
        ("name: w\nroles:\n  - {name: a, enabled: 'false', bind: [{name: b, type: pair}], task: {load: x}}", "3", "pair"),
        ("name: w\nroles:\n  - {name: a, bind: [{name: b, sndBufSize: 1k}], task: {load: x}}", "3", "sndBufSize"),
        ("name: other\nroles: []", "1", "is not that of its file"),
        ("name: w\nroles:\n  - {name: a, task: {load: x, critical: '{{ true }}'}}", "3", "critical"),
    ],
)  # fmt: skip
def test_a_broken_template_is_refused_with_its_place(repository: Repository, text: str, line: str, said: str) -> None:
    error = repository.refused(text)
    assert error.reason is Reason.TEMPLATE_BROKEN
    assert said in error.message
    assert error.where["file"] == "workflows/w.yaml"
    assert error.where["line"] == line


def test_a_missing_include_or_task_is_refused_where_it_is_named(repository: Repository) -> None:
    missing = repository.refused("name: w\nroles:\n  - {name: i, include: nowhere}")
    assert (missing.reason, missing.where["role"], missing.where["line"]) == (Reason.TEMPLATE_NOT_FOUND, "w.i", "3")
    missing = repository.refused("name: w\nroles:\n  - {name: t, task: {load: nowhere}}")
    assert (missing.reason, missing.where["role"], missing.where["line"]) == (Reason.TEMPLATE_NOT_FOUND, "w.t", "3")


def test_a_broken_task_template_is_refused_with_its_own_place(repository: Repository) -> None:
    repository.task("bad", "name: bad\ndefaults: {a: {b: c}}\ncommand: {value: x}")
    error = repository.refused("name: w\nroles: [{name: t, task: {load: bad}}]")
    assert (error.where["file"], error.where["line"]) == ("tasks/bad.yaml", "2")
    assert "role w.t" in error.message


def gathered(repository: Repository, text: str, **user_vars: str) -> tuple[LoadedWorkflow, Findings]:
    repository.workflow(text)
    findings = Findings(errors=[])
    workflow = load_workflow(
        "w", user_vars=user_vars, defaults={}, vars={}, repositories=repository.repositories,
        services=RecordedServices({}, {}), findings=findings,
    )  # fmt: skip
    return workflow, findings


def test_all_errors_are_found_at_once_and_none_that_only_follows_from_another(repository: Repository) -> None:
    workflow, findings = gathered(
        repository,
        """
name: other
defaults: {a: '{{ nope }}', list: '{{ hosts }}'}
roles:
  - {name: one, task: {load: nowhere}}
  - {name: two, include: nothing}
  - {name: three, vars: {v: "{{ 'a' + 1 }}", w: '{{ a }}'}, task: {load: x}}
  - name: host-{{ it }}
    for: {range: '{{ list }}', var: it}
    roles: [{name: four, task: {load: '{{ a }}'}}, {name: five, include: '{{ gone }}'}, {name: six, task: {load: y}}]
  - {name: seven, for: {begin: '{{ a }}', end: 2, var: i}, roles: [{name: eight, task: {load: y}}]}
""",
    )
    assert findings.errors is not None
    assert sorted((error.reason.value, error.where["role"]) for error in findings.errors) == [
        ("TEMPLATE_BROKEN", "other"),
        ("TEMPLATE_BROKEN", "other.three"),
        ("TEMPLATE_NOT_FOUND", "other.one"),
        ("TEMPLATE_NOT_FOUND", "other.two"),
        ("VARIABLE_MISSING", "other"),
        ("VARIABLE_MISSING", "other"),
        ("VARIABLE_MISSING", f"other.host-{UNKNOWN}.five"),
    ]
    assert f"other.host-{UNKNOWN}.six" in paths(workflow.root)


def test_an_enabled_that_says_neither_yes_nor_no_is_remarked(repository: Repository) -> None:
    _, findings = gathered(
        repository,
        "name: w\nroles:\n  - {name: a, enabled: 'yes', task: {load: x}}\n  - {name: b, enabled: '{{ nope }}', task: {load: x}}",
    )
    assert [(remark.rule, remark.line, remark.column, remark.role) for remark in findings.remarks] == [
        ("enabled-word", 3, 24, "w.a"),
        ("enabled-fails", 4, 28, "w.b"),
    ]
