"""Drives one OCC process by hand: single commands, or lines from standard input. What AliECS calls peanut."""

from __future__ import annotations

import argparse
import asyncio
import io
import shlex
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NoReturn

from occ.client import OccClient
from occ.errors import AliecsError, ConfigError, DeadlineError, LinkError
from occ.events import DeviceEvent, Sample
from occ.states import EXPECTED_FINAL

OK, USAGE, UNREACHABLE, TIMED_OUT, FAILED = 0, 2, 3, 4, 7
"""Exit codes."""

HELP = """\
state                                   print state and pid
configure [KEY=VALUE ...]               and likewise reset, start, stop, exit, recover; `start run=N` sets the run number
transition EVENT [--from STATE] [KEY=VALUE ...]   send any event, from any state (default: the present one)
states | events | metrics [--count N] [--for S]   print what the task reports, until N came or S seconds passed
help                                    this text
quit                                    leave; the task goes on
"""
_SHORTHANDS = {"run": "runNumber"}


def drive(address: str, words: Sequence[str], timeout_s: float, *, as_json: bool = False) -> int:
    """Carry out one command, or with none the lines of standard input, and return the exit code.

    From a terminal, lines are read until ``quit``, whatever fails; from a pipe, until the first failure.
    """
    try:
        return asyncio.run(_drive(address, words, timeout_s, as_json))
    except (KeyboardInterrupt, BrokenPipeError):  # who read the output has seen enough
        return OK


async def _drive(address: str, words: Sequence[str], timeout_s: float, as_json: bool) -> int:
    if ":" not in address:
        raise ConfigError(f"{address!r} is no address", hint="HOST:PORT")
    async with OccClient(address, as_json=as_json) as client:
        if words:
            return await _guarded(client, words, timeout_s)
        terminal = sys.stdin.isatty()
        lines: asyncio.Queue[str] = asyncio.Queue()  # unbounded: what a person types, or one script
        reader = threading.Thread(target=_read_lines, args=(asyncio.get_running_loop(), lines), daemon=True)
        reader.start()
        while True:
            if terminal:
                sys.stdout.write(f"{address}> ")
                sys.stdout.flush()
            line = await lines.get()
            if not line or line.strip() in ("quit", "q"):
                return OK
            code = await _guarded(client, line, timeout_s)
            if code != OK and not terminal:
                return code


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    """Pass on the lines of standard input, and "" at its end. In a thread: a terminal must not be made non-blocking."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as in words of the command line; see _guarded
    while True:
        line = sys.stdin.readline()
        loop.call_soon_threadsafe(lines.put_nowait, line)
        if not line:
            return


async def _guarded(client: OccClient, command: Sequence[str] | str, timeout_s: float) -> int:
    try:
        words = shlex.split(command, comments=True) if isinstance(command, str) else list(command)
        for word in words:
            word.encode()  # UnicodeEncodeError, which is a ValueError, of what is not UTF-8
        return await _execute(client, words, timeout_s) if words else OK
    except (ValueError, ConfigError) as error:
        code, text = USAGE, str(error)
    except LinkError as error:
        code, text = UNREACHABLE, f"cannot reach the {error}"
    except DeadlineError as error:
        code, text = TIMED_OUT, f"no answer within {timeout_s:g} s: {error}"
    except AliecsError as error:
        code, text = FAILED, str(error)
    sys.stderr.write(f"aliecs-occ: {text}\n")
    return code


async def _execute(client: OccClient, words: Sequence[str], timeout_s: float) -> int:
    verb, *rest = words
    streams: dict[str, Callable[[], AsyncIterator[str] | AsyncIterator[DeviceEvent] | AsyncIterator[Sample]]] = {
        "states": client.native_states,
        "events": client.event_stream,
        "metrics": client.metrics,
    }
    if verb == "help":
        sys.stdout.write(HELP)
        return OK
    if verb == "state":
        if rest:
            raise ConfigError("state takes no arguments")
        report = await client.get_state(timeout_s)
        sys.stdout.write(f"{report.native} pid {report.pid}\n")
        return OK
    if verb in streams:
        return await _watch(streams[verb](), rest)
    if verb == "transition":
        return await _transition(client, rest, timeout_s)
    if verb.upper() in EXPECTED_FINAL and verb == verb.lower():
        return await _transition(client, [verb.upper(), *rest], timeout_s)
    raise ConfigError(f"unknown command {verb!r}", hint="see help")


async def _transition(client: OccClient, words: Sequence[str], timeout_s: float) -> int:
    parser = _Parser(prog="transition")
    parser.add_argument("event")
    parser.add_argument("--from", dest="source")
    parser.add_argument("pairs", nargs="*")
    options = parser.parse_intermixed_args(words)
    arguments = {}
    for pair in options.pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair!r} is no argument", hint="KEY=VALUE")
        arguments[_SHORTHANDS.get(key, key)] = value
    source = options.source if options.source is not None else (await client.get_state(timeout_s)).native
    outcome = await client.transition(source, options.event, arguments, timeout_s)
    text = f"{outcome.event}: {source} -> {outcome.native}"
    if outcome.ok:
        sys.stdout.write(text + "\n")
        return OK
    sys.stderr.write(f"{text}, failed ({outcome.trigger.name})\n")
    return FAILED


async def _watch(
    stream: AsyncIterator[str] | AsyncIterator[DeviceEvent] | AsyncIterator[Sample], words: Sequence[str]
) -> int:
    parser = _Parser(prog="stream")
    parser.add_argument("--count", type=int)
    parser.add_argument("--for", dest="seconds", type=float)
    options = parser.parse_args(words)
    if options.count is not None and options.count < 1:
        raise ConfigError(f"--count {options.count}: expected at least 1")
    seen = 0
    try:
        async with asyncio.timeout(options.seconds):
            async for value in stream:
                sys.stdout.write(_text(value))
                sys.stdout.flush()
                seen += 1
                if seen == options.count:
                    break
    except TimeoutError:
        pass  # the time that was asked for has passed: not an error
    return OK


def _text(value: str | DeviceEvent | Sample) -> str:
    if isinstance(value, Sample):
        return "".join(f"{metric.name} {metric.value:.15g} {metric.unit}\n" for metric in value.metrics)
    return f"{value.name if isinstance(value, DeviceEvent) else value}\n"


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the process."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog=prog, add_help=False)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}")
