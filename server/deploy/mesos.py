"""The backend of a cluster under Apache Mesos: one executor of ours per agent, tasks placed on what the master offers.

Here: hosts, what tasks take, launches. The registration: mesos_scheduler.py; offers: mesos_offers.py; executors and the
states of tasks: mesos_executors.py (occ-executor-mesos.md 4).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from executor.api.messages import Command, Kill, Launch, TaskSpec
from occ.errors import AliecsError, LinkError
from server.deploy.backend import Demand, HostInfo, KnownExecutor, Listener, Offer, Reservation
from server.deploy.host import HostEntry
from server.deploy.match import MACHINE_ID
from server.deploy.mesos_executors import MesosExecutors, MesosTimes
from server.deploy.mesos_host import MesosHost
from server.deploy.mesos_info import ExecutorSettings, MesosOffer, executor_info, offer_from, task_info
from server.deploy.mesos_offers import OfferPool
from server.deploy.mesos_revival import Revival
from server.deploy.mesos_scheduler import MesosMaster, Scheduler

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosSettings:
    """Times in seconds."""

    master: MesosMaster
    executor: ExecutorSettings
    times: MesosTimes = field(default_factory=MesosTimes)
    subscribe_s: float = 30.0
    """For the master to accept us when a deployment wants offers."""
    offer_wait_s: float = 2.0
    settle_s: float = 1.0
    idle_s: float = 1.0
    refuse_s: float = 5.0
    """See OfferPool."""
    revive_burst: int = 3
    revive_wait_s: float = 1.0
    """See Revival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosParts:
    """What the backend needs of the core; as LocalParts where the names are the same."""

    instance: str
    core_epoch: str
    inventory: Callable[[], Awaitable[Sequence[HostEntry]]]
    """Tells the detectors of hosts; all else is told by the agents."""
    new_id: Callable[[], str]
    record_executor: Callable[[KnownExecutor], Awaitable[None]]
    forget_executor: Callable[[str], None]
    changed: Callable[[], None]
    """Called when clients should be shown other hosts, or another framework."""
    load_framework_id: Callable[[], Awaitable[str]]
    store_framework_id: Callable[[str], Awaitable[None]]


