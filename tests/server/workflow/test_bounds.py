"""Templates that are refused for their size or place, how loading grows, and that nothing breaks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workflow_repository import Repository, paths

from server.api.errors import CoreError, Reason
from server.template.expr import expression


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_template_that_includes_itself_is_refused(repository: Repository) -> None:
    assert "include itself" in repository.refused("name: w\nroles: [{name: a, include: w}]").message


def test_a_tree_without_end_is_refused(repository: Repository) -> None:
    error = repository.refused("name: w\nroles: [{name: a, for: {begin: 0, end: 900000000, var: i}, task: {load: x}}]")
    assert "grows beyond" in error.message


def test_roles_nested_too_deeply_are_refused(repository: Repository) -> None:
    text = "{name: t, task: {load: x}}"
    for _ in range(80):
        text = f"{{name: a, roles: [{text}]}}"
    assert repository.refused(f"name: w\nroles: [{text}]").reason is Reason.TEMPLATE_BROKEN


@pytest.mark.parametrize("opened", ["[", "{a: ", "- "])
def test_yaml_nested_too_deeply_is_refused(repository: Repository, opened: str) -> None:
    assert repository.refused("name: w\nx: " + "\n" * (opened == "- ") + opened * 3000).reason is Reason.TEMPLATE_BROKEN


def test_an_alias_bomb_is_refused(repository: Repository) -> None:
    lines = ["x0: &a0 [lol, lol, lol]"] + [f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    error = repository.refused("name: w\nroles: []\n" + "\n".join(lines))
    assert "aliases followed" in error.message


def test_an_anchor_that_contains_itself_is_refused(repository: Repository) -> None:
    assert "contains itself" in repository.refused("name: w\nroles: &r [{name: a, roles: *r}]").message


def test_a_file_that_is_too_large_is_refused(repository: Repository) -> None:
    assert "bytes" in repository.refused("name: w\nroles: []\n# " + "x" * 5_000_000).message


@pytest.mark.parametrize("kind", ["workflows", "tasks"])
def test_a_link_out_of_the_repository_is_refused(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("name: secret\nroles: [{name: t, task: {load: x}}]\ncommand: {value: x}")
    (repository.folder / kind / "secret.yaml").symlink_to(outside)
    text = "name: w\nroles: [{name: t, task: {load: secret}}]" if kind == "tasks" else ""
    error = repository.refused(text, "w" if text else "secret")
    assert "leads out of its repository" in error.message


def test_a_file_that_is_not_text_is_refused(repository: Repository) -> None:
    (repository.folder / "workflows" / "w.yaml").write_bytes(b"name: \xff\xfe")
    assert "UTF-8" in repository.refused().message


def test_loading_grows_with_the_number_of_hosts_and_not_faster(repository: Repository) -> None:
    repository.workflow(
        """
name: w
roles:
  - name: "h-{{ it }}"
    for: {range: "{{ hosts }}", var: it}
    defaults: {a: "{{ it }}", b: "2"}
    roles:
      - {name: "r-{{ it }}", task: {load: x}}
      - {name: i, include: sub}
"""
    )
    repository.workflow("name: sub\nroles: [{name: '{{ a }}{{ b }}', task: {load: y}}]", "sub")

    def calls(hosts: int) -> int:
        names = json.dumps([f"flp{number:04d}" for number in range(hosts)])
        workflow = repository.load(user_vars={"hosts": names})
        return len(paths(workflow.root))

    assert calls(300) == 1 + 300 * 4


def test_an_expression_is_parsed_once_for_all_hosts(repository: Repository) -> None:
    text = """
name: w
roles:
  - name: "one-of-many-{{ it }}"
    for: {range: "{{ hosts_of_this_test }}", var: it}
    enabled: "true"
    vars: {a: "{{ it + '-unlike-any-other' }}"}
    roles: [{name: "{{ a + it + 'once' }}", task: {load: x}}]
"""
    before = expression.cache_info().misses
    repository.load(text, user_vars={"hosts_of_this_test": json.dumps([str(number) for number in range(50)])})
    assert expression.cache_info().misses - before <= 4


_KEYS = st.sampled_from(
    ["name", "enabled", "defaults", "vars", "roles", "task", "call", "include", "for", "bind", "connect", "constraints",
     "load", "trigger", "await", "timeout", "critical", "func", "return", "range", "begin", "end", "var", "type", "target",
     "attribute", "value", "global"]
)  # fmt: skip
_SCALARS = st.sampled_from(
    [
        "w",
        "x",
        "a",
        "1",
        "2",
        "true",
        "false",
        "{{ a }}",
        "{{ it }}",
        "{{",
        "['a','b']",
        '["a","b"]',
        "push",
        "",
        None,
        3,
        True,
    ]
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=5)),
    max_leaves=25,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.dictionaries(_KEYS, _TREES, max_size=6))
def test_no_document_breaks_the_loader(repository: Repository, document: dict[str, object]) -> None:
    try:
        workflow = repository.load(json.dumps({**document, "name": "w"}))
    except CoreError as error:
        assert error.message
    else:
        assert workflow.template.name == "w"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_no_text_breaks_the_loader(repository: Repository, text: str) -> None:
    (repository.folder / "workflows" / "w.yaml").write_bytes(text.encode())
    with pytest.raises(CoreError):
        repository.load()
