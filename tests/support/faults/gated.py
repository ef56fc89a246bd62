"""A task that asks at a gate before each of its transitions, and waits there for as long as the test wants (gate.py)."""

from __future__ import annotations

import argparse
import os
import signal
import socket

from occ.device import Device
from occ.properties import Properties


class Gated(Device):
    """Does nothing, when it may."""

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--gate", default="", help="Unix socket of the gate; without it nothing is asked")
        parser.add_argument("--name", default="", help="by which the gate knows it")
        parser.add_argument("--stubborn", action="store_true", help="ignore SIGTERM and SIGINT")

    def take_options(self, options: argparse.Namespace) -> None:
        if options.stubborn:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
        self.name = options.name
        self._gate = options.gate
        self._pass("UP")

    def configure(self, properties: Properties) -> None:
        self._pass("CONFIGURE")

    def start(self) -> None:
        self._pass("START")

    def stop(self) -> None:
        self._pass("STOP")

    def reset(self) -> None:
        self._pass("RESET")

    def exit(self) -> None:
        self._pass("EXIT")

    def _pass(self, what: str) -> None:
        """Say who is there and what is to be done; return when it may be done or when there is no gate (any more)."""
        if self._gate:
            with socket.socket(socket.AF_UNIX) as gate:
                try:
                    gate.connect(self._gate)
                    gate.sendall(f"{self.name} {what} {os.getpid()}\n".encode())
                    gate.recv(1)
                except OSError:
                    return


if __name__ == "__main__":
    Gated.main()
