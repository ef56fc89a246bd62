"""The backend of one machine: an executor process for each (simulated) host that is needed, all of them our own.

Here: the inventory, what tasks take of it, launches. The processes themselves: executors.py; ports: ports.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from executor.api.messages import Command, Launch, TaskSpec
from occ.errors import LinkError
from server.deploy.backend import Demand, HostInfo, KnownExecutor, Listener, Offer, Reservation
from server.deploy.executors import Executors, LocalParts, LocalSettings
from server.deploy.host import Held, Host
from server.deploy.logs import LogServer
from server.deploy.ports import PortAllocator


class LocalBackend:
    """See server/deploy/backend.py. Used from one loop."""

    def __init__(self, parts: LocalParts, settings: LocalSettings) -> None:
        self.framework_id = f"local-{parts.instance}"
        self.state = "CONNECTED"
        self.tasks_directory = parts.state_directory / "tasks"
        self.settings = settings
        self._parts = parts
        self._hosts: dict[str, Host] = {}
        self._where: dict[str, str] = {}
        """Task id to the host that holds something for it."""
        self._ports = PortAllocator(parts.instance)
        self._executors = Executors(parts, settings, self._hosts)
        self._logs = LogServer(
            self.tasks_directory, address=settings.log_address, port=settings.log_port, close_s=settings.close_s
        )

    # ---- life --------------------------------------------------------------------------------

    async def start(self, listener: Listener, known: Sequence[KnownExecutor] = ()) -> None:
        """Listen for executors; those known from an earlier life are waited for in the background.

        The listener is told of those that are gone before this returns.

        Raises:
            LinkError, ConfigError: the socket or the port for logs cannot be had.
        """
        self.tasks_directory.mkdir(parents=True, exist_ok=True)
        await self._read_inventory()
        await self._logs.start()
        await self._executors.start(listener, [(self._host(executor.host), executor) for executor in known])

    async def close(self) -> None:
        """Detach: executors and tasks go on, and dial the next core of this instance."""
        await self._executors.close()
        await self._logs.close()

    async def drain(self) -> None:
        """End all executors and their tasks; nothing of them is left when this returns."""
        await self._executors.drain()

    # ---- what there is -----------------------------------------------------------------------

    def hosts(self) -> Sequence[HostInfo]:
        return [self._hosts[name].info() for name in sorted(self._hosts)]

    async def offers(self) -> Sequence[Offer]:
        await self._read_inventory()
        free = self._ports.free()
        return [
            host.offer(self._parts.new_id(), free) for _, host in sorted(self._hosts.items()) if host.is_in_inventory
        ]

    def stdout_url(self, task_id: str) -> str:
        return self._logs.url(task_id)

    async def _read_inventory(self) -> None:
        entries = await self._parts.inventory()
        for host in self._hosts.values():
            host.is_in_inventory = False
        for entry in entries:
            host = self._host(entry.name)
            host.entry = entry
            host.is_in_inventory = True

    def _host(self, name: str) -> Host:
        """Return the host of that name; one that is in no inventory (any more) is made for the executor it has."""
        if name not in self._hosts:
            self._hosts[name] = Host(name, agent_id=f"{self.framework_id}-{name}")
        return self._hosts[name]

    # ---- resources -----------------------------------------------------------------------------

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        room = self._host(host)
        ports = self._ports.reserve(demand.static_ports, channels=demand.channels, control=demand.control)
        executor_id = room.next_executor_id(self._parts.new_id)
        self._hold(room, task_id, Held(demand.cpus, demand.memory_mb, ports.every, executor_id))
        return Reservation(
            agent_id=room.agent_id, executor_id=executor_id, data_ports=ports.data, control_port=ports.control
        )

    def occupy(self, host: str, task_id: str, demand: Demand, ports: Iterable[int]) -> None:
        room, held_ports = self._host(host), tuple(ports)
        self._ports.occupy(held_ports)
        self._hold(room, task_id, Held(demand.cpus, demand.memory_mb, held_ports, room.executor_id, is_launched=True))

    def release(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            if (name := self._where.pop(task_id, None)) is not None:
                self._ports.release(self._hosts[name].release(task_id).ports)

    def _hold(self, host: Host, task_id: str, held: Held) -> None:
        self.release([task_id])
        host.held[task_id] = held
        self._where[task_id] = host.name

    # ---- commands ----------------------------------------------------------------------------

    async def launch(
        self, host: str, offer_id: str, tasks: Sequence[TaskSpec], command_id: str, *, timeout_s: float
    ) -> None:
        room = self._host(host)
        link = await self._executors.attach(room, timeout_s=timeout_s)
        stale = [spec.task_id for spec in tasks if room.held_by(spec.task_id) != room.executor_id]
        if stale:
            raise LinkError(f"the executor on host {host} that was to run {', '.join(stale)} is gone")
        command = Launch(command_id=command_id, tasks=tuple(tasks))
        room.launch(command)
        link.send(command)

    async def restart(self, host: str, reason: str, *, at_once: bool) -> None:
        await self._executors.restart(self._host(host), reason, at_once=at_once)

    def send(self, host: str, command: Command) -> bool:
        room = self._hosts.get(host)
        return bool(room and room.link and room.link.send(command))
