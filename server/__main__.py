"""``aliecs-server``: the core as a process.

SIGTERM and SIGINT detach: tasks and runs go on and the next core takes them up. With ``--drainOnTerm``, and by
``aliecs-server drain`` (SIGUSR1 to the core of a state folder), everything is stopped and destroyed in order first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from occ.errors import AliecsError, DeadlineError, LinkError
from server.ids import new_id
from server.settings import ServerSettings, load_settings

log = logging.getLogger("server")

READY_FD = "ALIECS_READY_FD"
"""Environment variable with the number of an inherited descriptor: the core writes its port there when it serves."""
STOP_GRACE_S = 1.0
"""Seconds that calls in progress have when the core stops."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the core, or one of its commands; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments[:1] == ["drain"] else "run"
    try:
        if command == "drain":
            return _drain_other(_settings_to_drain(arguments))
        settings = load_settings(arguments, os.environ)
        _log_to(settings)
        return asyncio.run(_serve(settings))
    except AliecsError as error:
        sys.stderr.write(f"aliecs-server: {error}\n")
        return 1


async def _serve(settings: ServerSettings) -> int:
    # Deferred: --help and bad settings must not wait for the imports of the whole core.
    from server.core import Core
    from server.serve import ControlServer

    state = settings.state_directory
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AliecsError(
            f"state folder {state}: {error.strerror}", hint="name another one with --coreWorkingDir"
        ) from error
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[bool] = loop.create_future()

    def end(drain: bool) -> None:
        if not stop.done():
            stop.set_result(drain)

    instance = _instance(state)
    os.environ["ALIECS_INSTANCE"] = instance
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, settings.drain_on_term)
    loop.add_signal_handler(signal.SIGUSR1, end, True)
    async with Core(settings, instance) as core:
        server = ControlServer(core, settings.bind_address, settings.control_port)
        await server.start()
        log.info("serving address=%s port=%d instance=%s", settings.bind_address, server.port, instance)
        _tell_ready(server.port)
        drain = await stop
        if drain:
            log.info("draining instance=%s", instance)
            try:
                async with asyncio.timeout(settings.drain_timeout_s):
                    await core.drain()
            except TimeoutError:
                log.error("draining took longer than %g s: some tasks may be left", settings.drain_timeout_s)
        await server.stop(STOP_GRACE_S)
    return 0


def _instance(state: Path) -> str:
    """Return the id that marks all processes of this state folder, the same in every life of its core."""
    if given := os.environ.get("ALIECS_INSTANCE"):
        return given
    path = state / "instance"
    if path.exists():
        return path.read_text().strip()
    path.write_text(instance := f"{new_id()}-{os.getpid()}")  # two cores may start in one tick of the clock
    return instance


def _settings_to_drain(arguments: list[str]) -> ServerSettings:
    """Return the settings; without those in the store if it is away, since a core must be drained then too."""
    try:
        return load_settings(arguments, os.environ)
    except (LinkError, DeadlineError) as error:
        sys.stderr.write(f"aliecs-server: {error}; going on without the settings there\n")
        return load_settings([*arguments, "--configServiceUri=mock://"], os.environ)


def _drain_other(settings: ServerSettings) -> int:
    """Tell the core of the state folder to drain and end."""
    lock = settings.state_directory / "journal.sqlite.lock"
    try:
        pid = int(lock.read_text().split()[0])
        os.kill(pid, signal.SIGUSR1)
    except (OSError, ValueError, IndexError):
        raise AliecsError(
            f"no core runs on {settings.state_directory}", hint="name its folder with --coreWorkingDir"
        ) from None
    sys.stdout.write(f"core with pid {pid} is draining\n")
    return 0


def _tell_ready(port: int) -> None:
    number = os.environ.pop(READY_FD, "")
    if number.isdecimal():
        with os.fdopen(int(number), "w") as pipe:
            pipe.write(f"{port}\n")


def _log_to(settings: ServerSettings) -> None:
    level = logging.DEBUG if settings.verbose else logging.INFO
    form = "%(asctime)s.%(msecs)03dZ level=%(levelname)s logger=%(name)s %(message)s"
    logging.Formatter.converter = time.gmtime
    logging.getLogger("transitions").setLevel(logging.WARNING)
    if settings.log_file:
        logging.basicConfig(level=level, filename=settings.log_file, format=form, datefmt="%Y-%m-%dT%H:%M:%S")
    else:
        logging.basicConfig(level=level, stream=sys.stderr, format=form, datefmt="%Y-%m-%dT%H:%M:%S")


if __name__ == "__main__":
    sys.exit(main())
