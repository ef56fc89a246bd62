"""Verbs about the console itself, where somebody sits: what is in use, arming, settings, help. seat.py says what a seat is."""

from __future__ import annotations

import argparse
import socket
import time
from importlib.metadata import version

from console import resolve
from console.command import REPL
from console.commands import commands_of, find, noun_of
from console.exit_codes import NOT_FOUND, ExitError, usage
from console.parse import duration, noun_help, parser_of, unknown, verb_lines
from console.pipes import STAGES
from console.present import age, run_number
from console.results import Context, Result
from console.seat import Seat
from console.table import Row


async def use(context: Context) -> Result:
    """Choose the environment in use."""
    seat, word = _seat(context), context.args.environment
    if word == "none":
        seat.use("")
        return Result(facts={"in_use": None})
    found = await resolve.environment(context.session, word)
    if found is None:
        raise ExitError(NOT_FOUND, f"no environment {word}", hint="env ls lists them")
    seat.use(found.id)
    facts: Row = {
        "in_use": found.id,
        "state": found.state,
        "run": found.run_number or None,
        "detectors": found.detectors,
    }
    return Result(facts=facts, ids=(found.id,), environment_id=found.id)


async def arm(context: Context) -> Result:
    """Allow what changes something."""
    arming = _seat(context).arming
    try:
        seconds = duration(context.args.time) if context.args.time else None
    except argparse.ArgumentTypeError as error:
        raise usage(f"arm: {error}") from None
    if seconds == 0:
        raise usage("arm 0: that is no time", hint="disarm ends it")
    arming.arm(seconds)
    return Result(facts={"armed": True, "until_idle_for": age(arming.remaining_s + 0.5)})


async def disarm(context: Context) -> Result:
    """Observe only."""
    _seat(context).arming.disarm()
    return Result(facts={"armed": False})


async def whoami(context: Context) -> Result:
    """Show who acts, where, and what they may."""
    seat, session = _seat(context), context.session
    core = session.store.core
    environment = session.store.environment(seat.in_use)
    facts: Row = {
        "user": session.client.user,
        "host": socket.gethostname(),
        "core": session.client.endpoint,
        "instance": core.instance if core else None,
        "core_version": core.version if core else None,
        "console_version": version("aliecs"),
        "in_use": seat.in_use or None,
    }
    if environment is not None:
        facts |= {"state": environment.state, "run": run_number(environment.run_number)}
    facts["armed"] = f"for {age(seat.arming.remaining_s)}" if seat.arming.is_armed else "no, observing"
    if why_not := session.refusal():
        facts["refuses"] = why_not
    return Result(facts=facts)


async def theme(context: Context) -> Result:
    """Choose the colours."""
    _seat(context).set("theme", context.args.name)
    return Result(facts={"theme": context.args.name})


async def set_(context: Context) -> Result:
    """Show or change settings."""
    seat, args = _seat(context), context.args
    if args.value:
        seat.set(args.name, args.value)
    known = seat.settings()
    if args.name and args.name not in known:
        raise usage(f"set: no setting {args.name!r}", hint=f"there are {', '.join(known)}")
    chosen = {args.name: known[args.name]} if args.name else known
    return Result(
        rows=tuple(
            {"name": name, "value": one.value, "choices": one.choices, "what": one.help} for name, one in chosen.items()
        ),
        columns=("name", "value", "choices", "what"),
        ids=tuple(one.value for one in chosen.values()),
    )


async def connect(context: Context) -> Result:
    """Go to another core."""
    await _seat(context).connect(context.args.address)
    return Result(facts={"core": context.args.address})


async def history(context: Context) -> Result:
    """Show the last lines."""
    count = context.args.count
    if not count.isdigit():
        raise usage(f"history {count}: not a number")
    lines = list(_seat(context).lines())
    first = max(0, len(lines) - int(count))
    rows = tuple({"number": at, "line": line} for at, line in enumerate(lines[first:], first + 1))
    return Result(rows=rows, columns=("number", "line"), ids=tuple(lines[first:]), empty="nothing typed yet")


async def source(context: Context) -> Result:
    """Run a script here; what it changes is confirmed as in any script."""
    args = context.args
    code = await _seat(context).source(
        args.file, args.var, yes=bool(args.yes), confirm=args.confirm or "", reason=args.reason or ""
    )
    return Result(code=code)


async def jobs(context: Context) -> Result:
    """Show what goes on in the background."""
    known = _seat(context).jobs()
    now = time.monotonic()
    return Result(
        rows=tuple({"job": one.number, "line": one.line, "for": age(now - one.started_s)} for one in known),
        columns=context.command.columns,
        ids=tuple(str(one.number) for one in known),
        empty="nothing in the background",
    )


async def help_(context: Context) -> Result:
    """Show all verbs, those of a noun, or one verb."""
    words = context.args.words
    surface = REPL
    if not words:
        text = verb_lines(commands_of(surface)) + "\n\n" + _BEYOND
        text += "\n".join(f"  | {help}" for help in STAGES.values()) + "\n"
        return Result(text=text, data=[command.name for command in commands_of(surface)])
    found = find(words, surface)
    if found is not None:
        command = found[0]
        return Result(text=parser_of(command, surface).format_help(), data={"name": command.name, "help": command.help})
    if noun_of(words[0]) and len(words) == 1:
        return Result(text=noun_help(words[0], surface), data=words[0])
    if words[0] in STAGES:
        return Result(text=f"| {STAGES[words[0]]}\n", data=STAGES[words[0]])
    raise unknown(words, surface)


async def quit_(context: Context) -> Result:
    """Leave; the core goes on."""
    _seat(context).quit()
    return Result()


_BEYOND = """\
VERB --help says more. @last, @run, @571204 and @tpc name environments; with one in use (use ENV) none has to be named.
NAME = VERB ... keeps what a verb returns, $NAME inserts it; ; separates lines; & at the end goes on in the background.
Rows go through pipes:
"""


def _seat(context: Context) -> Seat:
    if context.seat is None:
        raise usage(f"{context.command.name} needs somebody who sits at the console")
    return context.seat
