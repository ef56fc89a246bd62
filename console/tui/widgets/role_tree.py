"""The roles of one environment as a tree drawn line by line: worst first, what is healthy folded.

Which role has which row: console/role_rows.py. A row is named by its number there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType

from console.filters import Fields, parse
from console.present import RANK, look
from console.role_rows import RoleRows, is_leaf, summary
from console.role_tree import RoleCounts, RoleTree
from console.tui.widgets.grid import Cell, Column, Grid
from server.api.model import Role

if TYPE_CHECKING:
    from console.tui.looks import Styles

WITH_IDS = 64
"""Columns of the list from which it shows the ids of tasks."""
INDENT = 2


class RoleGrid(Grid):
    """Roles of the environment that the screen is about; folding and selection are remembered for each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_fold", "fold", id="roles.toggle"),
        Binding("asterisk", "worst", "worst", id="roles.worst"),
        Binding("o", "order", "order", id="roles.order"),
        Binding("left,h", "fold", "fold, or to the role above", show=False, id="roles.fold"),
        Binding("right,l", "unfold", "unfold, or to the role below", show=False, id="roles.unfold"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.environment_id = ""
        self._tree = RoleTree()
        self._rows = RoleRows(self._tree)
        self._known: dict[str, tuple[RoleRows, str]] = {}
        """Rows and selected row of environments that were shown."""

    # ---- what is shown -----------------------------------------------------------------------

    def show_environment(self, environment_id: str) -> None:
        """Show the roles of another environment, as it was left."""
        if environment_id == self.environment_id:
            return
        if self.environment_id:
            self._known[self.environment_id] = (self._rows, self.selected)
        self._known = {one: kept for one, kept in self._known.items() if self.store.environment(one)}
        self.environment_id = environment_id
        self._rows, self.selected = self._known.get(environment_id) or (RoleRows(self._tree), "")
        self.scroll_to(y=0, animate=False, immediate=True)
        self.reload()
        if self.selected:
            self.select(self.selected)

    def reload(self) -> None:
        self._tree = self.store.role_tree(self.environment_id)
        self._rows.reset(self._tree)
        self._filter()
        self.rows_changed()

    def update_rows(self, orders: Iterable[int] | None) -> None:
        """Take in the named roles as they are now, None for all."""
        if self._tree is not self.store.role_tree(self.environment_id):
            self.reload()
            return
        if orders is None:
            self._rows.rank_all()
        else:
            self._rows.update(orders)
        self.rows_changed()

    def show_role(self, order: int) -> None:
        """Select a role, wherever it is folded away."""
        self._rows.reveal(order)
        self._rows.keep(order)
        self.rows_changed()
        self.select(str(order))

    def show_root(self) -> bool:
        """Select the root; say whether something else was selected."""
        rows = self._rows.rows
        was_elsewhere = bool(rows) and self.selected != str(rows[0])
        if rows:
            self.select(str(rows[0]))
        return was_elsewhere

    @property
    def selected_role(self) -> Role | None:
        """The selected role, of a line for many the one above them; None without any."""
        if not self.selected:
            return None
        row = int(self.selected)
        return self._tree.get(row if row >= 0 else summary(row))

    @property
    def is_worst_first(self) -> bool:
        return self._rows.is_worst_first

    # ---- for the grid ------------------------------------------------------------------------

    def row_count(self) -> int:
        return len(self._rows.rows)

    def row_id(self, at: int) -> str:
        return str(self._rows.rows[at])

    def row_index(self, row: str) -> int | None:
        return self._rows.index(int(row)) if row else None

    def _select(self, row: str) -> None:
        if row == self.selected:
            return
        super()._select(row)
        # What only the row before kept unfolded may fold now; the selected one must not move by that.
        self._rows.keep(int(row) if row else None)
        self.rows_changed()

    def show_only(self, filter_text: str) -> None:
        if filter_text != self.filter_text:
            self.filter_text = filter_text
            self._filter()
            self.rows_changed()

    def _filter(self) -> None:
        lets_through = parse(self.filter_text) if self.filter_text else None
        self._rows.show_only((lambda role: lets_through(self._fields(role))) if lets_through else None)

    def fields(self, row: str) -> Fields:
        role = self._tree.get(int(row))
        return self._fields(role) if role else {}

    def _fields(self, role: Role) -> Fields:
        task = self.store.task(role.task_id) if role.task_id else None
        return {
            "role": role.name,
            "kind": role.kind,
            "state": role.state,
            "status": role.status,
            "path": role.path,
            "id": role.task_id,
            "host": task.host if task else "",
            "critical": "yes" if role.critical else "no",
        }

    def empty_text(self) -> str:
        return "no roles known" if self.store.environment(self.environment_id) else ""

    def next_row(self, is_meant: Callable[[str], bool], direction: int) -> str:
        """Look through folded branches too, in the order in which they are shown."""
        selected = self.selected_role
        here = selected.order if selected is not None else None
        meant = {role.order for role in self._tree.roles() if is_meant(str(role.order))}
        self._rows.show_only(lambda role: role.order in meant or role.order == here)
        orders = [order for order in self._rows.rows if order in meant or order == here]
        self._rows.show_only(None)
        at = orders.index(here) if here is not None else -1
        ahead = orders[at + 1 :] if direction > 0 else orders[: max(0, at)][::-1]
        return str(ahead[0]) if ahead else ""

    def show_row(self, row: str) -> None:
        if int(row) >= 0:
            self.show_role(int(row))
        else:
            self.select(row)

    # ---- keys --------------------------------------------------------------------------------

    def action_toggle_fold(self) -> None:
        """Fold or unfold the selected branch."""
        self._fold(not self._rows.is_folded(int(self.selected))) if self._has_below() else None

    def action_fold(self) -> None:
        """Fold the selected branch; select the role above where there is nothing to fold."""
        if self._has_below() and not self._rows.is_folded(int(self.selected)):
            self._fold(True)
        elif self.selected and (above := self._rows.parent(int(self.selected))) is not None:
            self.select(str(above))

    def action_unfold(self) -> None:
        """Unfold the selected branch; select the first role below where it is unfolded already."""
        if not self._has_below():
            return
        if self._rows.is_folded(int(self.selected)):
            self._fold(False)
        else:
            self.action_move(1)

    def action_worst(self) -> None:
        """Unfold the worst branch down to its worst role, and select that."""
        worst = self._rows.worst()
        if worst is not None:
            self.show_role(worst)

    def action_order(self) -> None:
        """Show the worst first, or all in the order of the template."""
        self._rows.order_by(worst_first=not self._rows.is_worst_first)
        self.rows_changed()
        self.select(self.selected)

    def action_open(self) -> None:
        if self._has_below():
            self.action_toggle_fold()
        elif self.selected:
            super().action_open()

    def on_click(self, event: events.Click) -> None:
        before = self.selected
        super().on_click(event)
        if self.selected and self._has_below() and event.x <= self._indent(int(self.selected)) + INDENT:
            self.action_toggle_fold() if event.y and (before != self.selected or event.chain == 1) else None

    def _fold(self, is_folded: bool) -> None:
        self._rows.fold(int(self.selected), is_folded=is_folded)
        self.rows_changed()

    def _has_below(self) -> bool:
        """Say whether something hangs below the selected row."""
        if not self.selected:
            return False
        row = int(self.selected)
        role = self._tree.get(row)
        return row < 0 or (role is not None and not is_leaf(role))

    def _indent(self, row: int) -> int:
        return INDENT * self._rows.depth(row)

    # ---- painting ----------------------------------------------------------------------------

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("ROLE", 0), Column("", 1), Column("STATE", 6)]
        if width >= WITH_IDS:
            base.append(Column("TASK ID", 11))
        return [*base, Column("BELOW, OR HOST", 18)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        number = int(row)
        fold = looks.glyph("folded" if self._rows.is_folded(number) else "unfolded")
        indent = " " * self._indent(number)
        if number < 0:
            return self._summary_cells(number, f"{indent}{fold} ", columns, looks)
        role = self._tree.get(number)
        if role is None:
            return [Cell("")] * len(columns)
        look = looks.look(role.state, critical=role.critical and is_leaf(role))
        counts = self._tree.counts(number)
        name = Cell(f"{indent}{fold} {role.name}", looks.bold)
        mark = Cell("")
        below = Cell(below_text(counts), looks.alarm if counts.error else looks.dim)
        if is_leaf(role):
            task = self.store.task(role.task_id) if role.task_id else None
            name = Cell(f"{indent}  {role.name}", _leaf_style(role, looks))
            mark = Cell("!" if role.critical else "", looks.dim)
            where = task.host if task else role.traits.trigger if role.traits else ""
            below = Cell(where, looks.text if task else looks.dim)
        state = Cell(f"{look.glyph:2} {look.code}", look.style)
        if len(columns) == 5:
            return [name, mark, state, Cell(role.task_id, looks.dim), below]
        return [name, mark, state, below]

    def _summary_cells(self, row: int, begin: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        states = self._rows.healthy_states(row)
        count = len(self._rows.hidden(row) or self._rows.healthy(row))
        text = f"{count} folded healthy" if self._rows.is_folded(row) else f"{count} healthy"
        cells = [Cell(begin + text, looks.dim), Cell("")]
        if len(states) == 1:
            look = looks.look(next(iter(states)))
            cells.append(Cell(f"{look.glyph:2} {look.code}", look.style))
            states.clear()
        else:
            cells.append(Cell(""))
        return [*cells, *[Cell("")] * (len(columns) - 4), Cell(states_text(states), looks.dim)]


def below_text(counts: RoleCounts) -> str:
    """Return "12 tasks, 1 error", or "3 CFG 9 RUN" where the states differ otherwise."""
    total = counts.total
    if not total:
        return ""
    words = f"{total} task{'' if total == 1 else 's'}"
    if counts.error:
        return f"{words}, {counts.error} error{'' if counts.error == 1 else 's'}"
    return words if len(counts.states) == 1 else states_text(counts.states)


def states_text(states: Mapping[str, int]) -> str:
    """Return "3 CFG 9 RUN", the worst first."""
    ordered = sorted(states.items(), key=lambda it: RANK.get(it[0], len(RANK)))
    return " ".join(f"{count} {look(state).code}" for state, count in ordered)


def _leaf_style(role: Role, looks: Styles) -> Style:
    if role.state == "ERROR":
        return looks.alarm
    return looks.dim if role.kind == "call" else looks.text
