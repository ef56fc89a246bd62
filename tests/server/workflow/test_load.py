"""Loading workflows: rules of workflows-config.md 2 and 3 that the recordings leave open, errors, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from golden_workflows import RecordedServices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.api.errors import CoreError, Reason
from server.template.expr import expression
from server.template.model import LoadedRole, LoadedWorkflow, RoleKind
from server.workflow.findings import UNKNOWN, Findings
from server.workflow.jit import DplCommand, Generate
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet

TASK = """
name: {name}
control: {{mode: basic}}
wants: {{cpu: 0.1, memory: 10}}
command: {{value: "true"}}
"""


class Repository:
    """A local repository in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("workflows", "tasks", "jit"):
            (folder / kind).mkdir()
        for name in ("x", "y"):
            self.task(name)

    @property
    def repositories(self) -> RepositorySet:
        return RepositorySet(hashes={str(self.folder): "abc"}, default=str(self.folder))

    def task(self, name: str, text: str = "") -> None:
        (self.folder / "tasks" / f"{name}.yaml").write_text(text or TASK.format(name=name))

    def workflow(self, text: str, name: str = "w") -> None:
        (self.folder / "workflows" / f"{name}.yaml").write_text(text)

    def load(
        self, text: str = "", expression: str = "w", *, user_vars: Mapping[str, str] | None = None,
        generate: Generate | None = None,
    ) -> LoadedWorkflow:  # fmt: skip
        if text:
            self.workflow(text)
        return load_workflow(
            expression,
            user_vars=user_vars or {},
            defaults={"from_store": "d"},
            vars={},
            repositories=self.repositories,
            services=RecordedServices({"flp001": "ITS"}, {}),
            generate=generate,
        )

    def refused(self, text: str = "", expression: str = "w", **given: Mapping[str, str]) -> CoreError:
        with pytest.raises(CoreError) as caught:
            self.load(text, expression, user_vars=given.get("user_vars"))
        return caught.value


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def paths(role: LoadedRole, above: str = "") -> list[str]:
    path = f"{above}.{role.name}" if above else role.name
    return [path, *(one for child in role.roles for one in paths(child, path))]


# ---- what a workflow becomes -----------------------------------------------------------------------


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


# ---- generated workflows ---------------------------------------------------------------------------


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


# ---- errors say where ------------------------------------------------------------------------------


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


def test_an_unknown_template_is_refused_with_names_that_are_near(repository: Repository) -> None:
    repository.workflow("name: readout\nroles: []", "readout")
    error = repository.refused(expression="readuot")
    assert error.reason is Reason.TEMPLATE_NOT_FOUND
    assert "readout" in error.hint


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


# ---- what is refused for its size or place ---------------------------------------------------------


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


# ---- anything --------------------------------------------------------------------------------------

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


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_KEYS, _TREES, max_size=6))
def test_no_document_breaks_the_loader(repository: Repository, document: dict[str, object]) -> None:
    try:
        workflow = repository.load(json.dumps({**document, "name": "w"}))
    except CoreError as error:
        assert error.message
    else:
        assert workflow.template.name == "w"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_no_text_breaks_the_loader(repository: Repository, text: str) -> None:
    (repository.folder / "workflows" / "w.yaml").write_bytes(text.encode())
    with pytest.raises(CoreError):
        repository.load()


# ---- all errors at once ------------------------------------------------------------------------------


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
