"""The offers of all agents: asked for while a deployment wants them, given back when none does (occ-executor-mesos.md 4.5).

When nothing is wanted, offers are declined and the master is told to make none. What is offered where: mesos_host.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from occ.errors import LinkError
from server.deploy.mesos_host import MesosHost
from server.deploy.mesos_info import MesosOffer
from server.deploy.mesos_revival import Revival
from server.deploy.mesos_scheduler import Scheduler

log = logging.getLogger(__name__)


class OfferPool:
    """All outstanding offers.

    Args:
        hosts: by name; shared with MesosBackend.
        host_of: returns the host of an offer, None if the offer cannot be used.
        wait_s: for the agents that are known to make their offers.
        settle_s: after a registration, for agents that are not known yet.
        idle_s: from the last wish to giving everything back.
        refuse_s: for the master to keep from us what we decline; asking for offers ends it.
        revival: asks the master to offer everything.
    """

    def __init__(
        self, scheduler: Scheduler, hosts: dict[str, MesosHost], host_of: Callable[[MesosOffer], MesosHost | None], *,
        wait_s: float, settle_s: float, idle_s: float, refuse_s: float, revival: Revival,
    ) -> None:  # fmt: skip
        self._scheduler = scheduler
        self._hosts = hosts
        self._host_of = host_of
        self._wait_s = wait_s
        self._settle_s = settle_s
        self._idle_s = idle_s
        self._refuse_s = refuse_s
        self._revival = revival
        self._askers = 0
        self._changed = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None
        self._settled: asyncio.TimerHandle | None = None
        self._is_settled = False

    def close(self) -> None:
        self._revival.close()
        for timer in (self._idle, self._settled):
            if timer:
                timer.cancel()

    # ---- what is wanted --------------------------------------------------------------------------

    async def fill(self) -> None:
        """Ask for offers and wait until every known agent has made one, or for a while."""
        with self._asking():
            try:
                async with asyncio.timeout(self._wait_s):
                    await self._until(self._is_full)
            except TimeoutError:
                silent = [host.name for host in self._hosts.values() if host.is_in_inventory and not host.offers]
                log.info("agents that offer nothing hosts=%s", ",".join(silent) or "none is known")

    async def cover(self, host: MesosHost, task_ids: Sequence[str], timeout_s: float) -> None:
        """Wait until the offers of one agent are enough for these tasks.

        Raises:
            LinkError: they are not in time.
        """
        if host.covers(task_ids):
            return
        with self._asking():
            try:
                async with asyncio.timeout(timeout_s):
                    await self._until(lambda: host.covers(task_ids))
            except TimeoutError:
                raise LinkError(
                    f"host {host.name} has not offered enough for {len(task_ids)} tasks within {timeout_s:g} s"
                ) from None

    def settle(self) -> None:
        """Give everything back after a while in which nothing was wanted."""
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._give_back)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._askers += 1
        self._revival.ask()
        try:
            yield
        finally:
            self._askers -= 1
            self.settle()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def _is_full(self) -> bool:
        known = [host for host in self._hosts.values() if host.is_in_inventory]
        return self._is_settled and bool(known) and all(host.offers for host in known)

    def _is_wanted(self) -> bool:
        promised = any(host.promised() for host in self._hosts.values())
        return self._askers > 0 or promised or self._idle is not None or not self._is_settled

    def _give_back(self) -> None:
        self._idle = None
        if self._is_wanted():
            self.settle()
            return
        self._decline([offer_id for host in self._hosts.values() for offer_id in host.offers])
        for host in self._hosts.values():
            host.drop_offers(list(host.offers))
        self._scheduler.post("suppress")

    def _decline(self, offer_ids: Sequence[str]) -> None:
        if offer_ids:
            self._scheduler.post("decline", offer_ids=offer_ids, refuse_s=self._refuse_s)

    # ---- what the master says ----------------------------------------------------------------------

    def subscribed(self) -> None:
        """Offers come by themselves now."""
        self.settle()
        if self._settled:
            self._settled.cancel()
        self._settled = asyncio.get_running_loop().call_later(self._settle_s, self._settle)

    def _settle(self) -> None:
        self._is_settled = True
        self._changed.set()

    def offered(self, offers: Iterable[MesosOffer]) -> None:
        """Take offers in, or decline them if nobody wants any."""
        declined: list[str] = []
        for offer in offers:
            host = self._host_of(offer)
            if host is None or not self._is_wanted():
                declined.append(offer.offer_id)
                if host:
                    host.drop_offers([offer.offer_id])
        self._decline(declined)
        self._changed.set()

    def rescinded(self, offer_id: str) -> None:
        for host in self._hosts.values():
            if offer_id in host.offers:
                host.drop_offers([offer_id])

    def void(self) -> None:
        """The master does not hear us any more: nothing is offered."""
        self._is_settled = False
        for host in self._hosts.values():
            host.drop_offers(list(host.offers))
