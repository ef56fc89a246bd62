"""What a backend knows of one host: its inventory entry, its executor, what its tasks hold. Decides, does no I/O.

What is more to a host that is an agent of Mesos: mesos_host.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from executor.api.messages import Command, Hello, Launch, Phase, TaskReport
from server.deploy.backend import ExecutorState, HostInfo, Offer
from server.deploy.processes import ProcessWatch
from server.deploy.ranges import Ranges


class HostEntry(Protocol):
    """A host of the inventory. ``attributes`` holds ``machine_id``, equal to the name."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def detector(self) -> str: ...

    @property
    def attributes(self) -> Mapping[str, str]: ...

    @property
    def cpus(self) -> float: ...

    @property
    def memory_mb(self) -> float: ...


class CommandLink(Protocol):
    """The core's end of a link to an executor."""

    def send(self, command: Command) -> bool:
        """Queue a command; False if the link is of no use any more."""

    def drop(self) -> None:
        """End the link from our side."""


@dataclass(slots=True)
class Held:
    """What one task has of its host, and the executor that runs it."""

    cpus: float
    memory_mb: float
    ports: tuple[int, ...]
    executor_id: str
    is_launched: bool = False
    """Its Launch was sent, in this life of the core or an earlier one."""


class Host:
    """One host. Changed by its backend only.

    Attributes:
        state: of the executor; ``link`` and ``watch`` are None where there is none.
        launches: tasks whose Launch was sent and of which no report came yet.
        ended: tasks that hold something here and of which it was said that they ended: ports only.
        is_spawning: the process is being made and has no pid yet.
        is_ending: its end is wanted.
        end_reason: why we end it; "" if it ends by itself.
        gone: set while there is no process and nothing is left of the last one.
    """

    def __init__(self, name: str, *, agent_id: str) -> None:
        self.name = name
        self.agent_id = agent_id
        self.entry: HostEntry | None = None
        self.is_in_inventory = False
        self.state = ExecutorState.NONE
        self.executor_id = ""
        self.version = ""
        self.started_ms = 0
        self.link: CommandLink | None = None
        self.watch: ProcessWatch | None = None
        self.heard_s = 0.0
        self.deadline: asyncio.TimerHandle | None = None
        self.held: dict[str, Held] = {}
        self.ended: set[str] = set()
        self.launches: dict[str, Launch] = {}
        self.is_spawning = False
        self.is_ending = False
        self.end_reason = ""
        self.gone = asyncio.Event()
        self._next_executor_id = ""
        self._attached: asyncio.Future[str] | None = None

    # ---- what others see ---------------------------------------------------------------------

    def info(self) -> HostInfo:
        entry = self.entry
        return HostInfo(
            name=self.name,
            address=entry.address if entry else "",
            detector=entry.detector if entry else "",
            attributes=entry.attributes if entry else {},
            cpus=entry.cpus if entry else 0.0,
            memory_mb=entry.memory_mb if entry else 0.0,
            state=self.state,
            executor_id=self.executor_id,
            agent_id=self.agent_id,
            pid=self.watch.pid if self.watch else 0,
            version=self.version,
            started_ms=self.started_ms,
            free_cpus=entry.cpus - sum(one.cpus for one in self._living()) if entry else None,
            free_memory_mb=entry.memory_mb - sum(one.memory_mb for one in self._living()) if entry else None,
        )

    def offer(self, offer_id: str, free_ports: Ranges) -> Offer:
        """Return what the host has left; it must be in the inventory."""
        assert self.entry is not None
        held = self._living()
        return Offer(
            offer_id=offer_id,
            host=self.name,
            address=self.entry.address,
            agent_id=self.agent_id,
            executor_id=self.executor_id if self.is_alive else "",
            attributes=self.entry.attributes,
            cpus=self.entry.cpus - sum(one.cpus for one in held),
            memory_mb=self.entry.memory_mb - sum(one.memory_mb for one in held),
            ports=free_ports,
        )

    # ---- what its tasks hold -----------------------------------------------------------------

    def held_by(self, task_id: str) -> str:
        """Return the executor that the task was given to, "" if the task holds nothing."""
        held = self.held.get(task_id)
        return held.executor_id if held else ""

    def _living(self) -> list[Held]:
        return [held for task_id, held in self.held.items() if task_id not in self.ended]

    def note_ends(self, tasks: Iterable[TaskReport]) -> None:
        """Take in which tasks have ended, of reports of any."""
        self.ended.update(task.task_id for task in tasks if task.phase is Phase.ENDED and task.task_id in self.held)

    def release(self, task_id: str) -> Held:
        """Forget a task; it must hold something."""
        self.ended.discard(task_id)
        self.launches.pop(task_id, None)
        return self.held.pop(task_id)

    def launch(self, command: Launch) -> None:
        """Note that a Launch is sent."""
        for spec in command.tasks:
            self.held[spec.task_id].is_launched = True
            self.launches[spec.task_id] = command

    def heard_of(self, task_ids: Iterable[str]) -> None:
        """The executor knows these tasks: their Launch has arrived."""
        for task_id in task_ids:
            self.launches.pop(task_id, None)

    def launching(self) -> set[str]:
        """Return the tasks that the executor need not know yet."""
        return self.launches.keys() | {task_id for task_id, held in self.held.items() if not held.is_launched}

    # ---- life of its executor ------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """True from the wish to start an executor until its end."""
        return self.state not in (ExecutorState.NONE, ExecutorState.LOST)

    def next_executor_id(self, new_id: Callable[[], str]) -> str:
        """Return the id of the executor that a task placed now will run under, made if there is none yet."""
        if self.is_alive:
            return self.executor_id
        self._next_executor_id = self._next_executor_id or new_id()
        return self._next_executor_id

    def begin(self, executor_id: str) -> None:
        """There will be a process now."""
        self.state = ExecutorState.STARTING
        self.executor_id, self._next_executor_id = executor_id, ""
        self.version = self.end_reason = ""
        self.started_ms = 0
        self.is_ending = False
        self.gone = asyncio.Event()

    def attach(self, link: CommandLink, hello: Hello, now_s: float) -> None:
        """The executor said Hello; an older link of it is dropped."""
        before, self.link = self.link, link
        if before is not None:
            before.drop()
        self.state = ExecutorState.ATTACHED
        self.version, self.started_ms = hello.version, hello.started_ms
        self.heard_s = now_s
        self._cancel_deadline()
        self._resolve("")

    def hear_again(self) -> None:
        """The executor was silent on a link that is still open."""
        self.state = ExecutorState.ATTACHED
        self._resolve("")

    async def attached(self) -> str:
        """Wait until the executor is attached; returns why it never will be, "" if it is. Has no deadline of its own."""
        if self.state is ExecutorState.ATTACHED:
            return ""
        if self._attached is None:
            self._attached = asyncio.get_running_loop().create_future()
        # Several launches may wait for one executor: one that gives up must not take the future from the others.
        return await asyncio.shield(self._attached)

    def end(self, state: ExecutorState, reason: str) -> None:
        """There is no process any more."""
        self.state = state
        self.stop_watching()
        self.launches.clear()
        link, self.link = self.link, None
        if link is not None:
            link.drop()
        self._resolve(reason)

    def kill(self) -> None:
        """Kill its process; the end is told by the watch."""
        if self.watch:
            self.watch.kill()

    def stop_watching(self) -> None:
        """Leave the process alone."""
        self._cancel_deadline()
        if self.watch:
            self.watch.close()
            self.watch = None

    def _cancel_deadline(self) -> None:
        if self.deadline:
            self.deadline.cancel()
            self.deadline = None

    def _resolve(self, refusal: str) -> None:
        waiter, self._attached = self._attached, None
        if waiter and not waiter.done():
            waiter.set_result(refusal)
