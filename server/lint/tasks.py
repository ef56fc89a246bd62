"""One task template, looked at by itself (workflows-config.md 5.2, 5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from server.lint.expressions import analyse
from server.lint.report import Report
from server.lint.sources import Task
from server.task.command import OUTPUTS
from server.template.documents import Place, followed, is_null
from server.template.places import locate
from server.template.render import OPEN
from server.template.taskclass import MODES

MAX_PORT = 65_535
FAULT = "fault"
"""Marks what is wrong with an expression, which may be found by looking and by evaluating."""


def check_task(report: Report, task: Task, objects: Mapping[str, object]) -> None:
    """Report what is odd about a task template."""
    place, found = task.place, task.task_class
    root = place.root
    _check_mode(report, place)
    if not found.command.value.strip():
        add_at(
            report, "no-command", place, node_at(root, "command"), "the command has no value: there is nothing to run"
        )
    if not is_null(node_at(root, "command", "log")):
        add_at(report, "old-key", place, node_at(root, "command", "log"), "log is the old name of stdout")
    for key, text in (("stdout", found.command.stdout), ("stderr", found.command.stderr)):
        if text is not None and OPEN not in text and text.strip().lower() not in OUTPUTS:
            message = f"{key} is {text!r}, expected one of {', '.join(OUTPUTS)}"
            add_at(
                report, "bad-output", place, node_at(root, "command", key) or node_at(root, "command", "log"), message
            )
    _check_resources(report, task)
    for name in found.vars.keys() & found.defaults.keys():
        message = f"the default {name} of this template beats its var {name} in the command, but not in the properties"
        add_at(report, "class-vars", place, node_at(root, "vars", name), message)
    for index, channel in enumerate(found.bind):
        if OPEN in channel.alias:
            message = f"channel {channel.name}: global is not rendered in a task template; set it in the role"
            add_at(report, "class-alias", place, node_at(root, "bind", index, "global"), message)
    _check_expressions(report, task, objects)


def rendered_texts(task: Task) -> Iterator[tuple[str, str, yaml.Node]]:
    """Yield key as commands call it, text, and node of everything in a task template that is rendered."""
    root = task.place.root
    for section in ("defaults", "vars", "properties"):
        prefix = "" if section == "properties" else f"{section}."
        for key, node in _entries(node_at(root, section)):
            yield from _text(f"{prefix}{key}", node)
    for key, node in _entries(node_at(root, "command")):
        if key in ("value", "user", "stdout", "stderr"):
            yield from _text(key, node)
        elif key in ("env", "arguments") and isinstance(node, yaml.SequenceNode):
            for index, one in enumerate(node.value):
                yield from _text(f"{key}[{index}]", followed(one))
    for key in ("bind", "connect"):
        channels = node_at(root, key)
        for index, channel in enumerate(channels.value if isinstance(channels, yaml.SequenceNode) else ()):
            rate = node_at(channel, "rateLogging")
            if rate is not None:
                yield from _text(f"chans.{index}.rateLogging", rate)


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        yield str(followed(key).value), followed(value)


def _text(key: str, node: yaml.Node) -> Iterator[tuple[str, str, yaml.Node]]:
    if isinstance(node, yaml.ScalarNode) and OPEN in node.value:
        yield key, str(node.value), node


def node_at(node: yaml.Node | None, *keys: str | int) -> yaml.Node | None:
    """Return the node at a path of keys and indices, None if there is none; the key itself where it has no value."""
    for key in keys:
        found = followed(node) if node is not None else None
        if isinstance(key, int) and isinstance(found, yaml.SequenceNode) and key < len(found.value):
            node = found.value[key]
        elif isinstance(found, yaml.MappingNode):
            node = next((value for name, value in found.value if followed(name).value == key), None)
        else:
            return None
    return followed(node) if node is not None else None


def add_at(
    report: Report, rule: str, place: Place, node: yaml.Node | None, message: str, *, offset: int = -1, role: str = "",
    hint: str = "", about: str = "",
) -> None:  # fmt: skip
    """Add a finding at a node, or at a character of its text."""
    mark = (node or place.root).start_mark
    line, column = mark.line + 1, mark.column + 1
    if node is not None and offset >= 0 and isinstance(node, yaml.ScalarNode):
        line, column = locate(place.source, line, column, str(node.value), offset)
    report.add(rule, message, place.file, line, column, role=role, hint=hint, about=about)


def _check_mode(report: Report, place: Place) -> None:
    node = node_at(place.root, "control", "mode")
    if isinstance(node, yaml.ScalarNode) and not is_null(node) and node.value.strip().lower() not in MODES:
        message = f"there is no control mode {node.value!r}: it counts as direct"
        add_at(report, "unknown-mode", place, node, message, hint=f"there are {', '.join(MODES)}")


def _check_resources(report: Report, task: Task) -> None:
    place, found = task.place, task.task_class
    root = place.root
    for key, wanted, limit in (
        ("cpu", found.wants.cpu, found.cpu_limit), ("memory", found.wants.memory, found.memory_limit),
    ):  # fmt: skip
        if wanted < 0:
            add_at(report, "bad-resources", place, node_at(root, "wants", key), f"wants.{key} is below 0")
        if limit is not None and limit <= 0:
            add_at(report, "bad-resources", place, node_at(root, "limits", key), f"limits.{key} leaves nothing")
        elif limit is not None and limit < wanted:
            message = f"limits.{key} is below wants.{key}: {limit:g} and {wanted:g}"
            add_at(report, "bad-resources", place, node_at(root, "limits", key), message)
    for first, last in found.wants.ports:
        if not 1 <= first <= last <= MAX_PORT:
            message = f"ports {first}-{last}: a range goes upwards and lies within 1 to {MAX_PORT}"
            add_at(report, "bad-resources", place, node_at(root, "wants", "ports"), message)


def _check_expressions(report: Report, task: Task, objects: Mapping[str, object]) -> None:
    defaults = frozenset(task.task_class.defaults)
    for key, text, node in rendered_texts(task):
        found = analyse(text, objects)
        for fault in found.faults:
            add_at(report, fault.rule, task.place, node, fault.message, offset=fault.offset, about=FAULT)
        for use in found.uses:
            if key.startswith("defaults.") and use.name in defaults and not use.tolerated:
                message = f"{key} names the default {use.name}: defaults of one template do not see each other"
                hint = "use vars, or set the variable in the role"
                add_at(
                    report, "undefined-name", task.place, node, message, offset=use.offset, hint=hint, about=use.name
                )
