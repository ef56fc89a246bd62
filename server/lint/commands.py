"""What tasks of a resolved workflow would be started with, and on which hosts: found before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from occ.errors import AliecsError
from server.config.inventory import HostEntry
from server.deploy.match import unsatisfied
from server.lint.missing import Missing, Need
from server.lint.report import Report
from server.lint.roles import add_in
from server.lint.rules import Severity
from server.lint.tasks import FAULT, add_at, rendered_texts
from server.lint.tree import Leaf, Tree
from server.task.command import resolve_command
from server.task.properties import build_properties, effective_inbound, effective_outbound, merge_constraints
from server.template.errors import ExpressionError
from server.template.places import locate
from server.workflow.findings import UNKNOWN

_HOST = "localhost"


def check_commands(
    report: Report, tree: Tree, objects: Mapping[str, object], missing: Missing, severity: Severity
) -> None:
    """Report commands and properties that cannot be made, once for a role as it is written.

    Args:
        severity: of variables that are missing.
    """
    seen: set[tuple[str, int]] = set()
    for leaf in tree.leaves:
        key = leaf.role.load, id(leaf.origin.role)
        if leaf.task is not None and key not in seen:
            seen.add(key)
            _check_command(report, leaf, objects, missing, severity)


def _check_command(
    report: Report, leaf: Leaf, objects: Mapping[str, object], missing: Missing, severity: Severity
) -> None:
    task, traits = leaf.task, leaf.role.traits
    assert task is not None and traits is not None
    places = {(key, text): node for key, text, node in rendered_texts(task)}
    by_text = {text: node for _, text, node in rendered_texts(task)}

    def failed(key: str, text: str, error: ExpressionError) -> str:
        if UNKNOWN in error.message:
            return UNKNOWN
        node = places.get((key, text)) or by_text.get(text)
        message = f"{_shown(key)}: {error.message}"
        template, role = leaf.origin
        file, line, column = template.file, max(role.name.line, 1), max(role.name.column, 1)  # of a channel of the role
        if node is not None:
            file, mark = task.place.file, node.start_mark
            line, column = locate(
                task.place.source, mark.line + 1, mark.column + 1, str(node.value), error.offset_in(text)
            )
        if error.missing:
            missing.add(error.missing, Need(message, file, line, column, leaf.path, severity))
        else:
            report.add("bad-expression", message, file, line, column, role=leaf.path, about=FAULT)
        return UNKNOWN

    known = {
        "task_id": "t", "task_name": leaf.role.name, "hostname": _HOST, "environment_id": leaf.stack["environment_id"],
        "role_path": leaf.parent,
    }  # fmt: skip
    stack = {"detectors": "[]", **leaf.stack}
    timeout = "0s" if UNKNOWN in traits.timeout else traits.timeout
    try:
        resolve_command(
            task.task_class, stack, **known, trigger=traits.trigger, timeout=timeout, objects=objects, failed=failed
        )
        if leaf.has_channels:
            bind, connect = tuple(one for one, _ in leaf.bind.values()), tuple(one for one, _ in leaf.connect.values())
            local = {one.name: "tcp://*:1" for one in effective_inbound(bind, task.task_class.bind)}
            targets = {one.target: "tcp://h:1" for one in effective_outbound(connect, task.task_class.connect)}
            build_properties(
                task.task_class, stack, **known, inbound=bind, outbound=connect, local_endpoints=local, endpoints=targets,
                transports={},
            ).render(objects, failed)  # fmt: skip
    except AliecsError as error:
        if UNKNOWN not in error.message and "is no duration" not in error.message:
            add_at(report, "bad-command", task.place, None, error.message, role=leaf.path, hint=error.hint)


def _shown(key: str) -> str:
    return (
        f"command.{key}" if key.partition("[")[0] in ("value", "user", "env", "arguments", "stdout", "stderr") else key
    )


def check_placement(report: Report, tree: Tree, hosts: Sequence[HostEntry]) -> None:
    """Report tasks that no host of the inventory can take because of their constraints."""
    for leaf in tree.leaves:
        if leaf.task is None:
            continue
        own = tuple(one for one, _ in leaf.constraints.values())
        wanted = merge_constraints(leaf.task.task_class.constraints, own)
        if any(not one.value.strip() or UNKNOWN in one.value for one in wanted):
            continue
        if all(unsatisfied(wanted, dict(host.attributes)) for host in hosts):
            template, role = leaf.origin
            shown = ", ".join(f"{one.attribute}={one.value}" for one in wanted)
            spots = [spot for _, spot in leaf.constraints.values()]
            message = f"no host of the inventory has {shown}"
            if spots:
                add_in(report, "no-host", spots[-1].template, spots[-1].text, message, role=leaf.path, about=shown)
            else:
                add_in(report, "no-host", template, role.name, message, role=leaf.path, about=shown)
