"""The role tree of one environment at run time: variables, states and statuses, aggregated as they change.

Which task stands behind a role is known to environment.py; how the tree was loaded, to server/workflow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple, TypeVar

from occ.states import TaskState
from server.api.states import Status
from server.template.model import Constraint, Inbound, LoadedRole, Outbound, RoleKind, Traits


class Role:
    """One node. Only RoleTree changes it.

    Attributes:
        defaults, vars, user_vars: the role's own layers; parents are looked up by ``RoleTree.stack``.
        state, status: reported for a leaf, aggregated for an aggregator (core.md 3.4 to 3.6).
        critical: of a leaf its trait; of an aggregator whether any child is.
        has_task: a task stands behind it.
    """

    __slots__ = (
        "children", "constraints", "critical", "defaults", "has_task", "loaded", "name", "order", "parent", "path",
        "state", "state_counts", "status", "status_counts", "user_vars", "vars",
    )  # fmt: skip

    def __init__(self, loaded: LoadedRole, parent: Role | None, order: int) -> None:
        self.loaded = loaded
        self.parent = parent
        self.name = loaded.name
        self.path: str = f"{parent.path}.{loaded.name}" if parent else loaded.name
        self.order = order
        self.children: list[Role] = []
        self.defaults = dict(loaded.defaults)
        self.vars = dict(loaded.vars)
        self.user_vars: dict[str, str] = {}
        self.constraints: tuple[Constraint, ...] = loaded.constraints
        self.critical = loaded.traits.critical if loaded.traits else False
        self.has_task = False
        # A call has no process: it says nothing about the state and only takes part in the status.
        self.state = TaskState.INVARIANT if loaded.kind is RoleKind.CALL else TaskState.STANDBY
        self.status = Status.INACTIVE
        self.state_counts: dict[TaskState, int] = {}
        self.status_counts: dict[Status, int] = {}

    @property
    def kind(self) -> RoleKind:
        return self.loaded.kind

    @property
    def traits(self) -> Traits:
        """Traits of a leaf; those of an aggregator are empty."""
        return self.loaded.traits or _NO_TRAITS

    @property
    def is_leaf(self) -> bool:
        return self.loaded.kind is not RoleKind.AGGREGATOR

    @property
    def is_hook(self) -> bool:
        """True for a leaf that acts at a moment of a transition (core.md 2.8.1)."""
        return self.is_leaf and bool(self.traits.trigger)


class Hook(NamedTuple):
    """A leaf that acts at a moment of a transition, and its place among those of the same moment."""

    role: Role
    moment: str
    weight: int


_NO_TRAITS = Traits(critical=False)

Channel = TypeVar("Channel", Inbound, Outbound)


class RoleTree:
    """All roles of one environment.

    Args:
        root: the loaded tree.
        defaults, vars, user_vars: the environment's own layers, parents of the root's (core.md 2.1.2).
    """

    def __init__(
        self, root: LoadedRole, defaults: dict[str, str], vars: dict[str, str], user_vars: dict[str, str]
    ) -> None:
        self.defaults = defaults
        self.vars = vars
        self.user_vars = user_vars
        self.by_path: dict[str, list[Role]] = {}
        self.ordered: list[Role] = []
        self.changed: dict[int, Role] = {}
        """Roles whose state or status changed since ``take_changed``, by order."""
        self.root = self._build(root, None)
        self.task_count = sum(role.kind is RoleKind.TASK for role in self.ordered)
        self.task_states: Counter[TaskState] = Counter()
        self.task_statuses: Counter[Status] = Counter()
        """How many of the roles that have a task are in each."""
        self.hooks = tuple([Hook(role, *parse_moment(role.traits.trigger)) for role in self.ordered if role.is_hook])
        """In pre-order."""
        self._count()

    # ---- structure ---------------------------------------------------------------------------

    def leaves(self) -> Iterator[Role]:
        """Yield task and call roles in pre-order."""
        return (role for role in self.ordered if role.is_leaf)

    def task_roles(self) -> Iterator[Role]:
        """Yield task roles in pre-order."""
        return (role for role in self.ordered if role.kind is RoleKind.TASK)

    def __getitem__(self, order: int) -> Role:
        return self.ordered[order]

    def _build(self, loaded: LoadedRole, parent: Role | None) -> Role:
        role = Role(loaded, parent, len(self.ordered))
        self.ordered.append(role)
        self.by_path.setdefault(role.path, []).append(role)
        role.children = [self._build(child, role) for child in loaded.roles]
        if role.children:
            role.critical = any(child.critical for child in role.children)
        return role

    # ---- variables ---------------------------------------------------------------------------

    def stack(self, role: Role) -> dict[str, str]:
        """Return the role's consolidated stack: user variables over variables over defaults (core.md 2.1.2)."""
        lineage = _lineage(role)
        stack: dict[str, str] = {}
        cut = max((i for i, one in enumerate(lineage) if one.loaded.cuts_defaults), default=-1)
        if cut < 0:
            stack.update(self.defaults)
        for one in lineage[max(cut, 0) :]:
            stack.update(one.defaults)
        cut = max((i for i, one in enumerate(lineage) if one.loaded.cuts_vars), default=-1)
        if cut < 0:
            stack.update(self.vars)
        for one in lineage[max(cut, 0) :]:
            stack.update(one.vars)
        stack.update(self.user_vars)
        for one in lineage:
            stack.update(one.user_vars)
        return stack

    def layers(self) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """Return (defaults, vars, user variables) of the root, each with the environment's own layer (core.md 1.8)."""
        root = self.root
        return self.defaults | root.defaults, self.vars | root.vars, self.user_vars | root.user_vars

    # ---- channels and constraints --------------------------------------------------------------

    def channels(self, role: Role) -> tuple[tuple[Inbound, ...], tuple[Outbound, ...]]:
        """Return the channels that a task role sees: its own, then its ancestors', nearest first (workflows-config.md 2.8)."""
        above = list(reversed(_lineage(role)))[1:]
        inbound = _by_name(role.loaded.bind, chain.from_iterable(one.loaded.bind for one in above))
        outbound = _by_name(role.loaded.connect, chain.from_iterable(one.loaded.connect for one in above))
        return inbound, outbound

    def constraints(self, role: Role) -> tuple[Constraint, ...]:
        """Return the effective constraints: the root's in order, replaced by attribute from below (workflows-config.md 2.9)."""
        merged: dict[str, Constraint] = {}
        for one in _lineage(role):
            for constraint in one.constraints:
                merged[constraint.attribute] = constraint
        return tuple(merged.values())

    # ---- states ------------------------------------------------------------------------------

    def attach_task(self, role: Role) -> None:
        """Note that a role has a task from now on."""
        if not role.has_task:
            role.has_task = True
            self.task_states[role.state] += 1
            self.task_statuses[role.status] += 1

    def update(self, role: Role, *, state: TaskState | None = None, status: Status | None = None) -> None:
        """Set what a leaf reports and carry the change upwards; constant work per level.

        A leaf that is not critical shows its own state but does not count above it (core.md 3.6). An aggregator
        of such leaves only stays INVARIANT, which is neutral.
        """
        if state is not None and state is not role.state:
            before, role.state = role.state, state
            self.changed[role.order] = role
            if role.has_task:
                self.task_states[before] -= 1
                self.task_states[state] += 1
            if role.critical:
                self._carry_state(role.parent, before, state)
        if status is not None and status is not role.status:
            old, role.status = role.status, status
            self.changed[role.order] = role
            if role.has_task:
                self.task_statuses[old] -= 1
                self.task_statuses[status] += 1
            if role.critical:
                self._carry_status(role.parent, old, status)

    def take_changed(self) -> list[Role]:
        """Return and forget the roles that changed, in pre-order."""
        changed = [self.changed[order] for order in sorted(self.changed)]
        self.changed.clear()
        return changed

    def _carry_state(self, role: Role | None, before: TaskState, after: TaskState) -> None:
        while role is not None:
            counts = role.state_counts
            counts[before] -= 1
            counts[after] = counts.get(after, 0) + 1
            merged = _merge_states(counts)
            if merged is role.state:
                return
            before, role.state = role.state, merged
            after = merged
            self.changed[role.order] = role
            role = role.parent

    def _carry_status(self, role: Role | None, before: Status, after: Status) -> None:
        while role is not None:
            counts = role.status_counts
            counts[before] -= 1
            counts[after] = counts.get(after, 0) + 1
            merged = _merge_statuses(counts)
            if merged is role.status:
                return
            before, role.status = role.status, merged
            after = merged
            self.changed[role.order] = role
            role = role.parent

    def _count(self) -> None:
        """Fill the counters of all aggregators, children before parents."""
        for role in reversed(self.ordered):
            if role.is_leaf:
                continue
            for child in role.children:
                if child.is_leaf and not child.critical:
                    continue
                role.state_counts[child.state] = role.state_counts.get(child.state, 0) + 1
                role.status_counts[child.status] = role.status_counts.get(child.status, 0) + 1
            role.state = _merge_states(role.state_counts)
            role.status = _merge_statuses(role.status_counts)