class MesosBackend:
    """See server/deploy/backend.py. Used from one loop."""

    def __init__(self, parts: MesosParts, settings: MesosSettings) -> None:
        self._parts = parts
        self.settings = settings
        self._hosts: dict[str, MesosHost] = {}
        self._where: dict[str, str] = {}
        """Task id to the host that holds something for it."""
        self._detectors: Mapping[str, str] = {}
        self._again: dict[str, list[TaskSpec]] = {}
        """By host, tasks whose offers were not valid any more when they were used."""
        self._second_chances: set[str] = set()
        self._was_subscribed = False
        self._work: set[asyncio.Task[None]] = set()
        self._scheduler = Scheduler(
            settings.master, self, load_id=parts.load_framework_id, store_id=parts.store_framework_id
        )
        self._offers = OfferPool(
            self._scheduler, self._hosts, self._host_of_offer, wait_s=settings.offer_wait_s,
            settle_s=settings.settle_s, idle_s=settings.idle_s, refuse_s=settings.refuse_s,
            revival=Revival(
                lambda: self._scheduler.post("revive"), burst=settings.revive_burst, wait_s=settings.revive_wait_s
            ),
        )  # fmt: skip
        self._executors = MesosExecutors(
            self._scheduler, self._hosts, self._where, settings.times, instance=parts.instance,
            core_epoch=parts.core_epoch, forget_executor=parts.forget_executor, launch_again=self._launch_again,
        )  # fmt: skip

    # ---- life --------------------------------------------------------------------------------

    @property
    def framework_id(self) -> str:
        """Return the id that the master gave us, "" before the first registration."""
        return self._scheduler.framework_id

    @property
    def state(self) -> str:
        """Return CONNECTED from the first registration of this life on, as AliECS does (occ-executor-mesos.md 4.2)."""
        return "CONNECTED" if self._was_subscribed else "INITIAL"

    @property
    def scheduler_pid(self) -> int:
        """Return the pid of the helper process that talks to the master."""
        return self._scheduler.pid

    async def start(self, listener: Listener, known: Sequence[KnownExecutor] = ()) -> None:
        """Begin to register in the background; executors known from an earlier life are asked for when that is done.

        Raises:
            AliecsError: inventory or framework id cannot be read.
        """
        await self._read_inventory()
        self._executors.start(listener, [(self._host(one.host, one.agent_id), one) for one in known])
        await self._scheduler.start()

    async def close(self) -> None:
        """Leave the master without a teardown: executors and tasks go on, and wait for the next core."""
        self._executors.close()
        self._offers.close()
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._scheduler.close()

    async def drain(self) -> None:
        """End all executors and their tasks."""
        await self._executors.drain()

    # ---- what there is -----------------------------------------------------------------------

    def hosts(self) -> Sequence[HostInfo]:
        return [self._hosts[name].info() for name in sorted(self._hosts)]

    async def offers(self) -> Sequence[Offer]:
        """Return what agents offer now; takes up to ``offer_wait_s`` where one of them offers nothing.

        Raises:
            LinkError: the master does not accept us.
        """
        await self._scheduler.subscribed(self.settings.subscribe_s)
        await self._read_inventory()
        await self._offers.fill()
        return [offer for _, host in sorted(self._hosts.items()) if (offer := host.left())]

    def stdout_url(self, task_id: str) -> str:
        """Return where the agent serves it, by the path that hides its working directory (Mesos 1.5 and later)."""
        host = self._hosts.get(self._where.get(task_id, ""))
        held = host.held.get(task_id) if host else None
        if host is None or held is None or not host.agent_url:
            return ""
        path = f"/frameworks/{self.framework_id}/executors/{held.executor_id}/runs/latest/tasks/{task_id}/stdout"
        return f"{host.agent_url}/files/download?path={quote(path)}"

    async def _read_inventory(self) -> None:
        self._detectors = {entry.name: entry.detector for entry in await self._parts.inventory()}

    def _host(self, name: str, agent_id: str) -> MesosHost:
        if name not in self._hosts:
            self._hosts[name] = MesosHost(name, agent_id=agent_id, share=self.settings.executor)
        return self._hosts[name]

    def _host_of_offer(self, offer: MesosOffer) -> MesosHost | None:
        """Note an offer with its host; None if another agent says that it is the same host."""
        name = offer.attributes.get(MACHINE_ID) or offer.hostname
        host = self._host(name, offer.agent_id)
        if host.agent_id != offer.agent_id:
            if host.offers:
                log.error(
                    "two agents have the same %s, one is not used machine_id=%s used=%s not_used=%s",
                    MACHINE_ID, name, host.agent_id, offer.agent_id,
                )  # fmt: skip
                return None
            if host.agent_id:
                self._executors.agent_lost(host.agent_id, f"agent {host.agent_id} was replaced by {offer.agent_id}")
        host.add_offer(offer, self._detectors.get(name, ""))
        if offer.executor_ids:
            self._executors.seen(host, offer.executor_ids)
        return host

    # ---- resources -----------------------------------------------------------------------------

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        room = self._hosts[host]
        executor_id = room.next_executor_id(self._parts.new_id)
        self.release([task_id])
        ports = room.take(task_id, demand, executor_id)
        self._where[task_id] = host
        return Reservation(
            agent_id=room.agent_id, executor_id=executor_id, data_ports=ports.data, control_port=ports.control
        )

    def occupy(self, host: str, task_id: str, demand: Demand, ports: Iterable[int]) -> None:
        self.release([task_id])
        self._host(host, "").occupy(task_id, demand, tuple(ports))
        self._where[task_id] = host

    def release(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            if (name := self._where.pop(task_id, None)) is not None:
                self._hosts[name].release(task_id)
                self._second_chances.discard(task_id)

    # ---- commands ----------------------------------------------------------------------------

    async def launch(
        self, host: str, offer_id: str, tasks: Sequence[TaskSpec], command_id: str, *, timeout_s: float
    ) -> None:
        """See Backend. How tasks come up, or why Mesos refuses them, is told by their states."""
        room = self._hosts[host]
        task_ids = [spec.task_id for spec in tasks]
        try:
            async with asyncio.timeout(timeout_s + _MARGIN_S):
                await self._offers.cover(room, task_ids, timeout_s)
                await self._begin_executor(room)
                while not room.covers(task_ids):  # another launch was faster
                    await self._offers.cover(room, task_ids, timeout_s)
        except TimeoutError:
            raise LinkError(f"host {host} has not offered enough within {timeout_s:g} s") from None
        stale = [task_id for task_id in task_ids if room.held_by(task_id) != room.executor_id]
        if stale:
            raise LinkError(f"the executor on host {host} that was to run {', '.join(stale)} is gone")
        infos = [
            task_info(
                spec,
                command_id,
                agent_id=room.agent_id,
                executor=room.executor,
                held=room.held[spec.task_id],
                takes_limits=room.takes_limits,
            )
            for spec in tasks
        ]
        offer_ids = list(room.offers)
        room.drop_offers(offer_ids)
        room.launch(Launch(command_id=command_id, tasks=tuple(tasks)))
        operations: list[Any] = [{"type": "LAUNCH", "launch": {"task_infos": infos}}]
        try:
            await self._scheduler.call("accept", offer_ids=offer_ids, operations=operations, refuse_s=0.0)
        except AliecsError as error:
            raise LinkError(f"Mesos did not take the tasks of host {host}: {error.message}") from error
        self._offers.settle()

    def _launch_again(self, host: MesosHost, task_id: str) -> bool:
        """Give a task whose offers were taken back as it was launched a second chance."""
        command = host.launches.pop(task_id, None)
        if command is None or task_id in self._second_chances:
            return False
        self._second_chances.add(task_id)
        host.held[task_id].is_launched = False
        if not self._again:
            asyncio.get_running_loop().call_soon(self._launch_all_again)
        self._again.setdefault(host.name, []).extend(spec for spec in command.tasks if spec.task_id == task_id)
        return True

    def _launch_all_again(self) -> None:
        again, self._again = self._again, {}
        for name, specs in again.items():
            work = asyncio.create_task(self._try_again(self._hosts[name], specs), name=f"launch again on {name}")
            self._work.add(work)
            work.add_done_callback(self._work.discard)

    async def _try_again(self, host: MesosHost, specs: Sequence[TaskSpec]) -> None:
        log.warning("offers were not valid any more, launching again host=%s tasks=%d", host.name, len(specs))
        try:
            await self.launch(host.name, "", specs, self._parts.new_id(), timeout_s=self.settings.subscribe_s)
        except AliecsError as error:
            self._executors.refuse(host, [spec.task_id for spec in specs], str(error))

    async def _begin_executor(self, room: MesosHost) -> None:
        """Decide on the executor that is to run tasks there, and record it before the master hears of it."""
        if room.is_alive:
            return
        self._executors.begin(room, room.next_executor_id(self._parts.new_id))
        room.executor = executor_info(
            room.executor_id, self.settings.executor, host=room.name, instance=self._parts.instance,
            attributes=room.entry.attributes if room.entry else {},
        )  # fmt: skip
        await self._parts.record_executor(self._executors.known(room))

    async def restart(self, host: str, reason: str, *, at_once: bool) -> None:
        """See Backend. Only a task can make an agent start an executor: the next one that is placed there does."""
        room = self._hosts.get(host)
        if room is not None and room.is_alive:
            await self._executors.end(room, reason, at_once=at_once)

    def send(self, host: str, command: Command) -> bool:
        room = self._hosts.get(host)
        if room is None:
            return False
        is_sent = bool(room.link and room.link.send(command))
        if isinstance(command, Kill):
            self._executors.kill(room, command.task_ids, at_once=not is_sent)
        return is_sent

    # ---- what the master says: called by Scheduler ---------------------------------------------

    def subscribed(self, *, is_new: bool) -> None:
        self._was_subscribed = True
        self._offers.subscribed()
        self._executors.subscribed(is_new=is_new)
        self._parts.changed()

    def unsubscribed(self) -> None:
        self._offers.void()
        self._executors.unsubscribed()

    def event(self, kind: str, event: Mapping[str, Any]) -> None:
        executors = self._executors
        match kind:
            case "offers":
                known = len(self._hosts)
                self._offers.offered(map(offer_from, event["offers"]))
                if len(self._hosts) != known:
                    self._parts.changed()
            case "rescinded":
                self._offers.rescinded(event["offer_id"])
            case "status":
                executors.status(event["status"])
            case "message":
                executors.message(event["agent_id"], event["executor_id"], event["data"])
            case "executor_lost":
                executors.executor_lost(event["agent_id"], event["executor_id"], event["status"])
            case "agent_lost":
                executors.agent_lost(event["agent_id"], f"agent {event['agent_id']} is lost")
            case _:
                log.info("event of mesos is ignored kind=%s", kind)


_MARGIN_S = 10.0
"""For recording an executor, beside the wait for offers."""
