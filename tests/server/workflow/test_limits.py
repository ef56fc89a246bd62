"""What a malicious repository may try: it is refused soon, with a place, and takes no memory worth speaking of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from golden_workflows import RecordedServices

from server.api.errors import CoreError
from server.template.documents import parse
from server.template.taskclass import read_task_class
from server.workflow.listing import list_folder
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("workflows", "tasks"):
        (tmp_path / kind).mkdir()
    (tmp_path / "tasks" / "x.yaml").write_text("name: x\ncommand: {value: x}\nwants: {cpu: 1, memory: 1}")
    return tmp_path


def refused(folder: Path, text: str) -> CoreError:
    (folder / "workflows" / "w.yaml").write_text(text)
    repositories = RepositorySet(hashes={str(folder): "h"}, default=str(folder))
    with pytest.raises(CoreError) as caught:
        load_workflow(
            "w", user_vars={}, defaults={}, vars={}, repositories=repositories, services=RecordedServices({}, {})
        )
    assert len(caught.value.message) < 4000
    return caught.value


def nested(role: str, times: int) -> str:
    """Return roles in one another, each made like ``role``, whose ``$`` stands for what is in it."""
    text = "{name: t, task: {load: x}}"
    for _ in range(times):
        text = role.replace("$", text)
    return f"name: w\nvars: {{v: {'x' * 1000}}}\nroles: [{text}]"


def test_a_text_that_doubles_in_every_role_is_refused(folder: Path) -> None:
    error = refused(folder, nested("{name: a, vars: {v: '{{ v }}{{ v }}'}, roles: [$]}", 40))
    assert "more than 1000000 characters" in error.message and error.where["line"] == "3"


def test_texts_that_are_too_much_together_are_refused(folder: Path) -> None:
    error = refused(
        folder,
        "name: w\nvars: {v: \"{{ repeat('x', 900000) }}\"}\n"
        "roles: [{name: 'r{{ i }}', for: {begin: 1, end: 100000, var: i}, vars: {w: '{{ v }}'}, task: {load: x}}]",
    )
    assert "have more than 100000000 characters" in error.message


def test_includes_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "workflows" / "v.yaml").write_text("name: v\nroles: [{name: b, include: w}, {name: c, include: w}]")
    assert "include itself" in refused(folder, "name: w\nroles: [{name: a, include: v}, {name: d, include: v}]").message


@pytest.mark.parametrize(
    "name",
    ["a" * 300, "é" * 150, "x" * 1_000_000, '"a\\0b"', "../../etc/passwd", '"a\\nb"', "{{ repeat('a', 999999) }}"],
)
@pytest.mark.parametrize("role", ["include: $", "task: {load: $}"])
def test_names_that_no_file_can_have_are_refused_where_they_are_named(folder: Path, name: str, role: str) -> None:
    quoted = name if name.startswith('"') else f'"{name}"'
    error = refused(folder, f"name: w\nroles:\n  - {{name: r, {role.replace('$', quoted)}}}")
    assert (error.where["line"], error.where["role"]) == ("3", "w.r")


@pytest.mark.parametrize("bound", ["9" * 5000, "1e3", "{{ '9' * 2 }}", "'٣'", "1.0", "0x10"])
def test_a_bound_that_is_no_number_of_64_bits_is_refused(folder: Path, bound: str) -> None:
    text = f"name: w\nroles:\n  - {{name: r, for: {{begin: {bound}, end: 3, var: i}}, task: {{load: x}}}}"
    assert refused(folder, text).where["line"] == "3"


def test_an_iterator_over_iterators_without_end_is_refused(folder: Path) -> None:
    role = "{name: 'a{{ i }}', for: {begin: 1, end: 100000, var: i}, roles: [$]}"
    assert "grows beyond" in refused(folder, nested(role, 5)).message


def test_merges_of_merges_are_refused(folder: Path) -> None:
    lines = ["a0: &a0 {k0: v}"] + [
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: v}}" for n in range(1, 12)
    ]
    assert "aliases followed" in refused(folder, "name: w\nroles: []\n" + "\n".join(lines)).message


@pytest.mark.parametrize("text", ["name: w\nx: \x01", "name: w\n\nx: \x00 a", "name: w\nx: \ufffe"])
def test_a_character_that_is_not_allowed_is_named_with_its_place(folder: Path, text: str) -> None:
    error = refused(folder, text)
    lines = text.splitlines()
    assert (error.where["line"], error.where["column"]) == (str(len(lines)), "4")


@pytest.mark.parametrize(
    "key",
    [
        "wants: {cpu: " + "9" * 300 + "e99}", "wants: {memory: 1e999}", "wants: {ports: " + "9" * 5000 + "}",
        "wants: {ports: 1-x}", "wants: {ports: '-1'}", "bind: [{sndBufSize: " + "9" * 5000 + "}]", "limits: {cpu: nan}",
    ],
)  # fmt: skip
def test_numbers_of_a_task_template_that_are_none_are_refused(key: str) -> None:
    with pytest.raises(CoreError) as caught:
        read_task_class(parse(f"name: x\ncommand: {{value: x}}\n{key}\n", "tasks/x.yaml"), "x", "x")
    assert caught.value.where["line"] == "3"


@pytest.mark.parametrize(
    "key", ["index: 99999999999", "index: " + "9" * 5000, "rows: -1", "rows: 4294967296", "rows: x"]
)
def test_a_variable_with_a_number_that_does_not_fit_its_message_is_not_offered(folder: Path, key: str) -> None:
    (folder / "workflows" / "w.yaml").write_text(
        f"name: !public w\ndefaults: {{a: !public {{{key}}}, b: !public {{index: 2}}}}\n"
    )
    (listing,) = list_folder(folder)
    assert list(listing.variables) == ["b"]
