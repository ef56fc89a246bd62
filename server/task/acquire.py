"""From what an environment wants to tasks that are being launched: match, ports, commands, roster, journal, launch.

Which host: server/deploy/match.py; the command of a task: command.py. That tasks came up is told by the roster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from executor.api.messages import ControlMode, TaskSpec
from occ.errors import AliecsError, DeadlineError
from server.deploy.backend import Backend, Demand, Offer, Reservation
from server.deploy.match import Want, match
from server.task.command import command_texts, finish_command, resolve_command
from server.task.properties import effective_inbound, effective_outbound, merge_constraints
from server.task.roster import Roster
from server.task.task import ChannelInfo, Task
from server.template.functions import UTILITIES
from server.template.model import Constraint, Inbound, Outbound, TaskClass, Traits
from server.template.vocabulary import asks_services

log = logging.getLogger(__name__)

_UNCONTROLLED = ("basic", "hook")
"""Class modes without an OCC server."""
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
class Acquired:
    """Every descriptor stands in exactly one of the two, by its key."""

    assigned: dict[int, str] = field(default_factory=dict)
    """To the task id."""
    undeployable: dict[int, str] = field(default_factory=dict)
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


class Acquirer:
    """Places and launches tasks. Several environments may acquire at the same time.

    Args:
        record: makes new tasks durable; nothing is launched before it returns.
        objects: all that expressions in commands may call.
    """

    def __init__(
        self,
        backend: Backend,
        roster: Roster,
        *,
        record: Callable[[Sequence[Task]], Awaitable[None]],
        objects: Mapping[str, object] = UTILITIES,
    ) -> None:
        self._backend = backend
        self._roster = roster
        self._record = record
        self._objects = objects

    async def acquire(
        self, environment_id: str, descriptors: Sequence[TaskDescriptor], *, timeout_s: float, ids: Callable[[], str]
    ) -> Acquired:
        """Place the descriptors and hand their tasks over for launch; each stands alone, what fails is undeployable.

        Args:
            timeout_s: for all of it; executors that are not there in time make their tasks undeployable.
            ids: makes task and command ids.

        Raises:
            AliecsError: the inventory cannot be read, or the journal not written.
        """
        acquired = Acquired()
        if not descriptors:
            return acquired
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                offers = await self._backend.offers()
                # No await from here to the last reservation: nobody else takes what the offers promise.
                places = self._place(descriptors, offers, acquired, ids)
                tasks = await self._make_tasks(places, acquired)
                self._roster.add(tasks)
                try:
                    await self._record(tasks)
                except BaseException:
                    self._drop(tasks)
                    raise
        except TimeoutError:
            raise DeadlineError(f"env {environment_id}: tasks were not placed within {timeout_s:g} s") from None
        keys = {place.task_id: place.descriptor.key for place in places}
        left_s = max(0.0, (deadline.when() or 0.0) - asyncio.get_running_loop().time())
        await self._launch(tasks, keys, acquired, left_s, ids)
        return acquired

    # ---- place -------------------------------------------------------------------------------

    def _place(
        self,
        descriptors: Sequence[TaskDescriptor],
        offers: Sequence[Offer],
        acquired: Acquired,
        ids: Callable[[], str],
    ) -> list[_Place]:
        by_key = {descriptor.key: descriptor for descriptor in descriptors}
        inbound = {one.key: effective_inbound(one.inbound, one.task_class.bind) for one in descriptors}
        matched = match([_want(one, inbound[one.key]) for one in descriptors], offers)
        acquired.undeployable.update(matched.unplaced)
        places: list[_Place] = []
        for key, descriptor in by_key.items():
            offer = matched.placed.get(key)
            if offer is None:
                continue
            wants = descriptor.task_class.wants
            demand = Demand(
                cpus=wants.cpu,
                memory_mb=wants.memory,
                static_ports=[port for low, high in wants.ports for port in range(low, high + 1)],
                channels=sum(channel.addressing != "ipc" for channel in inbound[key]),
                control=descriptor.task_class.mode not in _UNCONTROLLED,
            )
            task_id = ids()
            try:
                reservation = self._backend.reserve(offer.host, task_id, demand)
            except AliecsError as error:
                acquired.undeployable[key] = f"host {offer.host}: {error}"
                continue
            outbound = effective_outbound(descriptor.outbound, descriptor.task_class.connect)
            places.append(_Place(descriptor, offer, task_id, reservation, tuple(inbound[key]), tuple(outbound), demand))
        return places

    # ---- make --------------------------------------------------------------------------------

    async def _make_tasks(self, places: Sequence[_Place], acquired: Acquired) -> list[Task]:
        """Make the tasks; commands that ask services are made in a thread, within the deadline of the caller."""
        classes = {place.descriptor.task_class.identifier: place.descriptor.task_class for place in places}
        asking = {identifier for identifier, one in classes.items() if asks_services(command_texts(one))}
        tasks: list[Task] = []
        try:
            for start in range(0, len(places), _CHUNK):
                chunk = places[start : start + _CHUNK]
                slow = [place for place in chunk if place.descriptor.task_class.identifier in asking]
                made = await asyncio.to_thread(self._try_all, slow) if slow else {}
                made |= self._try_all([place for place in chunk if place.task_id not in made])
                for place in chunk:
                    outcome = made[place.task_id]
                    if isinstance(outcome, Task):
                        tasks.append(outcome)
                    else:
                        acquired.undeployable[place.descriptor.key] = f"host {place.offer.host}: {outcome}"
                        self._backend.release([place.task_id])
                await asyncio.sleep(0)
        except BaseException:
            self._backend.release([place.task_id for place in places])
            raise
        return tasks

    def _try_all(self, places: Sequence[_Place]) -> dict[str, Task | AliecsError]:
        """Make tasks by their ids; what cannot be made is its error."""
        made: dict[str, Task | AliecsError] = {}
        for place in places:
            try:
                made[place.task_id] = _make_task(place, self._objects)
            except AliecsError as error:
                made[place.task_id] = error
        return made

    # ---- launch ------------------------------------------------------------------------------

    async def _launch(
        self,
        tasks: Sequence[Task],
        keys: Mapping[str, int],
        acquired: Acquired,
        timeout_s: float,
        ids: Callable[[], str],
    ) -> None:
        by_host: dict[str, list[Task]] = {}
        for task in tasks:
            by_host.setdefault(task.host, []).append(task)
        refusals = await asyncio.gather(
            *(self._launch_on(host, group, timeout_s, ids()) for host, group in by_host.items())
        )
        for (host, group), refusal in zip(by_host.items(), refusals, strict=True):
            if refusal:
                log.error("tasks could not be launched host=%s count=%d reason=%s", host, len(group), refusal)
                self._drop(group)
                acquired.undeployable.update({keys[task.task_id]: refusal for task in group})
            else:
                acquired.assigned.update({keys[task.task_id]: task.task_id for task in group})

    async def _launch_on(self, host: str, tasks: Sequence[Task], timeout_s: float, command_id: str) -> str:
        """Launch on one host; returns why it is not possible, "" if it was done."""
        try:
            specs = [task.command for task in tasks]
            await self._backend.launch(host, tasks[0].offer_id, specs, command_id, timeout_s=timeout_s)
        except AliecsError as error:
            return str(error)
        return ""

    def _drop(self, tasks: Sequence[Task]) -> None:
        task_ids = [task.task_id for task in tasks]
        self._roster.remove(task_ids)
        self._backend.release(task_ids)


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


def _make_task(place: _Place, objects: Mapping[str, object]) -> Task:
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
