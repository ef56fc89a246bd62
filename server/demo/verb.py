"""The console's verb ``demo``: a whole facility on this machine. Registered by entry point; the work: launcher.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from occ.errors import AliecsError

if TYPE_CHECKING:
    from server.demo.facility import Facility
    from server.demo.launcher import Plan

SHOWN_RUN = "30m"
"""Length of the run that the screen is opened on."""

HELP = "start a core with four simulated hosts and open the console on it"


class Add(Protocol):
    """How a verb is announced to the console."""

    def __call__(self, name: str, help: str, run: Callable[[list[str]], int]) -> None: ...


def register(add: Add) -> None:
    """Announce the verb."""
    add("demo", HELP, run)


def run(argv: list[str]) -> int:
    """Run the demo with the rest of a command line; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    # Deferred: the console lists its verbs without any of this.
    from server.demo.facility import forget_last_life, prepare
    from server.demo.launcher import Launcher, Signals

    with Signals() as signals:
        try:
            facility = prepare(arguments.state)
            forget_last_life(facility.state)
        except AliecsError as error:
            sys.stderr.write(f"aliecs demo: {error}\n")
            number = signals.take()
            return 1 if number is None else 128 + number
        return Launcher(plan_of(arguments, facility), signals).run()


def plan_of(arguments: argparse.Namespace, facility: Facility) -> Plan:
    """Return what to start for parsed arguments."""
    from server.demo.facility import SCRIPT
    from server.demo.launcher import Plan

    programs = Path(sys.executable).parent
    is_terminal = sys.stdout.isatty() and not arguments.headless and arguments.script is None
    console = [str(programs / "aliecs"), "--endpoint", "{endpoint}"]
    beside: list[str] = []
    if is_terminal:
        # The screen shows a run from the first minute: it goes on beside, until somebody ends the demo.
        beside = [*console, "--script", str(SCRIPT), "--var", f"run_time={SHOWN_RUN}"]
        console += ["tui"]
    else:
        console += ["--script", str(arguments.script or SCRIPT)]
        console += [item for pair in arguments.var for item in ("--var", pair)]
    return Plan(
        state=facility.state,
        server=(
            str(programs / "aliecs-server"),
            "--drainOnTerm",
            "--bindAddress=127.0.0.1",
            "--configServicePort=0",
            "--configServiceHttpPort=0",
            f"--coreWorkingDir={facility.state}",
            f"--configServiceUri=file://{facility.configuration}",
            f"--defaultRepo={facility.repository}",
            "--integrationPlugins=testplugin",
            "--instanceName=AliECS demo",
            f"--logFile={facility.state / 'core.log'}",
        ),
        console=tuple(console),
        beside=tuple(beside),
        port=arguments.port,
        is_terminal=is_terminal,
        has_input=is_terminal or str(arguments.script) == "-",
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb's own arguments."""
    parser = argparse.ArgumentParser(prog="aliecs demo", description=HELP)
    parser.add_argument(
        "--state", type=Path, default=Path(".aliecs"), metavar="DIR", help="folder for everything (default .aliecs)"
    )
    parser.add_argument("--port", type=_port, default=32102, help="first port to try for the core (default 32102)")
    parser.add_argument("--headless", action="store_true", help="run the script even where there is a terminal")
    parser.add_argument("--script", type=Path, metavar="FILE", help="run this script instead of the shipped one")
    parser.add_argument("--var", action="append", default=[], metavar="K=V", help="variable of the script; repeatable")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return port
