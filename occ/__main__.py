"""``aliecs-occ``: runs a device class, a sample device, or drives one OCC process by hand (drive.py)."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from occ.errors import AliecsError, ConfigError

SAMPLES = {name: f"occ.samples.{name}:{name.capitalize()}" for name in ("source", "processor", "sink", "quality")}
USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code if the command line is wrong, else ends the process itself."""
    options = _parser().parse_args(argv)
    try:
        if options.verb == "drive":
            from occ.drive import drive  # deferred: loads gRPC
            from occ.process import leave

            leave(
                drive(options.address, options.words, options.timeout, as_json=options.json)
            )  # not to wait for a thread that reads a terminal
        path = SAMPLES[options.sample] if options.verb == "sample" else options.device
        return _run(
            path, options.options, f"aliecs-occ {options.verb} {options.sample if options.verb == 'sample' else path}"
        )
    except ConfigError as error:
        sys.stderr.write(f"aliecs-occ: {error}\n")
        return USAGE_ERROR


def _run(path: str, argv: Sequence[str], program: str) -> int:
    gc.disable()  # see occ.process.run, which enables it again
    from occ.device import Device  # deferred, like all below: --help needs none of it
    from occ.process import leave, run

    module, colon, name = path.partition(":")
    if not colon:
        raise ConfigError(f"{path!r} names no class", hint="MODULE:CLASS, for example mypackage.mytask:MyTask")
    sys.path.insert(0, os.getcwd())  # as python -m does
    try:
        device = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"cannot import {module}: {error}") from None
    except AttributeError:
        raise ConfigError(f"module {module} has no class {name!r}") from None
    if not (isinstance(device, type) and issubclass(device, Device)):
        raise ConfigError(f"{path} is not a subclass of occ.Device")
    try:
        made = device()
    except AliecsError as error:
        raise ConfigError(f"{path} cannot be made: {error}") from None
    leave(run(made, argv, program=program))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aliecs-occ", description="Run or drive one OCC task.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run a subclass of occ.Device as a task")
    run.add_argument("device", metavar="MODULE:CLASS")
    sample = verbs.add_parser("sample", help="run a sample task")
    sample.add_argument("sample", choices=SAMPLES)
    for verb in (run, sample):
        verb.add_argument("options", nargs=argparse.REMAINDER, help="options of the task, see its --help")
    drive = verbs.add_parser(
        "drive",
        help="drive a task that is running",
        description="Commands: see `help` inside. Without a command, lines are read from standard input. Exit codes: 0 done, "
        "2 usage, 3 the task cannot be reached, 4 no answer in time, 7 the transition failed.",
    )
    drive.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="deadline of a call, in seconds (default: 30)"
    )
    drive.add_argument("--json", action="store_true", help="speak JSON, as FairMQ's plugin OCClite does")
    drive.add_argument("address", metavar="HOST:PORT")
    drive.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
