"""What a verb is: its name, its arguments, where it can be given, what it changes. All of them: commands.py."""

from __future__ import annotations

from typing import NamedTuple

FLAG = "flag"
LIST = "list"
TEXT = "text"
SECONDS = "seconds"

LINE, SCRIPT, REPL, SCREEN = "line", "script", "repl", "screen"
"""Where a command can be given: as words of a shell, in a script, at the prompt, in the screen."""
EVERYWHERE = (LINE, SCRIPT, REPL, SCREEN)
ATTENDED = (REPL, SCREEN)
"""Where somebody sits: an environment is in use, and acts are armed."""


class Arg(NamedTuple):
    """One argument: an option if its name begins with ``--``, else a positional one."""

    name: str
    help: str
    kind: str = TEXT
    """TEXT, FLAG, LIST (repeatable option, or all remaining positionals) or SECONDS ("3s", "2m", "1.5")."""
    short: str = ""
    default: str = ""
    required: bool = False
    """Of an option; positional arguments are, unless ``optional``."""
    optional: bool = False
    choices: tuple[str, ...] = ()
    metavar: str = ""
    completes: str = ""
    """What stands here: env, task, host, detector, role, template, revision, variable, event, state, file, repo, theme,
    recording, command, setting; "" for anything."""


class Command(NamedTuple):
    """One verb."""

    name: str
    """Canonical, with its noun: "env start"."""
    help: str
    """One line, imperative."""
    run: str
    """``module:function`` below console.verbs."""
    args: tuple[Arg, ...] = ()
    aliases: tuple[str, ...] = ()
    """Other verbs of the same noun; one that begins with "/" stands alone, without the noun."""
    level: int = 0
    """Of confirmation, 0 to 4 (clients.md 5.6); destroy and clean raise theirs by what they meet."""
    rpc: str = ""
    """Method of o2control.Control that it calls if it changes something; "" for reads."""
    event: str = ""
    """Event of the environment's machine that it asks for."""
    keys: str = ""
    """Its key in the screen, in textual's words. start and stop share one: only one of them is possible at a time."""
    surfaces: tuple[str, ...] = EVERYWHERE
    is_replay: bool = False
    """It is about a recording, named by its argument ``file``; no core is asked."""
    columns: tuple[str, ...] = ()
    """Of the table that it shows; what ``where`` and ``select`` of the prompt can name."""


NOUNS: dict[str, tuple[str, ...]] = {
    "env": ("environment", "environments", "e"),
    "task": ("tasks", "t"),
    "role": ("roles", "r"),
    "templ": ("template", "templates"),
    "repo": ("repository", "repositories"),
    "host": ("executor", "executors"),
    "recording": ("recordings", "rec"),
}
"""Canonical noun and its other spellings."""
