"""A host that is an agent of Mesos: what is offered there, what of it is promised, and who runs there. No I/O.

What all hosts have: host.py. Offers come and go; what a task was promised counts against them until it is launched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.deploy.backend import Demand, ExecutorState, Offer
from server.deploy.host import Held, Host
from server.deploy.match import MACHINE_ID
from server.deploy.mesos_info import ExecutorSettings, MesosOffer
from server.deploy.ports import PortAllocator, Reserved
from server.deploy.ranges import Ranges, contains, normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosEntry:
    """What is known of an agent beyond its offers."""

    name: str
    address: str
    detector: str
    attributes: Mapping[str, str]
    cpus: float
    memory_mb: float


class MesosHost(Host):
    """See Host.

    Attributes:
        offers: outstanding ones, by id.
        offered: ports of all of them.
        executor: the ExecutorInfo of the executor that lives or is to be started.
        agent_url: of the agent's HTTP, "" until it made an offer.
    """

    def __init__(self, name: str, *, agent_id: str, share: ExecutorSettings) -> None:
        super().__init__(name, agent_id=agent_id)
        self.offers: dict[str, MesosOffer] = {}
        self.offered: Ranges = ()
        self.executor: dict[str, Any] = {}
        self.agent_url = ""
        self._share = share
        self._ports = PortAllocator(name, usable=lambda port: contains(self.offered, port))

    # ---- offers ------------------------------------------------------------------------------

    def add_offer(self, offer: MesosOffer, detector: str) -> None:
        """Take in an offer of this agent."""
        self.agent_id = offer.agent_id
        self.agent_url = f"http://{offer.address}:{offer.port}"
        self.offers[offer.offer_id] = offer
        self._count_ports()
        total = self.entry
        self.entry = MesosEntry(
            name=self.name,
            address=offer.address,
            detector=detector,
            attributes=offer.attributes,
            cpus=max(offer.cpus, total.cpus if total else 0.0),
            memory_mb=max(offer.memory_mb, total.memory_mb if total else 0.0),
        )
        self.is_in_inventory = True

    def drop_offers(self, offer_ids: Iterable[str]) -> None:
        """Forget offers that were used, declined or rescinded."""
        for offer_id in offer_ids:
            self.offers.pop(offer_id, None)
        self._count_ports()

    @property
    def takes_limits(self) -> bool:
        """True if the agent that made the offers lets tasks have limits."""
        return all(offer.takes_limits for offer in self.offers.values())

    def _count_ports(self) -> None:
        self.offered = normalise(one for offer in self.offers.values() for one in offer.ports)

    def left(self) -> Offer | None:
        """Return what of the offers is not promised yet, None if there is no offer."""
        if not self.offers:
            return None
        assert self.entry is not None
        promised = self.promised()
        first = next(iter(self.offers.values()))
        cpus, memory_mb = self._offered()
        return Offer(
            offer_id=first.offer_id,
            host=self.name,
            address=first.address,
            agent_id=self.agent_id,
            executor_id=self.executor_id if self.is_alive else "",
            attributes={MACHINE_ID: self.name, **first.attributes},
            cpus=cpus - sum(one.cpus for one in promised),
            memory_mb=memory_mb - sum(one.memory_mb for one in promised),
            ports=self._ports.free(self.offered),
            share_cpus=self._share.cpus,
            share_memory_mb=self._share.memory_mb,
        )

    def covers(self, task_ids: Iterable[str]) -> bool:
        """Tell whether the offers are enough for these tasks now."""
        wanted = [self.held[task_id] for task_id in task_ids if task_id in self.held]
        cpus, memory_mb = self._offered()
        return (
            bool(self.offers)
            and sum(one.cpus for one in wanted) <= cpus + _ROUNDING
            and sum(one.memory_mb for one in wanted) <= memory_mb + _ROUNDING
            and all(contains(self.offered, port) for one in wanted for port in one.ports)
        )

    def _offered(self) -> tuple[float, float]:
        """Return cpus and memory of all offers; an executor that is to be started comes off first."""
        cpus = sum(offer.cpus for offer in self.offers.values())
        memory_mb = sum(offer.memory_mb for offer in self.offers.values())
        is_counted = self.state in (ExecutorState.ATTACHED, ExecutorState.SILENT) or any(
            self.executor_id in offer.executor_ids for offer in self.offers.values()
        )
        if is_counted:
            return cpus, memory_mb
        return cpus - self._share.cpus, memory_mb - self._share.memory_mb

    # ---- what tasks take -----------------------------------------------------------------------

    def take(self, task_id: str, demand: Demand, executor_id: str) -> Reserved:
        """Promise a task what it wants.

        Raises:
            RefusedError: a port is not free.
        """
        ports = self._ports.reserve(demand.static_ports, channels=demand.channels, control=demand.control)
        self.held[task_id] = self._held(demand, ports.every, executor_id)
        return ports

    def occupy(self, task_id: str, demand: Demand, ports: tuple[int, ...]) -> None:
        """Account for a task that runs already."""
        self._ports.occupy(ports)
        self.held[task_id] = self._held(demand, ports, self.executor_id, is_launched=True)

    def _held(self, demand: Demand, ports: tuple[int, ...], executor_id: str, *, is_launched: bool = False) -> Held:
        cpus, memory_mb = demand.cpus + self._share.cpus, demand.memory_mb + self._share.memory_mb
        return Held(cpus, memory_mb, ports, executor_id, is_launched)

    def release(self, task_id: str) -> Held:
        held = super().release(task_id)
        self._ports.release(held.ports)
        return held

    def promised(self) -> list[Held]:
        """Return what tasks take that are still to be launched."""
        return [held for task_id, held in self.held.items() if not held.is_launched and task_id not in self.ended]

    def launched(self) -> list[str]:
        """Return the tasks that are or may be running."""
        return [task_id for task_id, held in self.held.items() if held.is_launched and task_id not in self.ended]


_ROUNDING = 1e-6
