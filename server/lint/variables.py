"""The variables of a workflow template: names that expressions can reach, and specifications of public ones
(workflows-config.md 4)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

import yaml

from server.api import conditions
from server.lint.report import Report
from server.template.builtins import FUNCTIONS
from server.template.documents import PUBLIC, Place, followed, walk
from server.template.places import locate
from server.workflow.listing import TYPES, WIDGETS

RESERVED = frozenset(
    "in not and or matches contains startsWith endsWith let if else true false nil".split()
)  # fmt: skip
"""Words of the expression language (workflows-config.md 6.2)."""
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NUMBER = re.compile(r"-?[0-9]+")
_COUNT = re.compile(r"[0-9]+")
_NONE = "none"


def check_variables(report: Report, place: Place, objects: Mapping[str, object]) -> None:
    """Report what is odd about the variables of one file.

    Args:
        objects: functions and namespaces, which hide variables of their name.
    """
    specifications = dict(public(place))
    seen: set[str] = set()
    for section, node in walk(place.root):
        if section not in ("defaults", "vars") or not isinstance(node, yaml.MappingNode):
            continue
        for key, value in node.value:
            name = str(followed(key).value)
            _check_name(report, place, key, name, objects)
            if value.tag == PUBLIC and isinstance(value, yaml.MappingNode):
                if name in seen:
                    _add(report, "duplicate-variable", place, key, f"public variable {name} is declared twice")
                seen.add(name)
                _check_specification(report, place, name, value, specifications)
            elif isinstance(value, yaml.ScalarNode):
                _check_none(report, place, name, value)


def public(place: Place) -> Iterator[tuple[str, yaml.MappingNode]]:
    """Yield name and specification of every public variable of a file."""
    for section, node in walk(place.root):
        if section in ("defaults", "vars") and isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if value.tag == PUBLIC and isinstance(value, yaml.MappingNode):
                    yield str(followed(key).value), value


def fields(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    """Return the fields of a specification."""
    return {str(followed(key).value): value for key, value in node.value}


def _check_name(report: Report, place: Place, key: yaml.Node, name: str, objects: Mapping[str, object]) -> None:
    if name in objects:
        _add(
            report,
            "hidden-variable",
            place,
            key,
            f"variable {name} is hidden by the function or namespace of that name",
        )
    elif name in RESERVED:
        _add(
            report,
            "hidden-variable",
            place,
            key,
            f"{name} is a word of the language: no expression can name the variable",
        )
    elif name in FUNCTIONS:
        message = f"variable {name} hides the builtin function {name}, which cannot be called any more"
        _add(report, "hidden-variable", place, key, message)
    elif name != "<<" and not _NAME.fullmatch(name):
        message = f"variable {name!r} can only be reached as $env[{name!r}]"
        _add(report, "hidden-variable", place, key, message)


def _check_none(report: Report, place: Place, name: str, node: yaml.ScalarNode) -> None:
    text = str(node.value).strip()
    if text != _NONE and text.lower() == _NONE:
        message = f"{name} is {text!r}: only {_NONE!r} in small letters counts as not set everywhere"
        _add(report, "none-spelling", place, node, message)


def _check_specification(
    report: Report, place: Place, name: str, node: yaml.MappingNode, offered: Mapping[str, yaml.MappingNode]
) -> None:
    found = fields(node)

    def word(key: str) -> str:
        value = found.get(key)
        return str(value.value) if isinstance(value, yaml.ScalarNode) else ""

    for key, rule, known, instead in (
        ("type", "unknown-type", TYPES, "string"), ("widget", "unknown-widget", WIDGETS, "editBox"),
    ):  # fmt: skip
        if key in found and word(key) and word(key) not in known:
            near = difflib.get_close_matches(word(key), known, 1) or known
            message = f"{name}: there is no {key} {word(key)!r}, it counts as {instead}"
            _add(report, rule, place, found[key], message, f"there are {', '.join(near)}")
    for key, pattern, what in (("index", _NUMBER, "a whole number"), ("rows", _COUNT, "a number from 0")):
        if word(key) and not pattern.fullmatch(word(key).strip()):
            message = f"{name} is not offered: its {key} must be {what}, is {word(key)!r}"
            _add(report, "bad-specification", place, found[key], message)
    for key, value in found.items():
        wanted = yaml.SequenceNode if key == "values" else yaml.ScalarNode
        if not isinstance(followed(value), wanted) and not (key == "values" and word(key) == ""):
            shape = "a list" if key == "values" else "plain text"
            _add(report, "bad-specification", place, value, f"{name} is not offered: its {key} must be {shape}")
    default = found.get("value")
    if isinstance(default, yaml.ScalarNode):
        _check_none(report, place, name, default)
        _check_default(report, place, name, default, found.get("values"), word("widget"))
    for key in ("visibleif", "enabledif"):
        if isinstance(condition := found.get(key), yaml.ScalarNode):
            _check_condition(report, place, name, key, condition, offered)


def _check_default(
    report: Report, place: Place, name: str, value: yaml.ScalarNode, values: yaml.Node | None, widget: str
) -> None:
    if widget not in ("dropDownBox", "radioButtonBox", "listBox") or not isinstance(values, yaml.SequenceNode):
        return
    choices = [str(one.value) for one in values.value]
    if choices and value.value not in choices:
        near = ", ".join(difflib.get_close_matches(value.value, choices, 3) or choices[:5])
        _add(
            report,
            "unknown-choice",
            place,
            value,
            f"{name}: the default {value.value!r} is not offered",
            f"offered are {near}",
        )


def _check_condition(
    report: Report, place: Place, name: str, key: str, node: yaml.ScalarNode, offered: Collection[str]
) -> None:
    text = str(node.value)
    if wrong := conditions.problem(text):
        column = re.match(r"column ([0-9]+)", wrong)
        _add(report, "bad-condition", place, node, f"{name}: {key} is not understood: {wrong}",
             offset=int(column[1]) - 1 if column else 0)  # fmt: skip
        return
    for variable in conditions.names(text):
        if variable not in offered:
            near = difflib.get_close_matches(variable, offered, 1)
            message = f"{name}: {key} names $${variable}, which the template does not offer"
            hint = f"did you mean $${near[0]}?" if near else ""
            _add(report, "bad-condition", place, node, message, hint, offset=text.find(f"$${variable}"))


def _add(
    report: Report, rule: str, place: Place, node: yaml.Node, message: str, hint: str = "", *, offset: int | None = None
) -> None:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if offset is not None:
        line, column = locate(place.source, line, column, str(node.value), offset)
    report.add(rule, message, place.file, line, column, hint=hint)
