"""Step 3 of a creation, put together: panels, variables, the one that is looked at; every kind changed by keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.widget import Widget

from console.form_fields import Control
from console.tui.dialogs.choosing import Choosing
from console.tui.dialogs.writing import Writing
from console.tui.widgets.form_bench import Step
from console.tui.widgets.form_details import VariableDetails
from console.tui.widgets.form_editor import Editor
from console.tui.widgets.form_prompt import Prompt
from console.tui.widgets.form_variables import PanelGrid, VariableGrid
from console.tui.widgets.grid import Grid

CHOSEN = (Control.ONE, Control.RADIO, Control.COMBO, Control.MANY)
"""Controls that have a list to choose from."""


class VariablesStep(Step):
    """What was typed is kept whatever it is; what is wrong is said beside it."""

    DEFAULT_CSS = """
    VariablesStep #panels { width: 30; margin-right: 1; }
    VariablesStep #area { width: 1fr; height: 1fr; layers: base above; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "only_changed", "only changed", id="create.only_changed"),
        Binding("e", "all_detectors", "all detectors", id="create.all_detectors"),
        Binding("x", "none", "panel to none", id="create.none"),
        Binding("p", "paste", "paste JSON", id="create.paste"),
        Binding("plus", "add", "add", id="create.add"),
        Binding("left_square_bracket", "panel(-1)", "panel before", show=False, id="create.panel_before"),
        Binding("right_square_bracket", "panel(1)", "next panel", show=False, id="create.panel_next"),
    ]

    def compose(self) -> ComposeResult:
        with Horizontal(classes="lists"):
            yield PanelGrid(id="panels")
            with Container(id="area"):
                yield VariableGrid(id="variables")
                yield Editor(id="editor")
        yield VariableDetails(id="variable")

    def first(self) -> Widget:
        return self._variables

    def go_back(self) -> bool:
        grid = self._variables
        if not grid.spans_panels:
            return super().go_back()
        grid.show_all()
        return True

    @property
    def _variables(self) -> VariableGrid:
        return self.query_one(VariableGrid)

    # ---- moving about ------------------------------------------------------------------------

    @on(Grid.Selected)
    def _on_selected(self, event: Grid.Selected) -> None:
        event.stop()
        if event.grid.id == "panels":
            self._variables.show_panel(event.row)
        self.query_one(VariableDetails).repaint()

    @on(VariableGrid.PanelShown)
    def _on_panel_shown(self, event: VariableGrid.PanelShown) -> None:
        event.stop()
        self.query_one(PanelGrid).select(event.title)

    @on(Grid.Opened, "#panels")
    def _on_panel_opened(self, event: Grid.Opened) -> None:
        event.stop()
        self._variables.focus()

    def action_panel(self, step: int) -> None:
        """Show the panel before or after this one."""
        self.query_one(PanelGrid).action_move(step)

    def action_only_changed(self) -> None:
        """Show only what was changed, of all panels, or everything again."""
        grid = self._variables
        grid.is_changed_only = not grid.is_changed_only
        self.bench.show()

    def action_all_detectors(self) -> None:
        """Show variables of detectors that do not take part too, or no longer."""
        self.bench.shows_all_detectors = not self.bench.shows_all_detectors
        self.bench.show()

    # ---- changing ----------------------------------------------------------------------------

    @on(Grid.Opened, "#variables")
    def _on_opened(self, event: Grid.Opened) -> None:
        """Ask for a value, each kind in its own way."""
        event.stop()
        form, name = self.bench.creation.form, event.row
        field, text = form.field(name), form.value(name)

        def answered(answer: str | None) -> None:
            if answer is not None:
                form.set(name, answer)
                self.bench.changed()

        if field.control in CHOSEN:
            self.app.push_screen(Choosing(field, text), answered)
        elif field.rows > 1:
            words = f"{field.description} Line breaks become blanks.".strip()
            self.app.push_screen(Writing(field.label, words, text, lambda _: (), rows=field.rows), answered)
        else:
            self.query_one(Editor).open(self._variables, name, text)

    @on(Editor.Accepted)
    def _on_typed(self, event: Editor.Accepted) -> None:
        event.stop()
        self.bench.creation.form.set(event.name, event.text)
        self.bench.changed()

    def action_none(self) -> None:
        """Choose "none" wherever the panel allows it."""
        panel = self.query_one(PanelGrid).panel
        count = self.bench.creation.form.set_none(panel)
        self.bench.tell(f"{panel.title}: {count or 'no'} variable{'' if count == 1 else 's'} set to none")
        self.bench.changed()

    def action_add(self) -> None:
        """Add a variable that the template does not offer."""

        def take(text: str) -> str:
            problem = self.bench.creation.form.add(text)
            if not problem:
                self.bench.changed()
            return problem

        self.app.push_screen(Prompt("variable", "", take, hint="name=value"))

    def action_paste(self, text: str = "") -> None:
        """Take several variables at once."""

        def take(text: str) -> Sequence[str]:
            taken, errors = self.bench.creation.form.paste(text)
            self.bench.changed()
            return (*errors, f"{len(taken) or 'none'} of the others taken") if errors else ()

        words = 'Variables as JSON, {"name": "value"}. Those that are right are taken.'
        self.app.push_screen(Writing("Paste variables", words, text, take, rows=12))

    @on(VariableGrid.Pasted)
    def _on_pasted(self, event: VariableGrid.Pasted) -> None:
        event.stop()
        self.action_paste(event.text)
