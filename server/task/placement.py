"""From what an environment wants to tasks with a host, ports and a command; nothing is launched yet.

Which host: server/deploy/match.py; the command of a task: command.py. Who launches them: acquire.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from executor.api.messages import ControlMode, TaskSpec
from occ.errors import AliecsError
from server.deploy.backend import Demand, Offer, Reservation, Room
from server.deploy.match import Want, match
from server.task.command import OCC_LITE, FmqPlugin, command_texts, finish_command, resolve_command
from server.task.properties import effective_inbound, effective_outbound, merge_constraints
from server.task.task import ChannelInfo, Task
from server.template.functions import UTILITIES
from server.template.model import Constraint, Inbound, Outbound, TaskClass, Traits
from server.template.vocabulary import asks_services

_UNCONTROLLED = ("basic", "hook")
"""Class modes without an OCC server."""
Closed = Callable[[], Mapping[str, str]]
_CHUNK = 100
"""So many commands are made before others get their turn on the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDescriptor:
    """One task that an environment wants."""

    key: int
    """Of the caller."""
    role_path: str
    task_class: TaskClass
    constraints: Sequence[Constraint]
    """Of the roles; those of the class are added here (occ-executor-mesos.md 4.6)."""
    stack: Mapping[str, str]
    """Consolidated stack of the role."""
    inbound: Sequence[Inbound]
    """Of the roles; those of the class are added here."""
    outbound: Sequence[Outbound]
    traits: Traits
    detector: str
    critical: bool
    environment_id: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Every descriptor stands in exactly one of the two, by its key."""

    tasks: dict[int, Task]
    undeployable: dict[int, str]
    """To the reason, in words."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a descriptor goes, and what it got there."""

    descriptor: TaskDescriptor
    offer: Offer
    task_id: str
    reservation: Reservation
    inbound: tuple[Inbound, ...]
    outbound: tuple[Outbound, ...]
    demand: Demand


class Placement:
    """Places tasks in a room. Several environments may place at the same time.

    Args:
        objects: all that expressions in commands may call.
        plugin: what FairMQ devices are told to load.
        closed: returns the hosts on which nothing is placed now, with the reason in words.
    """

    def __init__(
        self,
        room: Room,
        objects: Mapping[str, object] = UTILITIES,
        plugin: FmqPlugin = OCC_LITE,
        *,
        closed: Closed = dict,
    ) -> None:
        self._room = room
        self._closed = closed
        self._objects = objects
        self._plugin = plugin

    async def place(self, descriptors: Sequence[TaskDescriptor], ids: Callable[[], str]) -> Placed:
        """Give each descriptor a host, ports and a command; what its task takes stays reserved.

        Args:
            ids: makes task ids.

        Raises:
            AliecsError: the inventory cannot be read.
        """
        undeployable: dict[int, str] = {}
        offers = await self._room.offers()
        # No await from here to the last reservation: nobody else takes what the offers promise.
        places = self._place(descriptors, offers, undeployable, ids)
        return Placed(await self._make_tasks(places, undeployable), undeployable)

    def _place(
        self,
        descriptors: Sequence[TaskDescriptor],
        offers: Sequence[Offer],
        undeployable: dict[int, str],
        ids: Callable[[], str],
    ) -> list[_Place]:
        by_key = {descriptor.key: descriptor for descriptor in descriptors}
        inbound = {one.key: effective_inbound(one.inbound, one.task_class.bind) for one in descriptors}
        matched = match([_want(one, inbound[one.key]) for one in descriptors], offers, self._closed())
        undeployable.update(matched.unplaced)
        places: list[_Place] = []
        for key, descriptor in by_key.items():
            offer = matched.placed.get(key)
            if offer is None:
                continue
            demand = demand_of(descriptor.task_class, inbound[key])
            task_id = ids()
            try:
                reservation = self._room.reserve(offer.host, task_id, demand)
            except AliecsError as error:
                undeployable[key] = f"host {offer.host}: {error}"
                continue
            outbound = effective_outbound(descriptor.outbound, descriptor.task_class.connect)
            places.append(_Place(descriptor, offer, task_id, reservation, tuple(inbound[key]), tuple(outbound), demand))
        return places

    async def _make_tasks(self, places: Sequence[_Place], undeployable: dict[int, str]) -> dict[int, Task]:
        """Make the tasks; commands that ask services are made in a thread, within the deadline of the caller."""
        classes = {place.descriptor.task_class.identifier: place.descriptor.task_class for place in places}
        asking = {identifier for identifier, one in classes.items() if asks_services(command_texts(one))}
        tasks: dict[int, Task] = {}
        try:
            for start in range(0, len(places), _CHUNK):
                chunk = places[start : start + _CHUNK]
                slow = [place for place in chunk if place.descriptor.task_class.identifier in asking]
                made = await asyncio.to_thread(self._try_all, slow) if slow else {}
                made |= self._try_all([place for place in chunk if place.task_id not in made])
                for place in chunk:
                    outcome = made[place.task_id]
                    if isinstance(outcome, Task):
                        tasks[place.descriptor.key] = outcome
                    else:
                        undeployable[place.descriptor.key] = f"host {place.offer.host}: {outcome}"
                        self._room.release([place.task_id])
                await asyncio.sleep(0)
        except BaseException:
            self._room.release([place.task_id for place in places])
            raise
        return tasks

    def _try_all(self, places: Sequence[_Place]) -> dict[str, Task | AliecsError]:
        """Make tasks by their ids; what cannot be made is its error."""
        made: dict[str, Task | AliecsError] = {}
        for place in places:
            try:
                made[place.task_id] = _make_task(place, self._objects, self._plugin)
            except AliecsError as error:
                made[place.task_id] = error
        return made