def parse_moment(text: str) -> tuple[str, int]:
    """Split ``moment[+N|-N]`` at the last sign; a missing or unreadable weight is 0 (core.md 2.8.1)."""
    cut = max(text.rfind("+"), text.rfind("-"))
    if cut < 0:
        return text, 0
    number = text[cut:]
    return text[:cut], int(number) if number[1:].isdecimal() else 0


def _merge_states(counts: Mapping[TaskState, int]) -> TaskState:
    if counts.get(TaskState.ERROR):
        return TaskState.ERROR
    said = [state for state, count in counts.items() if count and state is not TaskState.INVARIANT]
    if not said:
        return TaskState.INVARIANT
    return said[0] if len(said) == 1 else TaskState.MIXED


def _merge_statuses(counts: Mapping[Status, int]) -> Status:
    for dominant in (Status.UNDEFINED, Status.UNDEPLOYABLE):
        if counts.get(dominant):
            return dominant
    said = [status for status, count in counts.items() if count and status is not Status.INVARIANT]
    if not said:
        return Status.INVARIANT
    return said[0] if len(said) == 1 else Status.PARTIAL


def _lineage(role: Role) -> list[Role]:
    lineage = [role]
    while (parent := lineage[-1].parent) is not None:
        lineage.append(parent)
    lineage.reverse()
    return lineage


def _by_name(own: Iterable[Channel], above: Iterable[Channel]) -> tuple[Channel, ...]:
    """Return own channels, the last of a name, and from above the first of each other name."""
    found = {channel.name: channel for channel in own}
    for channel in above:
        found.setdefault(channel.name, channel)
    return tuple(found.values())
