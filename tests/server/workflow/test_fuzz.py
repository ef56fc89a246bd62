"""Any repository, well-formed or broken: a workflow, or a CoreError that names its place; never anything else, and soon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden_workflows import RecordedServices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.api.errors import CoreError, Reason
from server.lint.inputs import Inputs
from server.lint.repository import Linter
from server.lint.rules import RULES
from server.template.documents import parse
from server.template.model import LoadedWorkflow
from server.template.taskclass import read_task_class
from server.workflow.listing import list_folder
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet
from server.workflow.worker import Loaded

FUNCTION_FIXTURE = HealthCheck.function_scoped_fixture
QUICK = settings(
    deadline=60_000, suppress_health_check=[FUNCTION_FIXTURE, HealthCheck.too_slow, HealthCheck.data_too_large]
)

odd = st.sampled_from(
    [
        "",
        " ",
        "none",
        "\0",
        "a\nb",
        "😀",
        "é" * 300,
        "x" * 3000,
        "9" * 5000,
        "-1",
        "1e999",
        "0x1F",
        "yes",
        "~",
        "null",
        "../x",
        "a/b",
        "@",
        "x@y@z",
        "{{",
        "}}",
        "{{}}",
        "{{ }}",
        "{{ nope }}",
        "{{ a + 1 }}",
        "{{ 1/0 }}",
        "{{ 'x' * 2 }}",
        "!",
        "!public",
        "&a",
        "*a",
        "[",
        "{",
        "<<",
        "\u2028",
        "\ufeff",
        "# not a comment",
        "%YAML 1.2",
    ]
)
texts = st.one_of(
    odd, st.sampled_from(["x", "a", "true", "false", "1", "{{ a }}", "{{ it }}", "{{ a == 'x' }}", "t-{{ it }}"])
)
scalars = st.one_of(texts, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
anything = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(odd, inner, max_size=3))
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the usual in nine of ten cases, anything at all in the tenth."""
    return st.integers(0, 9).flatmap(lambda number: anything if number == 0 else usual)


def some(required: dict[str, st.SearchStrategy[Any]], **others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=others)


specification = some(
    {},
    value=mostly(texts),
    type=mostly(st.sampled_from(["string", "number", "what"])),
    widget=mostly(texts),
    index=mostly(scalars),
    rows=scalars,
    values=mostly(st.lists(texts, max_size=3)),
    visibleif=mostly(st.sampled_from(["$$a === 'x'", "$$", "(((("])),
).map(lambda found: {"!public": found})
variables = mostly(
    st.dictionaries(
        st.sampled_from(["a", "b", "it", "len", "in", "x-y"]), mostly(st.one_of(texts, specification)), max_size=3
    )
)
channel = some(
    {},
    name=mostly(st.sampled_from(["c", "d"])),
    type=mostly(st.sampled_from(["push", "PULL", "pair"])),
    target=mostly(texts),
    rateLogging=mostly(texts),
    transport=mostly(st.sampled_from(["shmem", "what"])),
    sndBufSize=mostly(texts),
    addressing=mostly(texts),
    **{"global": mostly(texts)},
)
wiring = {
    "constraints": mostly(st.lists(some({}, attribute=mostly(texts), value=mostly(texts)), max_size=2)),
    "bind": mostly(st.lists(channel, max_size=2)),
    "connect": mostly(st.lists(channel, max_size=2)),
}
hook = {
    "trigger": mostly(st.sampled_from(["before_CONFIGURE+1", "DESTROY", "x", "{{ a }}", "+", "-"])),
    "await": mostly(texts),
    "timeout": mostly(st.sampled_from(["1s", "{{ a }}", "1", "9" * 400 + "h"])),
    "critical": mostly(st.booleans()),
}
common = {
    "enabled": mostly(st.sampled_from(["true", "false", "{{ a == '1' }}", "{{ nope }}"])),
    "defaults": variables,
    "vars": variables,
    **wiring,
    "for": mostly(
        st.one_of(
            some(
                {
                    "range": mostly(st.sampled_from(['["p","q"]', "{{ hosts }}", "[1]", "null", "{{ 1..3 }}"])),
                    "var": st.just("it"),
                }
            ),
            some({"begin": mostly(scalars), "end": mostly(scalars), "var": mostly(st.just("it"))}),
        )
    ),
}
name = mostly(st.sampled_from(["r", "t-{{ it }}", "{{ a }}", ""]))
leaves = st.one_of(
    some(
        {"name": name, "task": mostly(some({"load": mostly(st.sampled_from(["x", "y", "{{ a }}", "gone"]))}, **hook))},
        **common,
    ),
    some({"name": name, "call": mostly(some({"func": mostly(texts)}, **{"return": texts}, **hook))}, **common),
    some(
        {"name": name, "include": mostly(st.sampled_from(["v", "w", "{{ a }}", "{{ dpl.Generate('x') }}", "gone"]))},
        **common,
    ),
)
roles = st.recursive(
    leaves, lambda inner: some({"name": name, "roles": mostly(st.lists(inner, max_size=3))}, **common), max_leaves=5
)
workflows = some(
    {"name": mostly(st.sampled_from(["w", "v"])), "roles": mostly(st.lists(roles, max_size=3))},
    description=texts,
    **common,
)
tasks = some(
    {
        "name": mostly(st.just("x")),
        "command": mostly(
            some(
                {"value": mostly(texts)},
                shell=scalars,
                user=texts,
                env=mostly(st.lists(texts, max_size=2)),
                arguments=mostly(st.lists(texts, max_size=2)),
                stdout=mostly(texts),
                stderr=mostly(texts),
                log=mostly(texts),
            )
        ),
    },
    defaults=variables,
    vars=variables,
    properties=variables,
    control=mostly(some({}, mode=mostly(texts))),
    wants=mostly(
        some(
            {},
            cpu=mostly(scalars),
            memory=mostly(scalars),
            ports=mostly(st.sampled_from(["1-2", "5", "9" * 5000, "b-", "-1"])),
        )
    ),
    limits=mostly(some({}, cpu=mostly(scalars))),
    **wiring,
)


