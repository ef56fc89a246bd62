"""What the core stands on: the core itself, hosts with their executors, integrated services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult

from console.present import age, names
from console.store import Key
from console.subjects import Subject
from console.tui.painting import Lines, Parts
from console.tui.screens.base import ConsoleScreen
from console.tui.widgets.grid import Grid
from console.tui.widgets.host_grid import HostGrid
from console.tui.widgets.service_grid import ServiceGrid
from server.api.model import Kind

if TYPE_CHECKING:
    from console.tui.actions import OperatorApp
    from console.tui.looks import Styles


class ServicesScreen(ConsoleScreen):
    """S9 of the console's design."""

    tab = "services"
    DEFAULT_CSS = """
    ServicesScreen #core { height: 5; }
    ServicesScreen #hosts { height: 2fr; }
    ServicesScreen #services { height: 1fr; }
    """

    @property
    def subject(self) -> Subject:
        return Subject(host=self.query_one(HostGrid).selected)

    def body(self) -> ComposeResult:
        yield CoreFacts(id="core")
        yield HostGrid(id="hosts")
        yield ServiceGrid(id="services")

    def take(self, changed: set[Key]) -> None:
        if any(kind in (Kind.HOST, Kind.SERVICE) for kind, _ in changed):
            for grid in self.query(Grid):
                grid.reload()
        self.repaint_lines()

    def take_all(self) -> None:
        for grid in self.query(Grid):
            grid.reload()
        self.repaint_lines()

    @on(Grid.Opened, "#hosts")
    def _on_host_opened(self, event: Grid.Opened) -> None:
        cast("OperatorApp", self.app).operator.submit(["host", "show", event.row])

    def environment_changed(self) -> None:
        self.repaint_lines()


class CoreFacts(Lines):
    """Instance, version, framework, since when, detectors."""

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        core = self.store.core
        heading = [(" Core ".ljust(width), looks.heading)]
        if core is None:
            return [heading, [(f"  {self.desk.session.waiting() or 'nothing is said of it'}", looks.dim)]]
        up = age(self.desk.session.now() - core.started_ms / 1000) if core.started_ms else "-"
        free = tuple(name for name in core.detectors if name not in core.active_detectors)
        facts = (
            (("instance", core.instance), ("version", core.version or "-"), ("state", core.state), ("up", up)),
            (("framework", core.framework_id or "-"), ("endpoint", self.desk.session.client.endpoint)),
            (("detectors in use", names(core.active_detectors)), ("free", names(free, max(20, width - 50)))),
        )
        notice = self.desk.session.source.notice
        advisory: list[Parts] = [[(f" {looks.glyph('advisory')} {notice}", looks.warn)]] if notice else []
        return [
            heading,
            *([(" ", looks.text), *(it for label, value in row for it in ((f"{label} ", looks.dim), (f"{value}   ", looks.text)))]
              for row in facts),
            *advisory,
        ]  # fmt: skip
