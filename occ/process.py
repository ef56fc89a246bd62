"""A device as a process: command line and environment, control port, readiness, exit code."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from occ.device import Device
from occ.errors import ConfigError
from occ.state_pipe import StatePipe

if TYPE_CHECKING:
    from occ.control import Controller

_log = logging.getLogger(__name__)

DEFAULT_PORT = 47100
"""Of the original, if neither flag nor environment names one (occ-executor-mesos.md 1.5)."""
DEFAULT_ADDRESS = "127.0.0.1"
"""Loopback: a task obeys everybody who reaches its port. Executors run on the same machine."""
DEFAULT_ROLE = "default-role"

_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")
"""``int`` reads more: 4_7100."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a device listens and who it is."""

    port: int = DEFAULT_PORT
    address: str = DEFAULT_ADDRESS
    role: str = DEFAULT_ROLE
    exit_grace_s: float = 1.0
    """After DONE, time for replies and streams that are being written; normally they take a few milliseconds."""

    @classmethod
    def find(cls, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
        """Take each value from its flag, else from the environment, else the default; a port of 0 counts as not given.

        Raises:
            ConfigError: the port is not a number from 0 to 65535.
        """
        return cls(
            port=_port(flags.get("control_port")) or _port(environment.get("OCC_CONTROL_PORT")) or DEFAULT_PORT,
            address=flags.get("control_address") or environment.get("OCC_CONTROL_ADDRESS") or DEFAULT_ADDRESS,
            role=flags.get("o2_role") or environment.get("O2_ROLE") or DEFAULT_ROLE,
        )


def run(device: Device, argv: Sequence[str] | None = None, *, program: str | None = None) -> int:
    """Serve ``device`` until EXIT; return the exit code: 0, or 1 if it cannot be served. Flags: ``--help``.

    SIGTERM and SIGINT keep their default action: they end the process at once, also within a callback (the original's
    behaviour; executors count on it).
    """
    gc.disable()  # loading libraries makes no garbage, and the collector would take a tenth of the start-up looking for some
    try:
        options = _parse(device, sys.argv[1:] if argv is None else argv, program)
        settings = Settings.find(options, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"[OCC] {error}\n")
        return 1
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("transitions").setLevel(logging.WARNING)  # it tells of every step inside a move
    try:
        return asyncio.run(serve(device, settings))
    except ConfigError as error:
        sys.stderr.write(f"[OCC] {error}\n")
        return 1


def leave(code: int) -> NoReturn:
    """End the process at once: what is registered with ``atexit`` runs, taking the interpreter apart (15 ms) is left out."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue  # nobody reads it any more, its disk is full, it was closed: no reason to end otherwise than asked
    os._exit(code)


async def serve(device: Device, settings: Settings) -> int:
    """Serve ``device`` in the running loop until it is DONE, and return 0. Cancelled, it ends at once.

    Raises:
        ConfigError: the control port cannot be bound.
    """
    async with served(device, settings) as (controller, port):
        _log.info("device=%s role=%s listening=%s:%d", device.name, settings.role, settings.address, port)
        with announced(controller):
            gc.freeze()
            gc.enable()
            await controller.done.wait()
    return 0


@asynccontextmanager
async def served(device: Device, settings: Settings) -> AsyncIterator[tuple[Controller, int]]:
    """Have ``device`` served within the block, which gets its controller and its port (a free one if settings say 0).

    Raises:
        ConfigError: the control port cannot be bound.
    """
    # Deferred: gRPC takes most of the start-up time, which --help and wrong options need not wait for.
    from occ.control import Controller
    from occ.service import Server

    device.role = settings.role
    controller = Controller(device)
    server = Server(controller, device.metrics_period_s)
    try:
        yield controller, await server.open(settings.address, settings.port)
        await server.close(settings.exit_grace_s)
    except BaseException:
        await server.close(grace_s=0)
        raise
    finally:
        await controller.close()


@contextmanager
def announced(controller: Controller) -> Iterator[None]:
    """Tell the executor that the control port is open, and every state until the end of the block; once per process."""
    pipe = StatePipe.inherited()
    pipe.say_ready(controller.state)
    controller.on_state = pipe.say
    try:
        yield
    finally:
        controller.on_state = None
        pipe.close()


def announce_ready() -> None:
    """Tell the executor that the control port is open, and nothing else; once per process."""
    pipe = StatePipe.inherited()
    pipe.say_ready(None)
    pipe.close()


def _parse(device: Device, argv: Sequence[str], program: str | None) -> dict[str, str | None]:
    import argparse  # deferred: who only imports this module, for ``serve``, does without

    parser = argparse.ArgumentParser(prog=program, description=(type(device).__doc__ or "").partition("\n")[0])
    parser.add_argument("--control-port", metavar="N", help=f"default: $OCC_CONTROL_PORT, else {DEFAULT_PORT}")
    parser.add_argument(
        "--control-address", metavar="ADDRESS", help=f"default: $OCC_CONTROL_ADDRESS, else {DEFAULT_ADDRESS}"
    )
    parser.add_argument("--o2-role", metavar="ROLE", help=f"default: $O2_ROLE, else {DEFAULT_ROLE}")
    device.options(parser)
    options = parser.parse_args(argv)
    device.take_options(options)
    return {name: getattr(options, name) for name in ("control_port", "control_address", "o2_role")}


def _port(text: str | None) -> int:
    if not text:
        return 0
    if not _NUMBER.fullmatch(text.strip()):
        raise ConfigError(f"bad control port {text!r}: expected a number")
    port = int(text)
    if not 0 <= port <= 65535:
        raise ConfigError(f"bad control port {text}: out of range 0 to 65535")
    return port
