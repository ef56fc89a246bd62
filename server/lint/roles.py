"""The roles of one template as they are written: hooks, calls, iterators, loads. What they become: tree.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from server.lint.hooks import Trouble, look_at_function, look_at_hook
from server.lint.report import Report
from server.lint.rules import RULES, Severity
from server.lint.sources import LOAD, Sources
from server.template.places import locate
from server.template.render import OPEN
from server.workflow.findings import UNKNOWN
from server.workflow.templates import Action, Body, RoleTemplate, Text, WorkflowTemplate


def check_roles(report: Report, sources: Sources, template: WorkflowTemplate) -> None:
    """Report what is odd about roles, whether they are on or off."""
    for role, path in every_role(template):
        if role.iteration and OPEN not in role.name.value:
            message = f"role {role.name.value!r} is iterated over, but its name is always the same"
            hint = f"put {{{{ {role.iteration.variable} }}}} into it"
            add_in(report, "iterator-name", template, role.name, message, role=path, hint=hint)
        said = role.enabled.value
        if OPEN not in said and said.strip().lower() not in ("true", "1", "false", "0"):
            message = f"role {path} is disabled, its enabled is {said!r}: only true and 1 enable"
            add_in(report, "enabled-word", template, role.enabled, message, role=path, about="enabled-word")
        if role.action:
            _check_action(report, sources, template, role, role.action, path)


def every_role(template: WorkflowTemplate) -> Iterator[tuple[RoleTemplate, str]]:
    """Yield all roles of a file in its order, each with its path as it is written."""
    pending = [(template.root, template.root.name.value)]
    while pending:
        role, path = pending.pop()
        yield role, path
        pending.extend((child, f"{path}.{child.name.value}") for child in reversed(role.roles))


def hook_texts(action: Action) -> Mapping[str, Text]:
    """Return the fields of a task or call role by key."""
    return {"trigger": action.trigger, "await": action.await_, "timeout": action.timeout, "func": action.func}


def add_hook(
    report: Report, template: WorkflowTemplate, role: RoleTemplate, trouble: Trouble, path: str, trigger: str
) -> None:
    """Add what is wrong with a field of a hook or call."""
    assert role.action is not None
    text = hook_texts(role.action)[trouble.key]
    # A call with an unreadable timeout gets the usual one; a task that is no hook has no use for any.
    mild = trouble.rule == "bad-timeout" and (role.body is Body.CALL or not trigger)
    severity = Severity.WARNING if mild else RULES[trouble.rule].severity
    add_in(
        report, trouble.rule, template, text if text.line else role.name, trouble.message, role=path, hint=trouble.hint,
        severity=severity, about=trouble.key,
    )  # fmt: skip


def add_in(
    report: Report, rule: str, template: WorkflowTemplate, text: Text, message: str, *, offset: int = -1, role: str = "",
    hint: str = "", about: str = "", severity: Severity | None = None,
) -> None:  # fmt: skip
    """Add a finding at a text of a template, or at a character of it."""
    line, column = max(text.line, 1), max(text.column, 1)
    if offset >= 0:
        line, column = locate(template.source, line, column, text.value, offset)
    report.add(rule, message, template.file, line, column, role=role, hint=hint, about=about, severity=severity)


def _check_action(
    report: Report, sources: Sources, template: WorkflowTemplate, role: RoleTemplate, action: Action, path: str
) -> None:
    def plain(text: Text) -> str:
        return UNKNOWN if OPEN in text.value else text.value

    is_call = role.body is Body.CALL
    trigger = plain(action.trigger)
    for trouble in look_at_hook(trigger, plain(action.await_), plain(action.timeout), is_call=is_call):
        add_hook(report, template, role, trouble, path, trigger)
    if is_call:
        for fault in look_at_function(plain(action.func)):
            text = action.func if action.func.line else role.name
            add_in(report, fault.rule, template, text, fault.message, offset=fault.offset, role=path)
        if action.return_var.value:
            message = f"{action.return_var.value} is set for this call only: no other role sees it"
            add_in(report, "call-return", template, action.return_var, message, role=path)
        return
    load = action.load.value
    if OPEN in load or not load:
        return
    if "@" in load:
        message = f"load {load!r} names a revision: a task template is always that of the workflow's revision"
        add_in(
            report, "load-revision", template, action.load, message, role=path, hint=f"write {load.partition('@')[0]}"
        )
    elif "/" not in load and load not in sources.tasks:
        message = f"there is no task template {load!r}"
        add_in(report, "missing-task", template, action.load, message, role=path, severity=Severity.WARNING, about=LOAD)
