"""What keys open over a screen: the ``:`` line, the ``/`` line, the palette, the help. Imported with the first of them.

Functions on the app that they stand over; what the keys are: actions.py.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from console import legality, themes
from console.candidates import Sources
from console.command import SCREEN, Command
from console.exit_codes import explain
from console.parse import HelpAsked
from console.tui import order
from console.tui.asking import STAY
from console.tui.dialogs.base import Choice, Question
from console.tui.dialogs.facts import dry_rows
from console.tui.dialogs.reading import Reading
from console.tui.entries import Entry, Offer
from console.tui.operator import shell_words
from console.tui.palette import Palette
from console.tui.screens.help import key_sections, verb_section
from console.tui.widgets.command_line import CommandLine
from console.tui.widgets.filter_line import FilterLine
from console.tui.widgets.grid import Grid
from server.api.errors import AliecsError

if TYPE_CHECKING:
    from console.tui.actions import OperatorApp


def open_line(app: OperatorApp, text: str = "") -> None:
    """Open the ``:`` line; what is given there is carried out."""

    def check(words: list[str]) -> None:
        try:
            order.read(words, app.session.store, in_use=app.environment_id)
        except HelpAsked:
            return

    def given(line: str | None) -> None:
        if line:
            app.operator.submit(shlex.split(line))

    line = CommandLine(text, app.operator.history, partial(_sources, app), app.library.want, check)
    app.push_screen(line, given)


def open_filter(app: OperatorApp) -> None:
    """Filter the focused list, else the first of the screen."""
    focused = app.focused
    grid = focused if isinstance(focused, Grid) else next(iter(app.screen.query(Grid)), None)
    if grid is None:
        app.tell("there is no list here", title="filter")
    else:
        app.push_screen(FilterLine(grid))


def open_palette(app: OperatorApp, typed: str = "") -> None:
    """Open the palette, with something typed already."""

    def chosen(entry: Entry | None) -> None:
        match entry:
            case None:
                pass
            case Entry(kind="screen"):
                app.action_show(entry.target)
            case Entry(kind="environment"):
                app.focus_environment(entry.target)
                app.action_show("environment")
            case Entry(kind="theme"):
                app.show_theme(entry.target)
            case Entry(is_begun=True):
                app.action_command(entry.line)
            case _:
                app.operator.submit(shlex.split(entry.line))

    palette = Palette(partial(_offer, app), partial(_dry_run, app), partial(_copy, app), typed)
    for kind in ("templates", "recordings"):
        app.library.want(kind, palette.reload)
    app.push_screen(palette, chosen)


def open_help(app: OperatorApp) -> None:
    """Show the keys of what has the focus and of this screen, and all verbs."""
    known = list(app.screen.active_bindings.values())
    found = key_sections(known, app.get_key_display, app.key_look, app.looks)
    found.append(verb_section(app.session, app.environment_id, app.arming, app.shown_key, app.looks))
    app.push_screen(Reading("Keys and verbs", found))


def _sources(app: OperatorApp) -> Sources:
    """Return what is known for completing a line."""

    def reason(command: Command, environment_id: str) -> str:
        return legality.reason(command, app.session, environment_id)

    return Sources(
        store=app.session.store, surface=SCREEN, in_use=app.environment_id, reason=reason,
        templates=app.library.templates, repos=app.library.repos, themes=tuple(themes.names()),
        recordings=app.library.recordings,
    )  # fmt: skip


def _offer(app: OperatorApp) -> Offer:
    return Offer(
        place=app.session, environment_id=app.environment_id, subject=app.subject,
        history=tuple(app.operator.history), screens=[(tab.name, tab.key, tab.title) for tab in app.tabs],
        templates=app.library.templates, recordings=app.library.recordings, themes=themes.names(),
    )  # fmt: skip


def _copy(app: OperatorApp, entry: Entry) -> None:
    app.copy(shell_words(shlex.split(entry.line), app.session.client.endpoint) if entry.line else entry.target)


def _dry_run(app: OperatorApp, entry: Entry) -> None:
    """Show what an entry of the palette would ask of the core, and send nothing."""
    if not entry.line or entry.is_begun:
        app.tell("it needs more words first" if entry.is_begun else "it asks nothing of the core", title="dry run")
        return
    try:
        given = order.read(shlex.split(entry.line), app.session.store, in_use=app.environment_id)
        rows = dry_rows(given, app.session, app.arming, app.looks)
    except AliecsError as error:
        app.tell(explain(error), title="dry run", severity="warning")
    else:
        app.push_screen(Question("Dry run: nothing is sent", rows, [Choice(STAY, "Close")], default=STAY))
