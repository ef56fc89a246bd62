"""Draws every state and style of themes as SVG, for people to look at: ``python scripts/theme_sheet.py FOLDER [NAME ...]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from console import themes
from console.glyphs import GLYPHS
from console.tui.looks import Styles, default_variables, screen_theme

WIDTH, HEIGHT = 112, 36
GROUNDS = ("on the ground", "selected", "selected elsewhere")
WORDS = ("text", "dim", "bold", "title", "accent", "key", "match", "good", "warn", "alarm", "border", "plot", "plot_axis",
         "plot_mark", "verb", "option", "ghost")  # fmt: skip
BARS = ("heading", "bar", "bar_dim", "bar_key", "bar_good", "bar_warn", "bar_alarm", "armed", "replay")


def sheet(styles: Styles) -> list[Strip]:
    """Return the lines of a sheet."""
    title = [Segment(f" {styles.theme.name} ", styles.title), Segment(" states and styles", styles.dim)]
    lines = [title, [], [Segment(f"{'':20}", styles.dim), *(Segment(f"{ground:30}", styles.dim) for ground in GROUNDS)]]
    for state in themes.STATES:
        look = styles.look("ERROR", True) if state == "CRITICAL_ERROR" else styles.look(state)
        row = [Segment(f" {look.glyph:2} ", look.style), Segment(look.code, look.style), Segment("  571204 ", styles.text),
               Segment("flp001 ", styles.dim), Segment("exit 3", styles.alarm)]  # fmt: skip
        lines.append([Segment(f" {state:19}", styles.text), *_three(row, styles)])
    lines.append([])
    for at in range(0, len(WORDS), 4):
        words = [Segment(f"{name:13}", getattr(styles, name)) for name in WORDS[at : at + 4]]
        lines.append([Segment(" "), *words, *Segment.apply_style(words, styles.selected)])
    lines += [[], [Segment(" "), *(Segment(f" {name} ", getattr(styles, name)) for name in BARS)], []]
    wave = [0.1, 0.3, 0.2, 0.5, 0.7, 0.9, 1.0, 0.8, 0.6, 0.4, 0.3, 0.1, 0.0]
    lines.append([Segment(" "), Segment("".join(map(styles.spark, wave)), styles.plot),
                  Segment(f" {styles.glyph('bar_full') * 9}", styles.good), Segment(styles.glyph("bar_empty") * 6, styles.dim),
                  Segment(f" {styles.spinner(3)} CFG{styles.glyph('becomes')}RUN 62%", styles.bold)])  # fmt: skip
    lines += [[], [Segment(" " + " ".join(map(styles.glyph, GLYPHS)), styles.text)]]
    lines += [[], *_box(styles)]
    return [Strip(line).adjust_cell_length(WIDTH) for line in lines]


def _three(row: list[Segment], styles: Styles) -> list[Segment]:
    """Return the row on each ground."""
    found: list[Segment] = []
    for ground in (Style(), styles.selected, styles.selected_elsewhere):
        found += [*Segment.apply_style(row, ground), Segment(" ", ground), Segment(" ")]
    return found


def _box(styles: Styles) -> list[list[Segment]]:
    line = styles.glyph("horizontal") * 30
    pairs = (("top_left", "top_right", styles.border), ("bottom_left", "bottom_right", styles.border_focus))
    return [[Segment(f" {styles.glyph(left)}{line}{styles.glyph(right)}", style)] for left, right, style in pairs]


class Sheet(Widget):
    """The lines of one theme."""

    def __init__(self, styles: Styles) -> None:
        super().__init__()
        self._ground = styles.ground
        self._lines = [line.apply_style(styles.ground) for line in sheet(styles)]

    def render_line(self, y: int) -> Strip:
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self._ground)


class SheetApp(App[None]):
    """Shows one sheet."""

    def __init__(self, theme: themes.Theme, *, ascii: bool) -> None:
        super().__init__()
        self._shown, self._ascii = theme, ascii

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return default_variables()

    def compose(self) -> ComposeResult:
        yield Sheet(Styles(self._shown, ascii=self._ascii))

    def on_mount(self) -> None:
        self.register_theme(screen_theme(self._shown))
        self.theme = self._shown.name


async def draw(name: str, *, ascii: bool) -> str:
    """Return a sheet as SVG."""
    app = SheetApp(themes.read(name), ascii=ascii)
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause()
        return app.export_screenshot(title=name)


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:] or themes.names()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for ascii in (False, True):
            file = folder / f"{name}{'-ascii' if ascii else ''}.svg"
            file.write_text(asyncio.run(draw(name, ascii=ascii)), encoding="utf-8")


if __name__ == "__main__":
    main()
