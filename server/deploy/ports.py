"""The allocator of TCP ports of one machine: which are free, tested by binding. Arithmetic of ranges: ranges.py.

Several instances may share a machine: each starts at another place and tests before it gives. What an instance gave
it does not give again until it is released. On a machine elsewhere only what is offered may be given.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from occ.errors import RefusedError
from server.deploy.ranges import Ranges, normalise, subtract

DATA_PORTS = (9000, 29999)
"""For channels. Both bounds are included; below the kernel's own ephemeral ports, like the next."""
CONTROL_PORTS = (30000, 32767)
"""For the OCC servers of tasks."""


class Reserved(NamedTuple):
    """The ports of one task."""

    every: tuple[int, ...]
    data: tuple[int, ...]
    control: int
    """0 if none was wanted."""


class PortAllocator:
    """Hands out ports round-robin, so that one that was just freed is not given again at once.

    Args:
        instance: spreads the start, so that two instances rarely try the same ports.
        data, control: inclusive ranges.
        usable: tells whether a port that we did not give may be given; None tests it on this machine.
    """

    def __init__(
        self,
        instance: str,
        *,
        data: tuple[int, int] = DATA_PORTS,
        control: tuple[int, int] = CONTROL_PORTS,
        usable: Callable[[int], bool] | None = None,
    ) -> None:
        seed = int.from_bytes(hashlib.sha256(instance.encode()).digest()[:8])
        self._is_here = usable is None
        self._usable = usable or is_free
        self._data = _Wheel(data, seed, self._usable)
        self._control = _Wheel(control, seed, self._usable)
        self._taken: set[int] = set()

    def reserve(self, static: Collection[int], *, channels: int, control: bool) -> Reserved:
        """Take all that a task wants, or nothing.

        Raises:
            RefusedError: something is not free.
        """
        taken: list[int] = []
        try:
            self.take(static)
            taken += static
            data: list[int] = []
            for _ in range(channels):
                data.append(self.take_data())
                taken.append(data[-1])
            control_port = self.take_control() if control else 0
        except RefusedError:
            self.release(taken)
            raise
        return Reserved((*taken, control_port) if control else tuple(taken), tuple(data), control_port)

    def take_data(self) -> int:
        """Return a free port for a channel.

        Raises:
            RefusedError: there is none.
        """
        return self._data.take(self._taken)

    def take_control(self) -> int:
        """Return a free port for a task's OCC server.

        Raises:
            RefusedError: there is none.
        """
        return self._control.take(self._taken)

    def take(self, ports: Collection[int]) -> None:
        """Take these ports, all or none.

        Raises:
            RefusedError: one is in use; names it.
        """
        for port in ports:
            if port in self._taken:
                raise RefusedError(f"port {port} is used by another task")
            if not self._usable(port):
                if not self._is_here:
                    raise RefusedError(f"port {port} is not offered there")
                raise RefusedError(
                    f"port {port} is in use on this machine", hint=f"ss -ltnp 'sport = {port}' says by whom"
                )
        self._taken.update(ports)

    def occupy(self, ports: Iterable[int]) -> None:
        """Remember ports of tasks that run already; they are not tested."""
        self._taken.update(ports)

    def release(self, ports: Iterable[int]) -> None:
        """Let these ports be given again."""
        self._taken.difference_update(ports)

    def free(self, offered: Ranges | None = None) -> Ranges:
        """Return what was not given; single ones may still be in use by others on this machine.

        Args:
            offered: what there is; None is all that this allocator may give.
        """
        taken = normalise((port, port) for port in self._taken)
        return subtract(normalise((self._data.bounds, self._control.bounds)) if offered is None else offered, taken)


class _Wheel:
    """One range and the place where the next search begins."""

    def __init__(self, bounds: tuple[int, int], seed: int, usable: Callable[[int], bool]) -> None:
        self.bounds = bounds
        self._usable = usable
        self._size = bounds[1] - bounds[0] + 1
        self._next = seed % self._size

    def take(self, taken: set[int]) -> int:
        for _ in range(self._size):
            port = self.bounds[0] + self._next
            self._next = (self._next + 1) % self._size
            if port not in taken and self._usable(port):
                taken.add(port)
                return port
        raise RefusedError(f"no free port between {self.bounds[0]} and {self.bounds[1]}")


def is_free(port: int) -> bool:
    """Tell whether a server could bind the port now, on all addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # No SO_REUSEADDR: a port whose last connection is still in TIME_WAIT is left alone.
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
