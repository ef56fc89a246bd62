"""Runs one verb: finds its function, calls it, and turns what goes wrong into a message and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from console import table
from console.command import Command
from console.exit_codes import INTERRUPTED, TERMINATED, exit_code, explain
from console.output import write
from console.results import Context, Result, render
from console.session import Session, Timings
from console.settings import Settings, recordings_folder
from server.api.client import Deadlines
from server.api.errors import AliecsError

Verb = Callable[[Context], Awaitable[Result]]


def verb_of(command: Command) -> Verb:
    """Return the function of a command, importing its module now."""
    module, _, name = command.run.partition(":")
    return cast(Verb, getattr(importlib.import_module(f"console.verbs.{module}"), name))


async def open_recording(args: argparse.Namespace, settings: Settings, *, usual_speed: float = 0.0) -> Session:
    """Open the recording that the arguments name, to be played as they say.

    Raises:
        AliecsError: it cannot be played, or the arguments mean nothing.
    """
    from console.recordings import find  # only the verbs on recordings need these
    from console.sources.replay import position_of, speed_of

    said_speed, said_place = getattr(args, "speed", None), getattr(args, "at", None)
    speed = usual_speed if said_speed is None else speed_of(said_speed)
    session = await Session.replaying(find(args.file, recordings_folder(settings)), speed=speed)
    if said_place and session.replay is not None:
        session.replay.seek(position_of(said_place, session.replay.recording.header.started_s))
    return session


def open_session(settings: Settings, *, read_only: bool = False) -> Coroutine[Any, Any, Session]:
    """Connect as the settings say; LinkError if no core answers."""
    gc.enable()  # off since front.py
    return Session.open(
        settings.endpoint,
        deadlines=deadlines_of(settings),
        timings=timings_of(settings),
        read_only=read_only or settings.read_only,
    )


def deadlines_of(settings: Settings) -> Deadlines:
    return Deadlines(
        connect_s=settings.connect_s,
        read_s=settings.read_s,
        control_s=settings.control_s,
        create_s=settings.create_s,
    )


def timings_of(settings: Settings) -> Timings:
    return Timings(settle_s=settings.settle_s, stale_s=settings.stale_s)


async def one_shot(command: Command, args: argparse.Namespace, settings: Settings) -> int:
    """Run one command of the command line; data to stdout, messages to stderr; return the exit code."""
    output = args.output or settings.output or "table"
    colour = table.has_colour(sys.stdout, no_color=settings.no_color)
    verb = verb_of(command)
    try:
        opening = open_recording(args, settings) if command.is_replay else open_session(settings)
        async with await opening as session:
            context = Context(
                session=session,
                command=command,
                args=args,
                emit=write,
                say=say,
                output=output,
                wait_s=settings.wait_s,
                colour=colour,
                ascii=settings.ascii,
                recordings=recordings_folder(settings),
            )
            result = await verb(context)
    except AliecsError as error:
        say(explain(error))
        return exit_code(error)
    show(result, output, colour=colour)
    return result.code


def show(result: Result, output: str, *, colour: bool = False) -> None:
    """Write a result: data to stdout, what to say about it to stderr."""
    if result.rows is not None and not result.rows and result.empty and output == "table":
        say(result.empty)
    write(render(result, output, colour=colour))
    if result.problem:
        say(result.problem)


def say(message: str) -> None:
    """Write a message to stderr."""
    write(f"{message}\n", sys.stderr)


def run_until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end, or until SIGINT or SIGTERM cancels it: then 130 or 143."""
    return asyncio.run(_until_signal(work))


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(work)
    ended_by: list[int] = []

    def stop(code: int) -> None:
        ended_by.append(code)
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop, INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, stop, TERMINATED)
    try:
        return await task
    except asyncio.CancelledError:
        if not ended_by:
            raise
        return ended_by[0]
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