def written(value: object) -> str:
    """Write a value down as YAML in one line, with the tags of public variables."""
    if isinstance(value, dict):
        if list(value) == ["!public"]:
            return f"!public {written(value['!public'])}"
        return "{" + ", ".join(f"{json.dumps(str(key))}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("workflows", "tasks", "jit"):
            (folder / kind).mkdir()
        self.put("tasks/y.yaml", "name: y\ncommand: {value: x}\nwants: {cpu: 1, memory: 1}")
        self.put(
            "workflows/v.yaml",
            "name: v\nroles: [{name: '{{ a }}', task: {load: y}}, {name: again, enabled: '{{ a }}', include: w}]",
        )

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))

    def load(self) -> LoadedWorkflow:
        return load_workflow(
            "w",
            user_vars={"hosts": '["h"]', "a": "1"},
            defaults={},
            vars={},
            services=RecordedServices({}, {}),
            repositories=RepositorySet(hashes={str(self.folder): "h"}, default=str(self.folder)),
        )

    def try_out(self) -> None:
        """Load, list and lint: only CoreErrors, with a place, and what loads can be sent."""
        try:
            workflow = self.load()
        except CoreError as error:
            assert error.message
            assert error.reason in (
                Reason.TEMPLATE_BROKEN,
                Reason.TEMPLATE_NOT_FOUND,
                Reason.VARIABLE_MISSING,
                Reason.REPOSITORY,
                Reason.BAD_REQUEST,
            )
            assert error.where.get("file"), error.message
            assert error.where.get("line"), error.message
        else:
            assert Loaded(workflow=workflow)
        for listing in list_folder(self.folder):
            assert listing.problem is None or listing.problem.where.get("line")
        for finding in Linter(self.folder, Inputs(user_vars={"hosts": '["h"]', "a": "1"})).run():
            assert finding.rule in RULES and finding.file and finding.message


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@settings(QUICK, max_examples=100)
@given(workflow=workflows, task=tasks)
def test_templates_of_sensible_parts_load_or_name_the_place_of_the_mistake(
    repository: Repository, workflow: object, task: object
) -> None:
    repository.put("workflows/w.yaml", written(workflow))
    repository.put("tasks/x.yaml", written(task))
    repository.try_out()


@settings(QUICK, max_examples=70)
@given(workflow=workflows, at=st.integers(0, 400), bit=st.text(max_size=4))
def test_a_template_with_a_scratch_loads_or_names_its_place(
    repository: Repository, workflow: object, at: int, bit: str
) -> None:
    text = written(workflow)
    repository.put("workflows/w.yaml", text[:at] + bit + text[at + 1 :])
    repository.try_out()


@settings(QUICK, max_examples=70)
@given(st.text(max_size=200))
def test_any_text_is_no_workflow_or_names_its_place(repository: Repository, text: str) -> None:
    repository.put("workflows/w.yaml", text)
    repository.try_out()


@settings(QUICK, max_examples=120)
@given(task=tasks)
def test_a_task_template_is_read_or_names_the_place_of_the_mistake(task: object) -> None:
    try:
        read_task_class(parse(written(task), "tasks/x.yaml"), "x", "r/tasks/x@h")
    except CoreError as error:
        assert error.where["file"] == "tasks/x.yaml" and int(error.where["line"]) >= 0
