"""Every rule of the linter finds its mistake, at the very character, and nothing else with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from server.config.inventory import HostEntry
from server.lint.inputs import Inputs
from server.lint.report import Report
from server.lint.repository import Linter
from server.lint.rules import RULES, Severity

TASK = "name: {name}\ncontrol: {{mode: {mode}}}\nwants: {{cpu: 1, memory: 2}}\n{rest}command: {{value: run}}\n"
BASIC = TASK.format(name="x", mode="basic", rest="")
DIRECT = TASK.format(name="d", mode="direct", rest="")
BINDER = TASK.format(name="b", mode="direct", rest="bind: [{name: out, type: push}]\n")
MARK = "§"
"""Stands before the character where a finding is expected."""

WORKFLOWS: list[tuple[str, str]] = [
    # files
    ("bad-file", "roles: [a: §}"),
    ("bad-template", "roles:\n  - §{name: a, ~, include: y}"),
    ("file-name", "name: §!public other\nroles: [{name: a, ~}]"),
    ("unknown-key", "roles: [{name: a, task: {load: x, §critcal: true}}]"),
    ("unknown-key", "roles: [{name: a, ~, bind: [{name: a, §Type: push}]}]"),
    ("unknown-key", "§~\nroles: [{name: a, ~}]"),
    ("empty-item", "roles:\n  - {name: a, ~}\n  - §null"),
    ("empty-item", "defaults: {§null: a}\nroles: [{name: a, ~}]"),
    # expressions and variables
    ("bad-expression", "roles: [{name: a, vars: {v: \"{{ 'a' §+ 1 }}\"}, ~}]"),
    ("bad-expression", "roles: [{name: a, off, vars: {v: '{{ (1 §}}'}, ~}]"),
    ("bad-expression", "roles: [{name: a, off, vars: {v: '{{ strings.§Atoi() }}'}, ~}]"),
    ("bad-expression", "roles: [{name: a, off, vars: {v: '§{{ b'}, ~}]"),
    ("missing-variable", "roles: [{name: 'a', vars: {v: \"it''s {{ §nope }}\"}, ~}]"),
    ("missing-variable", "roles: [{name: 'a-{{ i }}', for: {range: '{{ §hosts }}', var: i}, ~}]"),
    ("undefined-name", "roles: [{name: a, off, vars: {v: '{{ §nope }}'}, ~}]"),
    ("undefined-name", "defaults: {a: '1'}\nroles: [{name: a, off, defaults: {b: '1', c: '{{ a + §b }}'}, ~}]"),
    ("undefined-name", "roles: [{name: a, off, vars: {v: '{{ This().Path }}', n: '{{ §m }}'}, ~}]"),
    ("tolerated-name", "roles: [{name: a, vars: {v: '{{ strings.IsFalsy(§nope) }}'}, ~}]"),
    ("unknown-function", "roles: [{name: a, off, vars: {v: '{{ strings.§Upper(\"a\") }}'}, ~}]"),
    ("unknown-function", "roles: [{name: a, off, vars: {v: '{{ §nothing(1) }}'}, ~}]"),
    ("hidden-variable", "defaults: {§strings: a}\nroles: [{name: a, ~}]"),
    ("hidden-variable", "defaults: {§matches: a}\nroles: [{name: a, ~}]"),
    ("hidden-variable", "defaults: {§len: a}\nroles: [{name: a, ~}]"),
    ("hidden-variable", "vars: {§a-b: a}\nroles: [{name: a, ~}]"),
    ("dropped-variable", "defaults: {a: §{value: b}}\nroles: [{name: a, ~}]"),
    ("dropped-variable", "vars: {a: §[b]}\nroles: [{name: a, ~}]"),
    ("dropped-variable", "vars: {a: &b c, d: §*b}\nroles: [{name: a, ~}]"),
    ("empty-section", "roles:\n  - name: a\n    defaults:§\n    ~"),
    ("none-spelling", "defaults: {a: §None}\nroles: [{name: a, ~}]"),
    # roles
    ("iterator-enabled", "roles: [{name: 'a{{ i }}', enabled: §'{{ true }}', for: {begin: 1, end: 2, var: i}, ~}]"),
    ("iterator-name", "roles: [{name: §a, for: {begin: 1, end: 2, var: i}, ~}]"),
    ("enabled-fails", "roles: [{name: a, enabled: '{{ §nope == \"1\" }}', ~}]"),
    ("enabled-fails", "roles: [{name: a, defaults: {own: 1}, enabled: '{{ §own == \"1\" }}', ~}]"),
    ("enabled-word", "roles: [{name: a, enabled: §yes, ~}]"),
    ("enabled-word", "roles: [{name: a, enabled: §\"{{ 'yes' }}\", ~}]"),
    ("include-wiring", "roles: [{name: a, constraints: §[{attribute: a, value: b}], include: part}]"),
    ("missing-template", "roles: [{name: a, include: §gone}]"),
    ("missing-template", "roles: [{name: a, off, include: §gone}]"),
    ("missing-task", "roles: [{name: a, task: {load: §gone}}]"),
    ("missing-task", "roles: [{name: a, off, task: {load: §gone}}]"),
    ("missing-command", "roles: [{name: a, off, include: \"{{ dpl.GenerateFromUri(§'gone') }}\"}]"),
    ("duplicate-role", "roles: [{name: a, task: {load: b}}, {name: §a, task: {load: b}}]"),
    ("private-root", "name: §w\nroles: [{name: a, ~}]"),
    # hooks and calls
    ("unknown-moment", "roles: [{name: a, task: {load: x, trigger: §before_CONFIG}}]"),
    ("unknown-moment", "vars: {v: now}\nroles: [{name: a, task: {load: x, trigger: §'{{ v }}'}}]"),
    ("bad-weight", "roles: [{name: a, task: {load: x, trigger: §before_CONFIGURE+x}}]"),
    ("bad-timeout", "roles: [{name: a, task: {load: x, trigger: DESTROY, timeout: §10}}]"),
    ("bad-timeout", "defaults: {t: soon}\nroles: [{name: a, task: {load: x, trigger: DESTROY, timeout: §'{{ t }}'}}]"),
    ("call-without-trigger", "roles: [{name: a, call: {func: §testplugin.Noop()}}]"),
    ("await-without-trigger", "roles: [{name: a, task: {load: x, await: §DESTROY}}]"),
    ("unknown-call", "roles: [{name: a, call: {func: odc.§Begin(), trigger: DESTROY}}]"),
    ("unknown-call", "vars: {f: gone.Start()}\nroles: [{name: a, call: {func: §'{{ f }}', trigger: DESTROY}}]"),
    ("call-return", "roles: [{name: a, call: {func: testplugin.Noop(), return: §r, trigger: DESTROY}}]"),
    # channels and constraints
    ("dangling-channel", "roles: [{name: a, connect: [{name: c, type: pull, target: §'{{ Parent().Path }}.b:out'}], ~d}]"),
    ("dangling-channel", "roles: [{name: a, connect: [§{name: c, type: pull}], ~d}]"),
    ("unused-channel", "roles: [{name: a, bind: [{name: c, type: push, global: §g}], ~d}]"),
    ("duplicate-alias", "roles: [{name: a, bind: [{name: c, global: g}], ~d}, {name: b, bind: [{name: c, global: §g}], ~d}]"),
    ("empty-constraint", "defaults: {m: ''}\nroles: [{name: a, constraints: [{attribute: m, value: §'{{ m }}'}], ~}]"),
    ("no-host", "roles: [{name: a, constraints: [{attribute: machine_id, value: §flp9}], ~}]"),
    # public variables
    ("duplicate-variable", "defaults: {a: !public {value: b}}\nroles: [{name: '{{ a }}', vars: {§a: !public {value: c}}, ~}]"),
    ("bad-specification", "defaults: {a: !public {value: b, index: §first}}"),
    ("bad-specification", "defaults: {a: !public {value: b, label: §[c]}}"),
    ("unknown-type", "defaults: {a: !public {value: b, type: §integer}}"),
    ("unknown-widget", "defaults: {a: !public {value: b, widget: §selector}}"),
    ("bad-condition", "defaults: {a: !public {value: b, visibleif: '$$a === §='}}"),
    ("bad-condition", "defaults: {a: !public {value: b, enabledif: '!§$$c'}}"),
    ("unknown-choice", "defaults: {a: !public {value: §b, widget: dropDownBox, values: [c, d]}}"),
    ("unknown-choice", "defaults: {a: !public {values: [none, part, §gone]}}\nroles: [{name: i, off, include: '{{ a }}'}, ~]"),
    ("unused-variable", "defaults: {zzz: §!public {value: b}}\nroles: [{name: a, ~}]"),
]  # fmt: skip

TASKS: list[tuple[str, str]] = [
    ("bad-template", BASIC + "defaults: {a: §{b: c}}\n"),
    ("file-name", BASIC.replace("name: x", "name: §y")),
    ("unknown-key", BASIC + "§propertes: {}\n"),
    ("unknown-mode", BASIC.replace("basic", "§basics")),
    ("no-command", BASIC.replace("{value: run}", "§{user: flp}")),
    ("no-wants", "§name: x\ncontrol: {mode: basic}\ncommand: {value: run}\n"),
    ("bad-resources", BASIC.replace("cpu: 1", "cpu: §-1")),
    ("bad-resources", BASIC + "limits: {memory: §1}\n"),
    ("bad-resources", BASIC.replace("memory: 2", "memory: 2, ports: §9-5")),
    ("bad-output", BASIC.replace("value: run", "value: run, stdout: §file")),
    ("empty-item", BASIC.replace("value: run", "value: run, arguments: [a, §~]")),
    ("class-vars", BASIC + "defaults: {a: 1}\nvars: {a: §2}\n"),
    ("class-alias", BASIC + "bind: [{name: c, type: push, global: §'{{ a }}'}]\n"),
    ("class-target", BASIC + "connect: §[{name: c, type: pull, target: 'tcp://a:1'}]\n"),
    ("old-key", BASIC.replace("value: run", "value: run, log: §all")),
    ("missing-variable", BASIC.replace("value: run", "value: run, arguments: [a, '--b={{ §nope }}']")),
    ("missing-variable", BASIC.replace("basic", "direct") + "properties: {p: '{{ §nope }}'}\n"),
    ("bad-expression", BASIC.replace("value: run", "value: \"{{ 1 §+ 'a' }}\"")),
    ("bad-command", "§" + BASIC.replace("value: run", "value: run, stderr: \"{{ 'file' }}\"")),
    ("undefined-name", BASIC + "defaults: {a: 1, b: '{{ §a }}'}\n"),
]  # fmt: skip
COMMANDS: list[tuple[str, str]] = [
    ("bad-expression", "o2-a \\\n --b {{ 1 + §}}"),
    ("bad-address", "o2-a --c §apricot://{{ a }}/o2/qc/ANY/any/x | o2-b"),
]


def lint(folder: Path, files: Mapping[str, str], inputs: Inputs | None = None) -> Report:
    for kind in ("workflows", "tasks", "jit"):
        (folder / kind).mkdir(exist_ok=True)
    for name, text in {"tasks/x.yaml": BASIC, "tasks/d.yaml": DIRECT, "tasks/b.yaml": BINDER, **files}.items():
        (folder / name).write_text(text)
    return Linter(folder, inputs or Inputs()).run()


def written(text: str) -> str:
    """Write out what the cases leave out: the name, a role that names what is tried, usual values."""
    if "roles:" not in text:
        text += "\nroles: [{name: '{{ a }}', ~}]"
    text = text.replace("~d", "task: {load: d}").replace(", ~]", ", {name: t, ~}]").replace("~", "task: {load: x}")
    text = text.replace(" off,", " enabled: 'false',")
    return text if text.startswith(("name:", "§name:")) else f"name: !public w\n{text}"


def place_of(text: str) -> tuple[str, int, int]:
    before, _, after = text.partition(MARK)
    assert MARK not in after
    return before + after, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


PART = "name: part\nroles: [{name: t, task: {load: x}}]\n"
ALONG = {
    "missing-variable": {"undefined-name"}, "iterator-name": {"duplicate-role"}, "duplicate-variable": {"bad-file"},
}  # fmt: skip
"""What a mistake brings with it."""


@pytest.mark.parametrize(("rule", "marked"), WORKFLOWS)
def test_a_mistake_in_a_workflow_is_found(tmp_path: Path, rule: str, marked: str) -> None:
    text, line, column = place_of(written(marked))
    inputs = Inputs(hosts=[HostEntry(name="flp1", attributes={"machine_id": "flp1"})] if rule == "no-host" else None)
    report = lint(tmp_path, {"workflows/w.yaml": text, "workflows/part.yaml": PART}, inputs)
    found = [(one.rule, one.file, one.line, one.column) for one in report if one.file.endswith("w.yaml")]
    assert (rule, "workflows/w.yaml", line, column) in found
    beside = {one.rule for one in report if one.severity is not Severity.INFO} - {rule}
    assert beside <= ALONG.get(rule, set()), list(report)


@pytest.mark.parametrize(("rule", "marked"), TASKS)
def test_a_mistake_in_a_task_template_is_found(tmp_path: Path, rule: str, marked: str) -> None:
    text, line, column = place_of(marked)
    report = lint(
        tmp_path, {"tasks/x.yaml": text, "workflows/w.yaml": "name: !public w\nroles: [{name: a, task: {load: x}}]"}
    )
    assert (rule, "tasks/x.yaml", line, column) in [(one.rule, one.file, one.line, one.column) for one in report], list(
        report
    )


@pytest.mark.parametrize(("rule", "marked"), COMMANDS)
def test_a_mistake_in_a_command_is_found(tmp_path: Path, rule: str, marked: str) -> None:
    text, line, column = place_of(marked)
    (found,) = [one for one in lint(tmp_path, {"jit/c": text}) if one.file == "jit/c"]
    assert (found.rule, found.line, found.column) == (rule, line, column)


def test_what_only_the_whole_shows_is_found(tmp_path: Path) -> None:
    inputs = Inputs(user_vars={"a:b": "c"})
    report = lint(
        tmp_path, {"workflows/w.yaml": "name: !public w\nroles: [{name: a, task: {load: x, trigger: DESTROY}}]"}, inputs
    )
    assert [(one.rule, one.file) for one in report] == [
        ("colon-variable", ""), ("unused-task", "tasks/b.yaml"), ("unused-task", "tasks/d.yaml"),
    ]  # fmt: skip


def test_a_load_with_a_revision_is_refused(tmp_path: Path) -> None:
    report = lint(
        tmp_path, {"workflows/w.yaml": "name: !public w\nroles: [{name: a, enabled: 'false', task: {load: x@v1}}]"}
    )
    assert [one.rule for one in report if one.severity is Severity.ERROR] == ["load-revision"]


def test_an_empty_file_is_found(tmp_path: Path) -> None:
    report = lint(tmp_path, {"workflows/w.yaml": "# nothing"})
    assert [(one.rule, one.line) for one in report if one.file == "workflows/w.yaml"] == [
        ("empty-file", 1), ("file-name", 1), ("private-root", 1),
    ]  # fmt: skip


def test_every_rule_is_tried_and_explained(tmp_path: Path) -> None:
    tried = {rule for rule, _ in (*WORKFLOWS, *TASKS, *COMMANDS)} | {
        "colon-variable", "unused-task", "load-revision", "empty-file",
    }  # fmt: skip
    assert tried == set(RULES)
    page = (Path(__file__).parents[3] / "docs" / "lint.md").read_text()
    explained = dict(re.findall(r"^\| `([a-z-]+)` \| (error|warning|info) \|", page, re.MULTILINE))
    assert explained == {name: rule.severity.value for name, rule in RULES.items()}
