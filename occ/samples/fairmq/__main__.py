"""``python -m occ.samples.fairmq ROLE OPTION...``: a FairMQ device for tests, which takes the options that AliECS gives to one.

It behaves as FairMQ devices with AliECS's plugins were recorded to do, in the ways in which they end too. Options that it
does not know are those of real devices, and ignored.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Sequence

from occ.errors import AliecsError
from occ.fairmq import EXPECTED, DeviceState, DeviceTransition
from occ.process import DEFAULT_PORT, announce_ready, leave
from occ.samples.fairmq.faces import make_server, within
from occ.samples.fairmq.machine import Machine
from occ.samples.fairmq.plugin import Plugin
from occ.samples.fairmq.roles import ROLES, check_transitions

_LINGER_S = 0.1
"""After EXITING and ERROR the device still answers for some time."""
_BREAK_S = 0.02
"""From ERROR FOUND to the breakdown of OCClite."""
_SIGNAL_S = 0.1
"""FairMQ looks at signals that often."""
_REPLIES_S = 1.0
"""At EXITING and ERROR, for replies and streams that are being written."""
_FOR_EVER_S = 1e6
_DOWN = {
    DeviceState.RUNNING: DeviceTransition.STOP,
    DeviceState.READY: DeviceTransition.RESET_TASK,
    DeviceState.DEVICE_READY: DeviceTransition.RESET_DEVICE,
    DeviceState.BOUND: DeviceTransition.RESET_DEVICE,
    DeviceState.INITIALIZED: DeviceTransition.RESET_DEVICE,
    DeviceState.INITIALIZING_DEVICE: DeviceTransition.COMPLETE_INIT,
    DeviceState.IDLE: DeviceTransition.END,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a device until it is EXITING or fails; return its exit code, if it does not die otherwise."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options, _ = _parser().parse_known_args(argv)
    try:
        check_transitions([*options.refuse, *options.hang, *options.die, *options.stay], EXPECTED)
        if options.plugin[0] not in ("OCC", "OCClite"):
            raise AliecsError(f"Could not load dynamic plugin {options.plugin[0]} from configured search paths (-S)")
        return asyncio.run(_serve(options))
    except (AliecsError, RuntimeError) as error:
        sys.stdout.write(f"[ERROR] Uncaught exception reached the top of main: {error}\n")
        return 1


async def _serve(options: argparse.Namespace) -> int:
    role = ROLES[options.role](options)
    machine = Machine(role.works())
    role.interrupted = machine.interrupted
    plugin = Plugin(machine, role.properties, lite=options.plugin[0] == "OCClite", stay=options.stay)
    Signals(machine, ignore=options.ignore_signals).take()
    # The environment wins, and counts as given when it is empty: then nothing can reach the device.
    given = os.environ.get("OCC_CONTROL_PORT", options.control_port)
    server = make_server(plugin, role.metrics, int(given)) if given else None
    if server is not None:
        await server.start()
    announce_ready()
    sys.stdout.write(f"[DEBUG] listening on port {given}\n")
    sys.stdout.flush()
    await plugin.finished.wait()
    if machine.state is DeviceState.EXITING:
        await within(_LINGER_S, asyncio.Event().wait())
        if server is not None:
            await server.stop(_REPLIES_S)
        _say("Exiting FairMQ state machine")
        machine.close()
        return 0
    if plugin.breaks_in is not None:
        await within(_BREAK_S, asyncio.Event().wait())
        os.kill(os.getpid(), signal.SIGSEGV if plugin.breaks_in is DeviceState.READY else signal.SIGABRT)
    await within(_LINGER_S, asyncio.Event().wait())
    listeners = plugin.states.subscribers + plugin.events.subscribers
    if server is not None and listeners and not plugin.is_lite:
        # OCC waits for its streams, which do not end: the port is closed, the process stays until it is killed.
        stopping = asyncio.create_task(server.stop(_FOR_EVER_S))
        await asyncio.sleep(0)
        _say("Exiting FairMQ state machine")
        await stopping
    elif server is not None:
        await server.stop(_REPLIES_S)  # what answers the step that failed is on its way, on a busy machine
    _say("Exiting FairMQ state machine")
    sys.stdout.write("[ERROR] Uncaught exception reached the top of main: Device transitioned to error state\n")
    return 1


class Signals:
    """What FairMQ's control plugin makes of SIGTERM and SIGINT: a walk down to EXITING; a later SIGINT aborts."""

    def __init__(self, machine: Machine, *, ignore: bool) -> None:
        self._machine = machine
        self._ignore = ignore
        self._count = 0
        self._walk: asyncio.Task[None] | None = None

    def take(self) -> None:
        """Handle both signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            if self._ignore:
                signal.signal(number, signal.SIG_IGN)
            else:
                loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        self._count += 1
        if self._count > 1 and number is signal.SIGINT:
            os.abort()
        if self._walk is None:
            self._walk = asyncio.create_task(self._down())

    async def _down(self) -> None:
        machine = self._machine
        await within(_SIGNAL_S, asyncio.Event().wait())
        moved = asyncio.Event()
        machine.observe(lambda state: moved.set())
        while machine.state not in (DeviceState.EXITING, DeviceState.ERROR):
            moved.clear()
            if not machine.is_moving and machine.state in _DOWN:
                machine.request(_DOWN[machine.state])
            await moved.wait()


def _say(text: str) -> None:
    sys.stdout.write(f"[STATE] {text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m occ.samples.fairmq", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--id", default="", help="of the device")
    parser.add_argument("-P", "--plugin", nargs="+", default=["OCClite"], help="OCC or OCClite; others are dropped")
    parser.add_argument("-S", "--plugin-search-path", help="not used")
    parser.add_argument("--control-port", default=str(DEFAULT_PORT), help="if OCC_CONTROL_PORT is not set")
    parser.add_argument("--rate", type=float, default=0.0, help="messages per second")
    parser.add_argument("--size", type=int, default=1000, help="bytes of a message of a relay without inbound channels")
    parser.add_argument("--max-iterations", type=int, default=0, help="leave RUNNING after so many messages; 0: never")
    parser.add_argument("--text", default="Hello", help="what a sampler sends")
    tests = parser.add_argument_group("misbehaviour, by the name of a transition such as 'INIT TASK'")
    for name, what in (
        ("refuse", "go to ERROR in it"),
        ("hang", "never end it"),
        ("die", "be killed in it"),
        ("stay", "answer it as failed and stay where it was"),
    ):
        tests.add_argument(f"--{name}", action="append", default=[], metavar="TRANSITION", help=what)
    tests.add_argument("--error-in-run", type=float, metavar="S", help="go to ERROR so many seconds after RUN")
    tests.add_argument("--ignore-signals", action="store_true", help="ignore SIGTERM and SIGINT")
    return parser


if __name__ == "__main__":
    leave(main())
