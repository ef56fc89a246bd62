"""Steps on the screen New that its tests share: go to a step, select a variable, type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from screen import row_with, screen_of, shows, until
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.screens.create import CreateScreen
from console.tui.widgets.form_variables import PanelGrid, VariableGrid

SIZES = [(80, 24), (120, 40), (200, 60)]


async def typed(pilot: Pilot[Any], text: str) -> None:
    await pilot.press(*("space" if letter == " " else letter for letter in text))


def form_of(app: ConsoleApp) -> CreateScreen:
    screen = app.get_screen("create")
    assert isinstance(screen, CreateScreen)
    return screen


async def at_step(pilot: Pilot[Any], step: int) -> list[str]:
    """Open the screen and go to a step, with the template readout-demo."""
    await pilot.press("7")
    await shows(pilot, "readout-demo", "Workflows @main")
    await pilot.press("down")
    if step > 1:
        await pilot.press("enter")
    for _ in range(step - 2):
        await pilot.press("greater_than_sign")
    return await until(pilot, lambda lines: step == form_of(pilot.app).step)  # type: ignore[arg-type]


async def at_variable(pilot: Pilot[Any], label: str) -> str:
    """Select a variable of the third step and return its line."""
    screen = form_of(pilot.app)  # type: ignore[arg-type]
    form = screen.creation.form
    name = next(one for one in form.names if form.field(one).label == label)
    grid = screen.query_one(VariableGrid)
    screen.query_one(PanelGrid).select(form.field(name).panel)
    await until(pilot, lambda _: grid.row_index(name) is not None)
    grid.select(name)
    await until(pilot, lambda lines: any("▸" in line and label in line for line in lines))
    return line_of(pilot, label)


async def holds(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Wait until something holds that is not on the screen."""
    await until(pilot, lambda lines: condition())


def line_of(pilot: Pilot[Any], text: str) -> str:
    """Return the line of the list that holds a text."""
    return row_with(screen_of(pilot.app)[5:], text)
