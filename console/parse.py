"""From words to a call: one argparse parser per command of the table, used by the command line and by scripts."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import NoReturn

from console import plugins
from console.command import FLAG, LINE, LIST, NOUNS, REPL, SCREEN, SCRIPT, SECONDS, Arg, Command
from console.commands import commands_of, find, noun_of, verbs_of
from console.exit_codes import ExitError, usage

FORMATS = ("table", "json", "ndjson", "id")

SESSION_ARGS = (
    Arg("--endpoint", "core, HOST:PORT", metavar="HOST:PORT"),
    Arg("--output", "table, json, ndjson or id", short="-o", choices=FORMATS),
    Arg("--yes", "confirm what changes something (level 2)", FLAG),
    Arg("--confirm", "confirm with the run number or the id (levels 3 and 4)", metavar="TOKEN"),
    Arg("--reason", "why, at least 10 characters (level 4)", metavar="TEXT"),
    Arg("--nospinner", "accepted for coconut", FLAG),
    Arg("--theme", "how the screen looks: a name that aliecs about lists", metavar="NAME", completes="theme"),
    Arg("--nocolor", "no colours", FLAG),
    Arg("--ascii", "only ASCII characters", FLAG),
    Arg("--reduced-motion", "nothing turns or slides", FLAG),
    Arg("--read-only", "change nothing, whatever is armed or confirmed", FLAG),
    Arg("--verbose", "accepted for coconut", FLAG, short="-v"),
)
"""Options that every verb takes too."""

_BEFORE = {LINE: "aliecs ", SCRIPT: "aliecs "}
"""What stands before a verb where a shell reads it."""
_PLACES = {LINE: "the command line", SCRIPT: "scripts", REPL: "the prompt", SCREEN: "the screen"}

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


class HelpAsked(Exception):
    """Somebody asked for help; the text is the argument."""


def formatter(prog: str) -> argparse.HelpFormatter:
    """Return a help formatter as wide as the terminal; argparse's own way imports compression libraries to find out."""
    try:
        width = os.get_terminal_size().columns - 2
    except OSError:
        width = 118
    return argparse.HelpFormatter(prog, width=max(width, 40))


class Parser(argparse.ArgumentParser):
    """Raises errors and help texts instead of writing them and exiting."""

    def parse_args(self, words: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]  # one form is enough here
        try:
            return super().parse_args(words)
        except argparse.ArgumentError as error:
            self.error(str(error))

    def error(self, message: str) -> NoReturn:
        raise usage(f"{self.prog}: {message}", hint=f"{self.prog} --help")

    def print_help(self, file: object = None) -> None:
        raise HelpAsked(self.format_help())


def parse(words: list[str], surface: str = LINE, *, in_use: str = "") -> tuple[Command, argparse.Namespace]:
    """Return the command that the words name and its arguments.

    Args:
        surface: where the words were given; a command must exist there.
        in_use: the environment that is meant where none is named.

    Raises:
        ExitError: USAGE: no such verb, or bad arguments; says which verb is nearest.
        HelpAsked: ``--help`` is among the words.
    """
    found = find(words, surface)
    if found is None:
        if words and noun_of(words[0]) and (len(words) == 1 or words[1] in ("-h", "--help")):
            raise HelpAsked(noun_help(words[0], surface))
        raise unknown(words, surface)
    command, rest = found
    return command, parser_of(command, surface, in_use=in_use).parse_args(rest)


def parser_of(command: Command, surface: str = LINE, *, in_use: str = "") -> Parser:
    """Return the argparse parser of a command; with ``in_use`` the environment may be left out."""
    before = _BEFORE.get(surface, "")
    spoken = [name for name in command.aliases if not name.startswith("/")]
    alone = [name[1:] for name in command.aliases if name.startswith("/")]
    notes = []
    if spoken:
        notes.append("also: " + ", ".join(f"{command.name.split()[0]} {name}" for name in spoken))
    if alone:
        notes.append("short: " + ", ".join(before + name for name in alone))
    parser = Parser(
        prog=before + command.name,
        description=command.help[0].upper() + command.help[1:] + ".",
        epilog="; ".join(notes) or None,
        exit_on_error=False,
        allow_abbrev=False,
        formatter_class=formatter,
    )
    for arg in command.args:
        if in_use and arg.name in ("env", "--env"):
            arg = arg._replace(optional=True, default=in_use)
        add_argument(parser, arg)
    group = parser.add_argument_group("options of every verb")
    for arg in SESSION_ARGS:
        add_argument(group, arg)
    return parser


