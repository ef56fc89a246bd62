"""The door to whatever runs executors: offers, launch, messages, ends. Implemented by local.py and mesos.py.

Nothing here knows workflows, roles or environments; tasks are ids with resources.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from executor.api.messages import Command, Hello, Report, TaskSpec
from server.deploy.ranges import Ranges


class ExecutorState(StrEnum):
    """What the core knows of the executor of a host."""

    NONE = "NONE"
    """None was needed yet, or the last one was ended on purpose."""
    STARTING = "STARTING"
    """Its process runs and has not said Hello."""
    ATTACHED = "ATTACHED"
    SILENT = "SILENT"
    """Its process lives but is not heard; its tasks go on."""
    LOST = "LOST"
    """Its process ended by itself; so did its tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInfo:
    """A host of the inventory, and its executor."""

    name: str
    address: str
    detector: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    memory_mb: float = 0.0
    state: ExecutorState = ExecutorState.NONE
    executor_id: str = ""
    agent_id: str = ""
    pid: int = 0
    """Of the executor; 0 if there is none."""
    version: str = ""
    started_ms: int = 0
    """Of the executor; 0 if it did not tell."""
    free_cpus: float | None = None
    """Not taken by tasks of ours; None if that is not known now, as of ``free_memory_mb``."""
    free_memory_mb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one host has free, for one deployment."""

    offer_id: str
    host: str
    address: str
    agent_id: str
    executor_id: str = ""
    """"" if the host has no executor yet."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    memory_mb: float = 0.0
    ports: Ranges = ()
    share_cpus: float = 0.0
    """Of the executor, which every task takes beside what it wants."""
    share_memory_mb: float = 0.0


class KnownExecutor(msgspec.Struct, frozen=True, kw_only=True):
    """The durable record of an executor: enough to recognise it after a restart of the core."""

    host: str
    executor_id: str
    agent_id: str
    pid: int = 0
    """0: it was about to be started when this was written."""
    started_ticks: int = 0
    """Start time of the process in clock ticks since boot, so that a pid that was given again is not mistaken."""
    info: str = ""
    """On Mesos its ExecutorInfo as JSON: it must be told again without a change for as long as the executor lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a task takes from its host; also what a task that was found running holds there."""

    cpus: float = 0.0
    memory_mb: float = 0.0
    static_ports: Sequence[int] = ()
    channels: int = 0
    """So many data ports are wanted."""
    control: bool = False
    """A control port is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What a task was given; taken until ``release``."""

    agent_id: str
    executor_id: str
    data_ports: tuple[int, ...] = ()
    control_port: int = 0


class Listener(Protocol):
    """Who is told. Called on the loop; must not block and must not raise."""

    def executor_attached(self, host: str, hello: Hello, launching: Collection[str]) -> None:
        """An executor said Hello, for the first time or again.

        Args:
            launching: tasks that are about to be launched there, so that the Hello need not name them.
        """

    def executor_lost(self, host: str, executor_id: str, reason: str) -> None:
        """Its process is gone for good: so are its tasks."""

    def executor_silent(self, host: str, executor_id: str) -> None:
        """It is not heard, but its process lives: tasks keep running."""

    def executor_back(self, host: str, executor_id: str) -> None:
        """It is heard again on the same link; after a new link comes executor_attached instead."""

    def reported(self, host: str, report: Report) -> None:
        """Anything but Hello and Pong."""


class Room(Protocol):
    """What placing tasks needs of a backend."""

    async def offers(self) -> Sequence[Offer]:
        """Return what is free now."""

    def reserve(self, host: str, task_id: str, demand: Demand) -> Reservation:
        """Take resources and ports for a task, and fix the executor that will run it.

        Raises:
            RefusedError: something is not free any more.
        """

    def release(self, task_ids: Iterable[str]) -> None:
        """Give back what these tasks had."""


class Backend(Room, Protocol):
    """Places executors and talks to them."""

    @property
    def framework_id(self) -> str:
        """What clients see as the id of the scheduler; "" while there is none."""

    @property
    def state(self) -> str:
        """What clients see as its state: INITIAL until it can place tasks for the first time, then CONNECTED."""

    async def start(self, listener: Listener, known: Sequence[KnownExecutor] = ()) -> None:
        """Begin; executors known from an earlier life are waited for in the background."""

    async def close(self) -> None:
        """Detach: executors and tasks go on."""

    async def drain(self) -> None:
        """End all executors, after their tasks. ``close`` comes afterwards."""

    def hosts(self) -> Sequence[HostInfo]:
        """Return the inventory and its executors, by name of the host."""

    def occupy(self, host: str, task_id: str, demand: Demand, ports: Iterable[int]) -> None:
        """Account for a task that was restored: it holds these ports already."""

    async def launch(
        self, host: str, offer_id: str, tasks: Sequence[TaskSpec], command_id: str, *, timeout_s: float
    ) -> None:
        """Hand tasks to the executor of the host; one is started if there is none.

        Raises:
            LinkError: they cannot be handed over. Nothing was started then.
        """

    async def restart(self, host: str, reason: str, *, at_once: bool) -> None:
        """End the executor of the host with its tasks, then start a new one if that needs no task (not on Mesos).

        Returns when the new one has said Hello. One that is not heard is killed, where that can be done from here.

        Args:
            reason: of its end, for the tasks that it had: "was restarted by ...".
            at_once: its tasks are killed, not ended in order.

        Raises:
            LinkError: it cannot be told to end, or there is no new one in time.
            DeadlineError: it has not ended in time.
        """

    def send(self, host: str, command: Command) -> bool:
        """Send to the executor of the host; False if there is no link now, and nothing is kept."""

    def stdout_url(self, task_id: str) -> str:
        """Return where the standard output of the task can be read."""
