"""Which role of a tree stands in which line: worst first, healthy branches folded. No widgets, no store, no looks.

A row is a number: a role's ``order``, or ``summary(order)`` for the line below a role that stands for its many healthy
branches. A change costs what it touches; the other rows are kept as they were put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from console.present import RANK
from console.role_tree import RoleTree
from server.api.model import Role

HEALTHY_SHOWN = 12
"""A role with more healthy branches than that shows one line for them all."""

_TOP = -1
"""Stands for the parent of the roles that have none."""
_LEAVES = ("task", "call")
_ERROR, _UNKNOWN, _LAST = RANK["ERROR"], RANK["UNKNOWN"], len(RANK)
_BITS = 32
_LOW = (1 << _BITS) - 1


def summary(order: int) -> int:
    """Return the row of the line for the healthy branches below a role; its own inverse."""
    return -order - 3


def is_leaf(role: Role) -> bool:
    return role.kind in _LEAVES


def rank_of(tree: RoleTree, role: Role) -> int:
    """Return how bad a role is with what is below it, 0 for the worst; critical ones before others."""
    worst = RANK.get(role.state, _LAST)
    if worst > _ERROR and role.kind not in _LEAVES:
        # A role that is not critical hides its state from the roles above; its errors count all the same.
        states = tree.counts(role.order).states
        worst = _ERROR if "ERROR" in states else min(worst, _UNKNOWN) if "UNKNOWN" in states else worst
    return 2 * worst + (not role.critical)


def is_healthy(rank: int) -> bool:
    """Say whether a rank asks for nobody."""
    return rank // 2 > _UNKNOWN


class _Branch:
    """What is known of the roles right below one.

    Attributes:
        ranks: by order of the child.
        branches: those children that may have children themselves.
        sorted: all children as they stand; None when they must be sorted anew.
        rows: all that is shown below; None when it must be put together anew.
        healthy, hidden: what the summary line is about, and those of them that have no row.
    """

    __slots__ = ("branches", "healthy", "hidden", "ranks", "rows", "sorted")

    def __init__(self, tree: RoleTree, children: Sequence[Role]) -> None:
        self.ranks = {role.order: rank_of(tree, role) for role in children}
        self.branches = frozenset(role.order for role in children if role.kind not in _LEAVES)
        self.sorted: list[int] | None = None
        self.rows: list[int] | None = None
        self.healthy: Sequence[int] = ()
        self.hidden: Sequence[int] = ()


class RoleRows:
    """The rows of one tree, which is read and never changed.

    What the user folds or unfolds stays so. Other branches are unfolded while something in them is wrong, and while
    the row to keep is below them.
    """

    def __init__(self, tree: RoleTree) -> None:
        self._tree = tree
        self._worst_first = True
        self._branches: dict[int, _Branch] = {}
        self._chosen: dict[int, bool] = {}
        """By row: True for what the user wants folded, False for unfolded."""
        self._kept: int | None = None
        self._above_kept: frozenset[int] = frozenset()
        self._lets_through: Callable[[Role], bool] | None = None
        self._matching: set[int] = set()
        self._with_above: set[int] = set()
        """With a filter: what matches and all above it."""

    # ---- reads -------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[int]:
        """All rows from the top; do not change them."""
        return self._rows_below(_TOP)

    @property
    def is_worst_first(self) -> bool:
        return self._worst_first

    def index(self, row: int) -> int | None:
        """Return where a row stands, None if it is not shown."""
        try:
            return self.rows.index(row)
        except ValueError:
            return None

    def parent(self, row: int) -> int | None:
        """Return the role that a row hangs from, None for the root's."""
        order = self._parent(row) if row >= 0 else summary(row)
        return None if order == _TOP else order

    def depth(self, row: int) -> int:
        """Return how far in a row stands, 0 for the root."""
        depth, at = 0, self.parent(row)
        while at is not None:
            depth, at = depth + 1, self.parent(at)
        return depth

    def is_folded(self, row: int) -> bool:
        """Say whether what is below a role, or what a summary line is about, is not shown."""
        if row < 0:
            return self._chosen.get(row, True)
        role = self._tree.get(row)
        return role is None or self._is_folded(row, rank_of(self._tree, role))

    def healthy(self, row: int) -> Sequence[int]:
        """Return the roles that a summary line is about."""
        branch = self._branches.get(summary(row))
        return branch.healthy if branch else ()

    def hidden(self, row: int) -> Sequence[int]:
        """Return the roles that have no row because a summary line stands for them."""
        branch = self._branches.get(summary(row))
        return branch.hidden if branch else ()

    def healthy_states(self, row: int) -> Counter[str]:
        """Count the states of the roles that a summary line is about."""
        roles = map(self._tree.get, self.healthy(row))
        return Counter(role.state for role in roles if role is not None)

    def worst(self) -> int | None:
        """Return the worst leaf, the first of several; None without any."""
        at: int | None = None
        below = self._tree.children(None)
        while below:
            at = min(below, key=lambda role: (rank_of(self._tree, role), role.order)).order
            below = self._tree.children(at)
        return at

    # ---- what the user asks ------------------------------------------------------------------

    def order_by(self, *, worst_first: bool) -> None:
        """Show the worst first, or all in the order of the template."""
        if worst_first != self._worst_first:
            self._worst_first = worst_first
            for branch in self._branches.values():
                branch.sorted = branch.rows = None

    def fold(self, row: int, *, is_folded: bool = True) -> None:
        """Fold or unfold what is below a role or what a summary line is about."""
        self._chosen[row] = is_folded
        self._touch(row if row >= 0 else summary(row))

    def reveal(self, order: int) -> None:
        """Fold nothing above a role by the user's choice: to keep its row is then enough to see it."""
        at = self._parent(order)
        while at != _TOP:
            if self._chosen.pop(at, False):
                self._touch(at)
            at = self._parent(at)

    def keep(self, row: int | None) -> None:
        """Never fold away a row by itself, nor what it hangs from; None for none."""
        path = set()
        at = None if row is None else self.parent(row)
        while at is not None:
            path.add(at)
            at = self.parent(at)
        changed = self._above_kept ^ path | {one for one in (self._kept, row) if one is not None}
        self._kept, self._above_kept = row, frozenset(path)
        for one in changed:
            self._touch(one if one >= 0 else summary(one))

    def show_only(self, lets_through: Callable[[Role], bool] | None) -> None:
        """Show the roles that a filter lets through and all above them; None for no filter."""
        self._lets_through = lets_through
        roles = self._tree.roles() if lets_through else ()
        self._matching = {role.order for role in roles if lets_through and lets_through(role)}
        self._filtered_anew()

    # ---- changes of the tree -----------------------------------------------------------------

    def reset(self, tree: RoleTree) -> None:
        """Read the tree anew, or the one that took its place; what the user folded stays folded."""
        self._tree = tree
        self._branches.clear()
        self.show_only(self._lets_through)

    def update(self, orders: Iterable[int]) -> None:
        """Take in the named roles as they are now."""
        get, branches = self._tree.get, self._branches
        level = orders
        has_filter_changed = False
        while level:
            above: set[int] = set()
            for order in level:
                role = get(order)
                if role is None:
                    self.reset(self._tree)
                    return
                if self._lets_through is not None:
                    has_filter_changed |= self._match(role)
                parent = role.parent_order
                if (_TOP if parent is None else parent) in branches:
                    self._rank_anew(role)
                if parent is not None:
                    above.add(parent)
            level = above
        if has_filter_changed:
            self._filtered_anew()

    def rank_all(self) -> None:
        """Take in all roles as they are now; where many changed, that costs less than to name them."""
        if self._lets_through is not None:
            self.show_only(self._lets_through)
        tree = self._tree
        for order, branch in list(self._branches.items()):
            children = tree.children(None if order == _TOP else order)
            ranks = {role.order: rank_of(tree, role) for role in children}
            if ranks.keys() != branch.ranks.keys():
                self._branches.clear()
                return
            if ranks != branch.ranks:
                branch.ranks, branch.sorted = ranks, None
                self._touch(order)

    def _rank_anew(self, role: Role) -> None:
        parent = _TOP if role.parent_order is None else role.parent_order
        branch = self._branches[parent]
        rank = rank_of(self._tree, role)
        known = branch.ranks.get(role.order)
        if known is None:
            self._branches.clear()
        elif known != rank:
            branch.ranks[role.order] = rank
            branch.sorted = None
            self._touch(parent)

    def _match(self, role: Role) -> bool:
        """Look at a role through the filter; say whether that made a difference."""
        assert self._lets_through is not None
        if self._lets_through(role) == (role.order in self._matching):
            return False
        self._matching ^= {role.order}
        return True

    def _filtered_anew(self) -> None:
        self._with_above = set()
        for order in self._matching:
            at = order
            while at != _TOP and at not in self._with_above:
                self._with_above.add(at)
                at = self._parent(at)
        for branch in self._branches.values():
            branch.rows = None

    # ---- how it is put together --------------------------------------------------------------

    def _branch(self, order: int) -> _Branch:
        branch = self._branches.get(order)
        if branch is None:
            children = self._tree.children(None if order == _TOP else order)
            branch = self._branches[order] = _Branch(self._tree, children)
        return branch

    def _rows_below(self, order: int) -> list[int]:
        branch = self._branch(order)
        if branch.sorted is None:
            branch.sorted = sorted(branch.ranks)
            if self._worst_first:
                keys = [rank << _BITS | child for child, rank in branch.ranks.items()]
                branch.sorted = [key & _LOW for key in sorted(keys)]
        if branch.rows is None:
            branch.rows = self._put_together(order, branch, branch.sorted)
        return branch.rows

    def _put_together(self, order: int, branch: _Branch, children: Sequence[int]) -> list[int]:
        if self._lets_through is not None:
            branch.healthy = branch.hidden = ()
            children = [child for child in children if child in self._with_above]
        else:
            self._fold_healthy(order, branch, children)
        rows: list[int] = []
        hidden = set(branch.hidden)
        first = branch.healthy[0] if branch.healthy else None
        for child in children:
            if child == first:
                rows.append(summary(order))
            if child in hidden:
                continue
            rows.append(child)
            if child in branch.branches and not self._is_folded(child, branch.ranks[child]):
                rows += self._rows_below(child)
        return rows

    def _fold_healthy(self, order: int, branch: _Branch, children: Sequence[int]) -> None:
        """Say which children the summary line is about and which of them have no row."""
        ranks, inner, chosen = branch.ranks, branch.branches, self._chosen
        healthy = [
            child for child in children
            if child in inner and is_healthy(ranks[child]) and chosen.get(child, True)
        ]  # fmt: skip
        branch.healthy = healthy if len(healthy) > HEALTHY_SHOWN else ()
        is_folded = bool(branch.healthy) and chosen.get(summary(order), True)
        shown = self._above_kept | {self._kept}
        branch.hidden = [child for child in healthy if child not in shown] if is_folded else ()

    def _is_folded(self, order: int, rank: int) -> bool:
        if self._lets_through is not None:
            return False
        if order in self._chosen:
            return self._chosen[order]
        return self._parent(order) != _TOP and is_healthy(rank) and order not in self._above_kept

    def _parent(self, order: int) -> int:
        role = self._tree.get(order)
        return _TOP if role is None or role.parent_order is None else role.parent_order

    def _touch(self, order: int) -> None:
        """Put the rows below a role, and so those below all above it, together anew with the next look."""
        at = order
        while True:
            branch = self._branches.get(at)
            if branch is not None:
                branch.rows = None
            if at == _TOP:
                return
            at = self._parent(at)
