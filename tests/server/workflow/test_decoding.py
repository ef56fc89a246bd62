"""What the corners of YAML mean in a workflow template: null, quotes, merges, empty files (workflows-config.md 2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_repository import Repository, paths

from server.api.errors import Reason

TASK_ROLE = "{name: t, task: {load: x}}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_role_that_is_null_is_skipped_and_remarked(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\nroles:\n  -\n  - {name: a, task: {load: x}}\n  - ~\n  - {name: b, task: {load: y}}"
    )
    assert paths(workflow.root) == ["w", "w.a", "w.b"]
    assert [warning.partition(": ")[0] for warning in workflow.warnings] == [
        "workflows/w.yaml:3:4",
        "workflows/w.yaml:5:5",
    ]


def test_null_channels_and_constraints_are_skipped(repository: Repository) -> None:
    workflow = repository.load(
        "name: w\nbind: [null, {name: a, type: push}]\nconnect: [{name: b, target: 'tcp://h:1'}, ~]\n"
        f"constraints: [~, {{attribute: c, value: d}}]\nroles: [{TASK_ROLE}]"
    )
    root = workflow.root
    assert [one.name for one in (*root.bind, *root.connect)] == ["a", "b"]
    assert [(one.attribute, one.value) for one in root.constraints] == [("c", "d")]


@pytest.mark.parametrize(
    ("written", "defaults"),
    [
        ("{null: a, b: c}", {"b": "c"}),
        ("{'null': a, b: c}", {"null": "a", "b": "c"}),
        ("{! null: a, !!str null: b}", None),
        ("{! null: a, b: c}", {"b": "c"}),
        ("{<<: {a: 1, b: 2}, a: 3}", {"a": "3", "b": "2"}),
        ("{<<: [{a: 1}, {a: 2, b: 3}]}", {"a": "1", "b": "3"}),
        ("{'<<': a}", {"<<": "a"}),
        ("{<<: {a: 1}, <<: {b: 2}}", None),
        ("{<<: a}", None),
    ],
)
def test_keys_of_variables(repository: Repository, written: str, defaults: dict[str, str] | None) -> None:
    text = f"name: w\ndefaults: {written}\nroles: [{TASK_ROLE}]"
    if defaults is None:
        assert repository.refused(text).where["line"] == "2"
    else:
        assert repository.load(text).root.defaults == defaults


def test_a_list_is_no_merged_value_by_its_alias(repository: Repository) -> None:
    error = repository.refused(f"name: w\nx: &x [{{a: 1}}]\ndefaults: {{<<: *x}}\nroles: [{TASK_ROLE}]")
    assert "a merged value must be a mapping" in error.message


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_that_is_included_is_a_role_that_does_not_exist(repository: Repository, content: str) -> None:
    repository.workflow(content, "nothing")
    workflow = repository.load(f"name: w\nroles: [{{name: i, include: nothing}}, {TASK_ROLE}]")
    assert paths(workflow.root) == ["w", "w.t"]
    assert "the file is empty" in workflow.warnings[0]
    assert repository.refused(expression="nothing").reason is Reason.TEMPLATE_BROKEN


def test_an_empty_task_template_is_refused_as_such(repository: Repository) -> None:
    repository.task("nothing", "# nothing\n")
    assert "the file is empty" in repository.refused("name: w\nroles: [{name: t, task: {load: nothing}}]").message


def test_what_stands_behind_the_document_is_not_looked_at(repository: Repository) -> None:
    assert paths(repository.load(f"name: w\nroles: [{TASK_ROLE}]\n---\nname: other\n").root) == ["w", "w.t"]
    assert "bad YAML" in repository.refused(f"{{name: w, roles: [{TASK_ROLE}]}}\n@").message


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_ends_of_lines_are_those_of_any_editor(repository: Repository, mark: str, end: str) -> None:
    text = mark + "name: w\ndefaults:\n  a: |\n    one\n    two\nroles:\n  - {name: t, task: {load: x}}\n".replace(
        "\n", end
    )
    (repository.folder / "workflows" / "w.yaml").write_bytes(text.encode())
    assert repository.load().root.defaults == {"a": "one\ntwo\n"}


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("{name: c}", ("", 1000, "0", "default", "tcp")),
        ("{name: c, sndBufSize: '', rateLogging: '', transport: '', addressing: ''}", ("", 1000, "0", "default", "tcp")),
        ("{name: c, type: '\"Push\"', sndBufSize: '5', rateLogging: 7, transport: SHMEM, addressing: Ipc}",
         ("push", 5, "7", "shmem", "ipc")),
    ],
)  # fmt: skip
def test_empty_words_of_channels_are_their_defaults(
    repository: Repository, written: str, values: tuple[str, int, str, str, str]
) -> None:
    (one,) = repository.load(f"name: w\nbind: [{written}]\nroles: [{TASK_ROLE}]").root.bind
    assert (one.type, one.snd_buf_size, one.rate_logging, one.transport, one.addressing) == values


def test_an_empty_type_of_a_channel_is_refused(repository: Repository) -> None:
    assert "type is ''" in repository.refused(f"name: w\nbind: [{{name: c, type: ''}}]\nroles: [{TASK_ROLE}]").message


def test_an_iterator_needs_a_variable_and_it_may_have_no_name(repository: Repository) -> None:
    role = "{{name: a, for: {{begin: 1, end: 2, var: {}}}, task: {{load: x}}}}"
    assert "invalid range" in repository.refused(f"name: w\nroles: [{role.format('~')}]").message
    workflow = repository.load(f"name: w\nroles: [{role.format(repr(''))}]")
    assert [one.vars for one in workflow.root.roles] == [{"": "1"}, {"": "2"}]
