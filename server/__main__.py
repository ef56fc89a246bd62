"""``aliecs-server``: the core as a process.

SIGTERM and SIGINT detach: tasks and runs go on and the next core takes them up. With ``--drainOnTerm``, and by
``aliecs-server drain`` (SIGUSR1 to the core of a state folder), everything is stopped and destroyed in order first.
``aliecs-server apricot`` is the configuration service alone: apricot.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from executor.api.collector import spare_long_looks
from executor.api.patient_loop import PatientLoop, tell_pauses
from occ.errors import AliecsError, DeadlineError, LinkError
from server import apricot
from server.ids import new_id
from server.process import STOP_GRACE_S, log_to, tell_ready, told_to_end
from server.settings import ServerSettings, load_settings

log = logging.getLogger("server")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the core, or one of its commands; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments[:1] in (["drain"], ["apricot"]) else "run"
    try:
        if command == "apricot":
            return apricot.main(arguments)
        if command == "drain":
            return _drain_other(_settings_to_drain(arguments))
        settings = load_settings(arguments, os.environ)
        log_to(settings.log_file, verbose=settings.verbose)
        with asyncio.Runner(loop_factory=PatientLoop) as runner:
            return runner.run(_serve(settings))
    except* AliecsError as errors:
        for error in _leaves(errors):
            sys.stderr.write(f"aliecs-server: {error}\n")
    return 1


def _leaves(errors: BaseExceptionGroup) -> Iterator[BaseException]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _serve(settings: ServerSettings) -> int:
    # Deferred: --help and bad settings must not wait for the imports of the whole core.
    from server.config.serve import ConfigurationServer
    from server.core import Core
    from server.serve import ControlServer, configuration_servers

    state = settings.state_directory
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AliecsError(
            f"state folder {state}: {error.strerror}", hint="name another one with --coreWorkingDir"
        ) from error
    instance = _instance(state)
    os.environ["ALIECS_INSTANCE"] = instance
    told = told_to_end()
    tell_pauses(lambda for_s: log.warning("the core did not run for %.1f s", for_s))
    async with Core(settings, instance) as core:
        servers: list[ControlServer | ConfigurationServer] = [
            ControlServer(core, settings.bind_address, settings.control_port),
            *configuration_servers(core),
        ]
        async with AsyncExitStack() as stack:
            for server in servers:
                await server.start()
                stack.push_async_callback(server.stop, STOP_GRACE_S)
            control = servers[0].port
            log.info("serving address=%s port=%d instance=%s", settings.bind_address, control, instance)
            spare_long_looks()
            tell_ready(control)
            if await told == signal.SIGUSR1 or settings.drain_on_term:
                log.info("draining instance=%s", instance)
                try:
                    async with asyncio.timeout(settings.drain_timeout_s):
                        await core.drain()
                except TimeoutError:
                    log.error("draining took longer than %g s: some tasks may be left", settings.drain_timeout_s)
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


if __name__ == "__main__":
    sys.exit(main())