def add_argument(parser: argparse._ActionsContainer, arg: Arg) -> None:
    """Add one argument of the table."""
    names = [arg.short, arg.name] if arg.short else [arg.name]
    metavar = arg.metavar or None
    if arg.kind == FLAG:
        parser.add_argument(*names, action="store_true", help=arg.help)
    elif not arg.name.startswith("--"):
        count = "*" if arg.kind == LIST else "?" if arg.optional else None
        parser.add_argument(arg.name, nargs=count, default=arg.default, help=arg.help, metavar=metavar)
    elif arg.kind == LIST:
        parser.add_argument(*names, action="append", default=[], help=arg.help, metavar=metavar)
    else:
        kind = duration if arg.kind == SECONDS else str
        parser.add_argument(
            *names,
            type=kind,
            help=arg.help,
            metavar=metavar or (None if arg.choices else arg.name.strip("-").upper()),
            required=arg.required,
            choices=arg.choices or None,
            default=arg.default or None,
        )


def inherit(args: argparse.Namespace, outer: argparse.Namespace) -> None:
    """Give a call the options of the session that it does not set itself."""
    for arg in SESSION_ARGS:
        name = arg.name.strip("-").replace("-", "_")
        setattr(args, name, getattr(args, name) or getattr(outer, name))


def duration(text: str) -> float:
    """Return seconds for "3s", "2m", "1h30m", "500ms" or a bare number.

    Raises:
        ArgumentTypeError: it is none of these; argparse names the option.
    """
    try:
        seconds = float(text)
    except ValueError:
        match = _DURATION.fullmatch(text)
        if not text or match is None:
            raise argparse.ArgumentTypeError(f"{text!r} is no duration (3s, 2m, 1h30m, 500ms)") from None
        hours, minutes, whole, milli = (float(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + whole + milli / 1000
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration (3s, 2m, 1h30m, 500ms)")
    return seconds


def unknown(words: list[str], surface: str = LINE) -> ExitError:
    """Return the error for words that no command of the surface begins with, with the nearest that exist."""
    import difflib  # only a mistake needs it

    before = _BEFORE.get(surface, "")
    if not words:
        return usage("no verb", hint=f"{before}--help lists them" if before else "help lists them")
    if (elsewhere := find(words)) is not None:
        where = " and ".join(_PLACES[one] for one in elsewhere[0].surfaces)
        return usage(f"{elsewhere[0].name} is not for {_PLACES[surface]}", hint=f"it is for {where}")
    noun = noun_of(words[0])
    if noun and len(words) > 1:
        verbs = [command.name.split()[1] for command in verbs_of(noun)]
        near = difflib.get_close_matches(words[1], verbs, n=2, cutoff=0.6)
        hint = " or ".join(f"{before}{noun} {verb}" for verb in near)
        return usage(
            f"{noun} has no verb {words[1]!r}",
            hint=f"did you mean {hint}?" if near else f"its verbs: {', '.join(verbs)}",
        )
    near = difflib.get_close_matches(words[0], first_words(surface), n=2, cutoff=0.6)
    if near:
        return usage(
            f"there is no verb {words[0]!r}", hint=f"did you mean {' or '.join(before + name for name in near)}?"
        )
    return usage(f"there is no verb {words[0]!r}", hint=f"{before}--help lists them" if before else "help lists them")


def first_words(surface: str) -> list[str]:
    """Return what a command line of the surface may begin with: nouns, verbs that stand alone, verbs of other packages."""
    known = commands_of(surface)
    alone = [alias[1:] for command in known for alias in command.aliases if alias.startswith("/")]
    single = [command.name for command in known if " " not in command.name]
    added = plugins.names() if surface == LINE else ()
    return [*NOUNS, *alone, *single, *added, *(spellings[0] for spellings in NOUNS.values())]


def noun_help(word: str, surface: str = LINE) -> str:
    """Return the verbs of a noun, one per line."""
    noun = noun_of(word) or word
    return f"usage: {_BEFORE.get(surface, '')}{noun} VERB ...\n\n" + verb_lines(verbs_of(noun)) + "\n"


def verb_lines(commands: list[Command]) -> str:
    """Return name and help of commands, aligned."""
    width = max(len(command.name) for command in commands) + 2
    return "\n".join(f"  {command.name:{width}}{command.help}" for command in commands)