def demand_of(task_class: TaskClass, inbound: Sequence[Inbound]) -> Demand:
    """Return what a task takes from its host.

    Args:
        inbound: effective channels, of its roles and its class.
    """
    wants = task_class.wants
    return Demand(
        cpus=wants.cpu,
        memory_mb=wants.memory,
        static_ports=[port for low, high in wants.ports for port in range(low, high + 1)],
        channels=sum(channel.addressing != "ipc" for channel in inbound),
        control=task_class.mode not in _UNCONTROLLED,
    )


def _want(descriptor: TaskDescriptor, inbound: Sequence[Inbound]) -> Want:
    task_class = descriptor.task_class
    return Want(
        key=descriptor.key,
        constraints=tuple(merge_constraints(task_class.constraints, descriptor.constraints)),
        cpu=task_class.wants.cpu,
        memory_mb=task_class.wants.memory,
        static_ports=task_class.wants.ports,
        channel_count=sum(channel.addressing != "ipc" for channel in inbound),
        needs_control_port=task_class.mode not in _UNCONTROLLED,
        critical=descriptor.critical,
    )


def _make_task(place: _Place, objects: Mapping[str, object], plugin: FmqPlugin) -> Task:
    """Build the task and its command.

    Raises:
        AliecsError: the command cannot be built; names what.
    """
    descriptor, offer, reservation = place.descriptor, place.offer, place.reservation
    task_class, traits = descriptor.task_class, descriptor.traits
    command = resolve_command(
        task_class,
        descriptor.stack,
        task_id=place.task_id,
        task_name=f"{task_class.identifier}#{place.task_id}",
        hostname=offer.host,
        environment_id=descriptor.environment_id,
        role_path=descriptor.role_path,
        trigger=traits.trigger,
        timeout=traits.timeout,
        fmq_plugin=plugin.name,
        fmq_plugin_search_path=plugin.search_path,
        objects=objects,
    )
    command = finish_command(command, control_port=reservation.control_port, hostname=offer.host)
    spec = TaskSpec(
        task_id=place.task_id,
        environment_id=descriptor.environment_id,
        class_name=task_class.identifier,
        mode=ControlMode(command.mode),
        value=command.value,
        shell=command.shell,
        arguments=tuple(command.arguments),
        environment=tuple(command.environment),
        user=command.user,
        stdout=command.stdout,
        stderr=command.stderr,
        control_port=reservation.control_port,
        timeout_s=command.timeout_s,
        role_path=descriptor.role_path,
        detector=descriptor.detector,
        cpu_limit=command.cpu_limit,
        memory_limit_mb=command.memory_limit_mb,
    )
    static = tuple(place.demand.static_ports)
    control = (reservation.control_port,) if reservation.control_port else ()
    return Task(
        task_id=place.task_id,
        class_id=task_class.identifier,
        class_name=task_class.name,
        host=offer.host,
        address=offer.address,
        agent_id=reservation.agent_id,
        offer_id=offer.offer_id,
        executor_id=reservation.executor_id,
        environment_id=descriptor.environment_id,
        role_path=descriptor.role_path,
        critical=descriptor.critical,
        command=spec,
        properties=task_class.properties,
        inbound=tuple(ChannelInfo(one.name, one.type) for one in place.inbound),
        outbound=tuple(ChannelInfo(one.name, one.type, one.target) for one in place.outbound),
        endpoints=dict(_endpoints(place)),
        ports=(*static, *reservation.data_ports, *control),
        cpus=place.demand.cpus,
        memory_mb=place.demand.memory_mb,
    )


def _endpoints(place: _Place) -> Iterator[tuple[str, str]]:
    """Yield the local endpoint of each inbound channel, and of its alias (occ-executor-mesos.md 4.8)."""
    ports = iter(place.reservation.data_ports)
    for number, channel in enumerate(place.inbound):
        # The task id makes the abstract socket name unique on the host.
        ipc = f"ipc://@o2ipc-{place.task_id}-{number}"
        endpoint = ipc if channel.addressing == "ipc" else f"tcp://*:{next(ports)}"
        yield channel.name, endpoint
        if channel.alias:
            yield f"::{channel.alias}", endpoint
