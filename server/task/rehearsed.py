"""A room that takes nothing: places are found as on the real one, ports have names instead of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count

from server.deploy.backend import Demand, Offer, Reservation, Room
from server.deploy.ranges import normalise
from server.task.task import Task


class UnknownPort(int):
    """A port that is not chosen yet; its text is PORT and its number among those of a plan."""

    def __str__(self) -> str:
        return f"PORT{int(self)}"

    def __format__(self, spec: str) -> str:
        return str(self)


class RehearsedRoom:
    """See Room in server/deploy/backend.py.

    Args:
        tasks: all that there are. Those that no environment has are ended before a creation, hence hold nothing here.
    """

    def __init__(self, room: Room, tasks: Iterable[Task]) -> None:
        self._room = room
        self._leftovers = [task for task in tasks if not task.locked and not task.ended]
        self._ports = count(1)

    async def offers(self) -> Sequence[Offer]:
        return [self._without_leftovers(offer) for offer in await self._room.offers()]

    def _without_leftovers(self, offer: Offer) -> Offer:
        freed = [port for task in self._leftovers for port in task.ports]
        here = [task for task in self._leftovers if task.host == offer.host]
        return replace(
            offer,
            cpus=offer.cpus + sum(task.cpus for task in here),
            memory_mb=offer.memory_mb + sum(task.memory_mb for task in here),
            ports=normalise((*offer.ports, *((port, port) for port in freed))),
        )

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        return Reservation(
            agent_id="",
            executor_id="",
            data_ports=tuple(UnknownPort(next(self._ports)) for _ in range(demand.channels)),
            control_port=UnknownPort(next(self._ports)) if demand.control else 0,
        )

    def release(self, task_ids: Iterable[str]) -> None:
        """Nothing was taken."""
