"""The property map that CONFIGURE brings to a task, and how channels find each other (workflows-config.md 5.4 to 5.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, TypeVar

from occ.errors import ConfigError
from server.task.command import Failed, special_variables, unrendered
from server.template.errors import ExpressionError
from server.template.functions import UTILITIES
from server.template.model import Constraint, Inbound, Outbound, TaskClass
from server.template.ptree import PropertyTrees
from server.template.render import OPEN, render_in
from server.template.scope import Scope
from server.template.vocabulary import asks_services

_Channel = TypeVar("_Channel", Inbound, Outbound)


class Wired(Protocol):
    """A task as others find it; server/task/task.py has one."""

    @property
    def role_path(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def endpoints(self) -> Mapping[str, str]: ...


def effective_inbound(roles: Sequence[Inbound], of_class: Sequence[Inbound]) -> tuple[Inbound, ...]:
    """Return what a task binds: the roles' channels, then those of its class whose name is new."""
    return _by_name(roles, of_class)


def effective_outbound(roles: Sequence[Outbound], of_class: Sequence[Outbound]) -> tuple[Outbound, ...]:
    """Return what a task connects to, by the same rule."""
    return _by_name(roles, of_class)


def merge_constraints(parent: Iterable[Constraint], child: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Return the parent's constraints, replaced in place by the child's of the same attribute, new ones appended."""
    merged = {constraint.attribute: constraint for constraint in parent}
    merged |= {constraint.attribute: constraint for constraint in child}
    return tuple(merged.values())


def environment_endpoints(tasks: Iterable[Wired]) -> dict[str, str]:
    """Return where every inbound channel of an environment is reached: ``<role path>:<channel>`` or ``::<alias>``.

    Raises:
        ConfigError: two endpoints for one alias.
    """
    endpoints: dict[str, str] = {}
    for task in tasks:
        for name, local in task.endpoints.items():
            endpoint = local.replace("tcp://*", f"tcp://{task.address}", 1)
            key = name if name.startswith("::") else f"{task.role_path}:{name}"
            if name.startswith("::") and endpoints.get(key, endpoint) != endpoint:
                raise ConfigError(
                    f"channel alias {key} is bound twice: at {endpoints[key]} and, by role {task.role_path}, at {endpoint}",
                    hint="a global alias must be unique in its environment",
                )
            endpoints[key] = endpoint
    return endpoints


@dataclass(frozen=True, slots=True)
class UnrenderedProperties:
    """The property map of one task before its expressions are evaluated.

    Attributes:
        values: by key.
        known: variables.
    """

    task_class: TaskClass
    values: Mapping[str, str]
    known: Mapping[str, str]

    @property
    def asks_services(self) -> bool:
        """Rendering may block."""
        return asks_services(self.values.values())

    def render(self, objects: Mapping[str, object] = UTILITIES, failed: Failed | None = None) -> dict[str, str]:
        """Evaluate all values; payloads of ToPtree move to keys that say their syntax (workflows-config.md 5.4, step 6).

        Args:
            objects: all that expressions may call.
            failed: is told what cannot be rendered, and returns what stands in its place; None: the first one is raised.

        Raises:
            ConfigError: a value cannot be rendered.
        """
        trees = PropertyTrees()
        names = {**objects, "ToPtree": trees.add}
        rendered: dict[str, str] = {}
        for key, value in self.values.items():
            if OPEN not in value:
                rendered[key] = value
                continue
            try:
                text = render_in(value, Scope(self.known, names))
            except ExpressionError as error:
                if failed is None:
                    raise unrendered(self.task_class, f"properties.{key}", error) from error
                text = failed(key, value, error)
            if tree := trees.get(text):
                rendered[f"__ptree__:{tree.syntax}:{key}"] = tree.payload
            else:
                rendered[key] = text
        return rendered


def build_properties(
    task_class: TaskClass,
    stack: Mapping[str, str],
    *,
    task_id: str,
    task_name: str,
    hostname: str,
    environment_id: str,
    role_path: str,
    inbound: Sequence[Inbound],
    outbound: Sequence[Outbound],
    local_endpoints: Mapping[str, str],
    endpoints: Mapping[str, str],
    transports: Mapping[str, str],
) -> UnrenderedProperties:
    """Return the property map of one task.

    Args:
        inbound, outbound: of the roles; those of the class are added here.
        local_endpoints: channel name to the address that this task binds.
        endpoints: of the whole environment, from ``environment_endpoints``.
        transports: key of ``endpoints`` to the transport of the inbound side, which wins.

    Raises:
        ConfigError: an outbound channel leads nowhere.
    """
    special = special_variables(
        task_id=task_id,
        task_name=task_name,
        class_name=task_class.identifier,
        hostname=hostname,
        environment_id=environment_id,
        role_path=role_path,
    )
    known = {**task_class.defaults, **task_class.vars, **stack, **special}
    properties = {"environment_id": environment_id} | task_class.properties
    if "pdp_override_run_start_time" in known:
        properties["orbit-reset-time"] = known["pdp_override_run_start_time"]
    for channel in effective_inbound(inbound, task_class.bind):
        address = channel.target or local_endpoints.get(channel.name, "")
        if address.startswith(("tcp://", "ipc://")):
            properties |= _channel(channel, address, "bind", channel.transport)
    for out in effective_outbound(outbound, task_class.connect):
        address = _target(out, endpoints, role_path)
        transport = transports.get(out.target, out.transport)
        properties |= _channel(out, address, "connect", transport)
    return UnrenderedProperties(task_class, properties, known)


def _target(channel: Outbound, endpoints: Mapping[str, str], role_path: str) -> str:
    if channel.target.startswith(("tcp://", "ipc://")):
        return channel.target
    if address := endpoints.get(channel.target):
        return address
    near = sorted(key for key in endpoints if key.rsplit(":", 1)[-1] == channel.target.rsplit(":", 1)[-1])[:5]
    raise ConfigError(
        f"role {role_path}: outbound channel {channel.name} has no counterpart: target {channel.target!r} is not bound",
        hint=f"bound are {', '.join(near or sorted(endpoints)[:5]) or 'none'}",
    )


def _channel(channel: Inbound | Outbound, address: str, method: str, transport: str) -> dict[str, str]:
    values = {
        "address": address,
        "method": method,
        "rateLogging": channel.rate_logging,
        "rcvBufSize": str(channel.rcv_buf_size),
        "rcvKernelSize": "0",
        "sndBufSize": str(channel.snd_buf_size),
        "sndKernelSize": "0",
        "transport": transport,
        "type": channel.type,
    }
    if method == "bind":
        values["autoBind"] = "0"
    head = f"chans.{channel.name}"
    return {f"{head}.numSockets": "1"} | {f"{head}.0.{key}": value for key, value in values.items()}


def _by_name(first: Sequence[_Channel], then: Sequence[_Channel]) -> tuple[_Channel, ...]:
    names: set[str] = set()
    found: list[_Channel] = []
    for channel in chain(first, then):
        if channel.name not in names:
            names.add(channel.name)
            found.append(channel)
    return tuple(found)
