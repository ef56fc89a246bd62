"""The command line: which words are options of the console, which front end they ask for."""

from __future__ import annotations

import argparse
import gc
import os
import sys

from console import plugins, settings
from console.exit_codes import USAGE, ExitError, explain, usage
from console.output import told, write
from console.parse import FORMATS, SESSION_ARGS, HelpAsked, Parser, add_argument, duration, formatter, inherit, parse

ON_ERROR = ("stop", "continue", "cleanup")


def _say(text: str) -> None:
    write(text, sys.stderr)


def run(words: list[str]) -> int:
    """Run what the words ask for and return the exit code."""
    gc.disable()  # what is imported stays: looking for garbage in it costs a tenth of the time to the first answer
    try:
        return told(lambda: _run_or_help(words))
    except ExitError as error:
        _say(f"{explain(error)}\n")
        return error.code
    except KeyboardInterrupt:
        return 130


def _run_or_help(words: list[str]) -> int:
    try:
        return _run(words)
    except HelpAsked as help_asked:
        write(str(help_asked))
        return 0


def _run(words: list[str]) -> int:
    before = _parser().parse_args(words)
    if before.version:
        from importlib.metadata import version

        write(f"aliecs {version('aliecs')}\n")
        return 0
    chosen = [
        name
        for name, value in (("--script", before.script), ("-c", before.commands), ("a verb", before.words))
        if value
    ]
    if len(chosen) > 1:
        raise usage(f"{' and '.join(chosen)}: only one of them at a time")
    known, problem = settings.load(before.config or "")
    if problem:
        _say(f"{problem}\n")
    known = _told(known, before)
    if known.output and known.output not in FORMATS:
        raise usage(f"output {known.output!r}", hint=f"one of {', '.join(FORMATS)}")
    if before.script or before.commands:
        from console.script import run_script  # the one-shot verbs do not need it

        return run_script(before, known)
    if not before.words:
        return _no_verb(known, problem)
    added = plugins.load(before.words[0]) if before.words[0] in plugins.names() else None
    if added is not None:
        return added(before.words[1:])
    return _verb(before, known, problem)


def _verb(before: argparse.Namespace, known: settings.Settings, problem: str) -> int:
    command, args = parse(before.words)
    inherit(args, before)
    known = _told(known, args)
    if command.name == "about":
        return _about(known, before.config)
    if command.name == "keys":
        from console.tui.bindings import as_file  # textual comes with it

        write(as_file())
        return 0
    if command.name == "repl":
        from console.repl.run import run_repl  # grpc comes with it

        args.on_error = before.on_error
        return run_repl(known, args)
    if command.name == "tui":
        return _screen(known, problem)
    if command.name == "replay" and not args.headless and sys.stdout.isatty() and sys.stderr.isatty():
        from console.tui.replay import run_replay  # textual comes with it

        return run_replay(args, known, problem)
    from console.execute import one_shot, run_until_signal  # grpc comes with it

    return run_until_signal(one_shot(command, args, known))


def _told(known: settings.Settings, options: argparse.Namespace) -> settings.Settings:
    """Return the settings with what the command line says."""
    said = {name: value for name in ("endpoint", "output", "theme", "ascii", "reduced_motion", "read_only")
            if (value := getattr(options, name))}  # fmt: skip
    found = settings.overlaid(known, **said, **({"no_color": True} if options.nocolor else {}))
    if not (found.endpoint.startswith("unix:") or found.endpoint.rpartition(":")[2].isdigit()):
        raise usage(f"endpoint {found.endpoint!r}", hint="HOST:PORT, or unix:/PATH")
    return found


def _no_verb(known: settings.Settings, problem: str) -> int:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return _screen(known, problem)
    from console.__main__ import OVERVIEW

    _say(OVERVIEW.partition("\nverbs:")[0] + "\n")
    return USAGE


def _screen(known: settings.Settings, problem: str) -> int:
    if not (sys.stdout.isatty() and sys.stderr.isatty()):  # textual draws on stderr
        _say("the screen needs a terminal; aliecs env watch prints lines instead\n")
        return USAGE
    from console.tui.run import run_screen  # textual comes with it

    return run_screen(known, problem)


def _about(known: settings.Settings, config: str | None) -> int:
    from importlib.metadata import version

    from console import themes

    rows = {
        "name": "aliecs, console of AliECS in Python",
        "version": version("aliecs"),
        "python": sys.version.split()[0],
        "settings": config or os.environ.get("ALIECS_CONSOLE_CONFIG") or settings.config_path("settings.toml"),
        "endpoint": known.endpoint,
        "theme": known.theme,
        "themes": themes.names(),
        "keys": known.keys or settings.config_path("keys.toml"),
        "recordings": settings.recordings_folder(known),
        "licence": "GPL-3.0-or-later",
    }
    from console.table import render_facts, render_json

    write(render_json(rows) if known.output in ("json", "ndjson") else render_facts(rows))
    return 0


def _parser() -> Parser:
    parser = Parser(prog="aliecs", add_help=False, exit_on_error=False, allow_abbrev=False, formatter_class=formatter)
    parser.add_argument("-h", "--help", action=_Help, nargs=0)
    parser.add_argument("-V", "--version", action="store_true")
    parser.add_argument("--config")
    parser.add_argument("--script", metavar="FILE")
    parser.add_argument("-c", dest="commands", metavar="CMDS")
    parser.add_argument("--var", action="append", default=[], metavar="K=V")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--on-error", choices=ON_ERROR)
    parser.add_argument("--timeout", type=duration)
    parser.add_argument("--deadline", type=duration)
    for arg in SESSION_ARGS:
        add_argument(parser, arg)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    return parser


class _Help(argparse.Action):
    def __call__(self, *_: object) -> None:
        from console.__main__ import overview

        raise HelpAsked(overview())
