"""Task templates: from YAML to TaskClass (workflows-config.md 5.1, 5.2). What becomes of one: command.py, properties.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import yaml

from server.template.channels import read_constraints, read_inbound, read_outbound
from server.template.documents import Place, followed, is_null, mapping, number, sequence, text
from server.template.gojson import to_integer
from server.template.model import Command, TaskClass, Wants
from server.template.render import OPEN

MODES = (
    "direct", "fairmq", "basic", "hook", "kubectl_direct", "kubectl_fairmq", "kubernetes_direct", "kubernetes_fairmq",
)  # fmt: skip


def read_task_class(place: Place, expected_name: str, identifier: str) -> TaskClass:
    """Read a task template.

    Args:
        expected_name: of the file, which the template must have too.
        identifier: of the class, ``<repo>/tasks/<name>@<hash>``.

    Raises:
        CoreError: TEMPLATE_BROKEN with file, line and column.
    """
    if is_null(place.root):
        place.fail(place.root, "the file is empty")
    keys = mapping(place, place.root, "a task template")
    name = text(place, keys.get("name"), "name")
    if name != expected_name:
        place.fail(keys.get("name", place.root), f"name is {name!r}, but the file is called {expected_name!r}")
    if is_null(keys.get("wants")):
        place.remark("no-wants", place.root, "a task template without wants: nothing is reserved for its tasks")
    wants = {} if is_null(keys.get("wants")) else mapping(place, keys["wants"], "wants")
    limits = {} if is_null(keys.get("limits")) else mapping(place, keys["limits"], "limits")
    outbound = read_outbound(place, keys.get("connect"))
    if any(channel.target for channel in outbound):
        place.remark(
            "class-target", keys["connect"], "targets of channels in a task template are not used: set them in the role"
        )
    return TaskClass(
        identifier=identifier,
        name=name,
        mode=_mode(place, keys),
        defaults=_strings(place, keys, "defaults"),
        vars=_strings(place, keys, "vars"),
        properties=_strings(place, keys, "properties"),
        wants=Wants(
            cpu=number(place, wants.get("cpu"), "wants.cpu", 0.0),
            memory=number(place, wants.get("memory"), "wants.memory", 0.0),
            ports=_ports(place, wants.get("ports")),
        ),
        cpu_limit=_limit(place, limits, "cpu"),
        memory_limit=_limit(place, limits, "memory"),
        bind=read_inbound(place, keys.get("bind")),
        connect=tuple(msgspec.structs.replace(channel, target="") for channel in outbound),
        constraints=read_constraints(place, keys.get("constraints")),
        command=_command(place, keys),
        places=dict(_places(keys)),
    )


def _places(keys: Mapping[str, yaml.Node]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the place of every value that is rendered later."""
    for section in ("defaults", "vars", "properties", "command"):
        node = followed(keys[section]) if section in keys else None
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = str(followed(key).value)
            name = name if section == "command" else f"{section}.{name}"
            found = followed(value)
            if isinstance(found, yaml.SequenceNode):
                for index, one in enumerate(item for item in found.value if not is_null(item)):
                    yield from _place(f"{name}[{index}]", one)
            else:
                yield from _place(name, value)


def _place(name: str, node: yaml.Node) -> Iterator[tuple[str, tuple[int, int]]]:
    found = followed(node)
    if isinstance(found, yaml.ScalarNode) and OPEN in found.value:
        yield name, (node.start_mark.line + 1, node.start_mark.column + 1)


def _mode(place: Place, keys: Mapping[str, yaml.Node]) -> str:
    if is_null(keys.get("control")):
        return "direct"
    control = mapping(place, keys["control"], "control")
    mode = text(place, control.get("mode"), "control.mode", "direct").strip('"').lower()
    return mode if mode in MODES else "direct"


def _limit(place: Place, limits: Mapping[str, yaml.Node], key: str) -> float | None:
    return None if is_null(limits.get(key)) else number(place, limits[key], f"limits.{key}", 0.0)


def _strings(place: Place, keys: Mapping[str, yaml.Node], section: str) -> dict[str, str]:
    if is_null(keys.get(section)):
        return {}
    return {
        key: text(place, value, f"{section}.{key}") for key, value in mapping(place, keys[section], section).items()
    }


def _ports(place: Place, node: yaml.Node | None) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in filter(None, (one.strip() for one in text(place, node, "wants.ports").split(","))):
        first, _, last = part.partition("-")
        bounds = to_integer(first.strip()), to_integer((last or first).strip())
        if bounds[0] is None or bounds[1] is None or min(bounds[0], bounds[1]) < 0:
            assert node is not None
            place.fail(node, f"wants.ports: {part[:100]!r} is no port and no range of ports")
        ranges.append((bounds[0], bounds[1]))
    return tuple(ranges)


def _command(place: Place, keys: Mapping[str, yaml.Node]) -> Command:
    if is_null(keys.get("command")):
        place.fail(place.root, "a task template needs a command")
    command = mapping(place, keys["command"], "command")
    stdout, old = command.get("stdout"), command.get("log")
    former = None if is_null(old) else text(place, old, "command.log")
    return Command(
        value=text(place, command.get("value"), "command.value"),
        shell=text(place, command.get("shell"), "command.shell").strip().lower() == "true",
        user=text(place, command.get("user"), "command.user"),
        env=tuple(text(place, one, "command.env") for one in sequence(place, command.get("env"), "command.env")),
        arguments=tuple(
            text(place, one, "command.arguments")
            for one in sequence(place, command.get("arguments"), "command.arguments")
        ),
        stdout=former if is_null(stdout) else text(place, stdout, "command.stdout"),
        stderr=None if is_null(command.get("stderr")) else text(place, command["stderr"], "command.stderr"),
    )
