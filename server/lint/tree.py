"""A resolved workflow: commands, channels, constraints, names. What is written in it, on or off: roles.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from server.lint.hooks import look_at_function, look_at_hook
from server.lint.report import Report
from server.lint.roles import add_hook, add_in, hook_texts
from server.lint.rules import Severity
from server.lint.sources import Sources, Task
from server.template.model import Constraint, Inbound, LoadedRole, LoadedWorkflow, Outbound, RoleKind
from server.template.render import OPEN
from server.workflow.findings import UNKNOWN, Origin
from server.workflow.templates import Body, Text, WorkflowTemplate

_Channel = TypeVar("_Channel", Inbound, Outbound)


@dataclass(frozen=True)
class Spot:
    """Where a channel or a constraint of a resolved role is written."""

    template: WorkflowTemplate
    text: Text
    path: str


@dataclass(frozen=True)
class Leaf:
    """A task or call of the resolved tree with what it inherits, the nearest first."""

    role: LoadedRole
    path: str
    parent: str
    origin: Origin
    stack: Mapping[str, str]
    bind: Mapping[str, tuple[Inbound, Spot]]
    connect: Mapping[str, tuple[Outbound, Spot]]
    constraints: Mapping[str, tuple[Constraint, Spot]]
    task: Task | None

    @property
    def has_channels(self) -> bool:
        """Whether the task is configured, hence connects."""
        return self.task is not None and self.task.task_class.mode not in ("basic", "hook")


@dataclass(frozen=True)
class Layers:
    """Variables of the environment."""

    defaults: Mapping[str, str]
    vars: Mapping[str, str]
    user: Mapping[str, str]


class Tree:
    """The leaves of a resolved workflow.

    Attributes:
        is_open: something in it is generated or failed, so that channels may exist which are not seen here.
    """

    def __init__(
        self,
        workflow: LoadedWorkflow,
        root: Origin,
        origins: Mapping[str, list[Origin]],
        sources: Sources,
        layers: Layers,
    ) -> None:
        self._origins = {path: list(found) for path, found in origins.items()}
        self._sources = sources
        self._user = layers.user
        self.is_open = False
        self.leaves = list(
            self._leaves(workflow.root, workflow.root.name, "", root, layers.defaults, layers.vars, {}, {}, {})
        )

    def _leaves(
        self, role: LoadedRole, path: str, parent: str, origin: Origin, defaults: Mapping[str, str], vars: Mapping[str, str],
        bind: Mapping[str, tuple[Inbound, Spot]], connect: Mapping[str, tuple[Outbound, Spot]],
        constraints: Mapping[str, tuple[Constraint, Spot]],
    ) -> Iterator[Leaf]:  # fmt: skip
        self.is_open = self.is_open or UNKNOWN in role.include or UNKNOWN in role.name
        defaults = {**({} if role.cuts_defaults else defaults), **role.defaults}
        vars = {**({} if role.cuts_vars else vars), **role.vars}
        written = self._written(origin, role)
        bind = {**bind, **_named(role.bind, written.role.bind, written.template, path)}
        connect = {**connect, **_named(role.connect, written.role.connect, written.template, path)}
        wanted = {
            one.attribute: (one, Spot(written.template, text, path))
            for one, (_, text) in zip(role.constraints, written.role.constraints, strict=False)
        }
        constraints = {**constraints, **wanted}
        if role.kind is not RoleKind.AGGREGATOR:
            stack = {**defaults, **vars, **self._user}
            name = role.load.rpartition("@")[0].rpartition("/")[2]
            task = self._sources.task(name) if role.load.startswith(f"{self._sources.name}/tasks/") else None
            yield Leaf(role, path, parent, origin, stack, bind, connect, constraints, task)
        for child in role.roles:
            below = f"{path}.{child.name}"
            found = self._origins.get(below)
            if found:
                yield from self._leaves(child, below, path, found.pop(0), defaults, vars, bind, connect, constraints)

    def _written(self, origin: Origin, role: LoadedRole) -> Origin:
        """Return where the body of a role stands: that of an include is the root of what it includes."""
        if origin.role.body is Body.INCLUDE and "/" not in role.include and UNKNOWN not in role.include:
            included = self._sources.workflow(role.include.partition("@")[0].removesuffix(".yaml"))
            if included:
                return Origin(included.template, included.template.root)
        return origin


def check_leaves(report: Report, tree: Tree) -> None:
    """Report hooks and calls whose rendered fields are wrong, and constraints that are empty."""
    for leaf in tree.leaves:
        template, role = leaf.origin
        action = role.action
        if action is None or leaf.role.traits is None:
            continue
        traits, is_call = leaf.role.traits, leaf.role.kind is RoleKind.CALL
        await_ = traits.await_ if action.await_.value else ""
        texts = hook_texts(action)
        for trouble in look_at_hook(traits.trigger, await_, traits.timeout, is_call=is_call):
            if OPEN in texts[trouble.key].value or (trouble.key == "func" and OPEN in action.trigger.value):
                add_hook(report, template, role, trouble, leaf.path, traits.trigger)
        if is_call and OPEN in action.func.value:
            for fault in look_at_function(leaf.role.func):
                message = f"{fault.message}: {leaf.role.func!r}"
                add_in(report, fault.rule, template, action.func, message, role=leaf.path, about=fault.message)
        for constraint, spot in leaf.constraints.values() if leaf.role.kind is RoleKind.TASK else ():
            if not constraint.value.strip():
                message = f"constraint {constraint.attribute} is empty here: it holds for no host"
                add_in(
                    report,
                    "empty-constraint",
                    spot.template,
                    spot.text,
                    message,
                    role=leaf.path,
                    about=constraint.attribute,
                )


def check_channels(report: Report, tree: Tree, *, is_part: bool) -> None:
    """Report channels that lead nowhere, aliases bound twice, and paths that are not unique.

    Args:
        is_part: the workflow is one to be included: who includes it may bind what it connects to.
    """
    bound: dict[str, Leaf] = {}
    targets: set[str] = set()
    tasks = [leaf for leaf in tree.leaves if leaf.has_channels]
    for leaf in tasks:
        for name, alias, spot in _inbound(leaf):
            bound.setdefault(f"{leaf.path}:{name}", leaf)
            key = f"::{alias}"
            if alias and UNKNOWN not in alias and bound.setdefault(key, leaf) is not leaf:
                message = f"global name {alias!r} is bound twice: by {bound[key].path} and by {leaf.path}"
                _add(report, "duplicate-alias", leaf, spot, message, about=key)
    for leaf in tasks:
        for name, target, written in _outbound(leaf):
            targets.add(target)
            if target in bound or target.startswith(("tcp://", "ipc://")) or UNKNOWN in target:
                continue
            if tree.is_open and (target.startswith("::") or not _is_seen(target, tree)):
                continue
            near = [key for key in bound if key.rsplit(":", 1)[-1] == name][:3]
            message = (
                f"channel {name} connects to {target!r}, which nothing binds"
                if target
                else f"channel {name} has no target"
            )
            hint = f"bound are {', '.join(near or sorted(bound)[:3])}" if bound else "nothing is bound"
            severity = Severity.INFO if is_part and target.startswith("::") else None
            _add(report, "dangling-channel", leaf, written, message, hint, about=name, severity=severity)
    if not (tree.is_open or is_part):
        _check_unused(report, tasks, targets)
    _check_duplicates(report, tasks, targets)


def _inbound(leaf: Leaf) -> Iterator[tuple[str, str, Spot | None]]:
    """Yield name, alias and place of all that a task binds."""
    for name, (channel, spot) in leaf.bind.items():
        yield name, channel.alias, spot
    assert leaf.task is not None
    for inbound in leaf.task.task_class.bind:
        if inbound.name not in leaf.bind:
            yield inbound.name, inbound.alias, None


def _outbound(leaf: Leaf) -> Iterator[tuple[str, str, Spot | None]]:
    for name, (channel, spot) in leaf.connect.items():
        yield name, channel.target, spot
    assert leaf.task is not None
    for outbound in leaf.task.task_class.connect:
        if outbound.name not in leaf.connect:
            yield outbound.name, "", None


def _is_seen(target: str, tree: Tree) -> bool:
    """Tell whether the role that a target names is in the tree, so that its channels are known."""
    path = target.rpartition(":")[0]
    return any(leaf.path == path for leaf in tree.leaves)


def _check_unused(report: Report, tasks: Sequence[Leaf], targets: set[str]) -> None:
    for leaf in tasks:
        for name, (channel, spot) in leaf.bind.items():
            if f"{leaf.path}:{name}" not in targets and f"::{channel.alias}" not in targets and not channel.target:
                _add(report, "unused-channel", leaf, spot, f"nothing connects to channel {name}", about=name)


def _check_duplicates(report: Report, tasks: Sequence[Leaf], targets: set[str]) -> None:
    by_path: dict[str, list[Leaf]] = {}
    for leaf in tasks:
        by_path.setdefault(leaf.path, []).append(leaf)
    named = {target.rpartition(":")[0] for target in targets}
    for path, leaves in by_path.items():
        binding = [leaf for leaf in leaves if any(True for _ in _inbound(leaf))]
        if len(leaves) > 1 and (path in named or len(binding) > 1):
            template, role = leaves[1].origin
            message = f"there are {len(leaves)} tasks {path}: who connects by this path finds only one of them"
            add_in(report, "duplicate-role", template, role.name, message, role=path)


def _add(
    report: Report, rule: str, leaf: Leaf, spot: Spot | None, message: str, hint: str = "", *, about: str = "",
    severity: Severity | None = None,
) -> None:  # fmt: skip
    template, text = (spot.template, spot.text) if spot else (leaf.origin.template, leaf.origin.role.name)
    add_in(report, rule, template, text, message, role=leaf.path, hint=hint, about=about, severity=severity)


def _named(
    channels: Sequence[_Channel], written: Sequence[tuple[_Channel, Text]], template: WorkflowTemplate, path: str
) -> dict[str, tuple[_Channel, Spot]]:
    """Return channels by name with their places; both lists are in the order of the file."""
    return {
        channel.name: (channel, Spot(template, text if text.line else template.root.name, path))
        for channel, (_, text) in zip(channels, written, strict=False)
    }
