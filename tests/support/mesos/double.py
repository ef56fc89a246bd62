"""A Mesos master and its agents in the test's own loop, with real executor processes; they fail as they are asked to.

``async with MesosDouble([VirtualAgent("host1", {"machine_id": "host1"})], folder) as mesos`` serves ``mesos.address``.
It behaves as golden/mesos shows (occ-executor-mesos.md 5 to 7); what differs is told in ``README.md``.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mesos.agent import Agent
from mesos.clock import Clock, LoopClock, Timer
from mesos.container import kill_leftovers
from mesos.courier import Courier
from mesos.door import Door
from mesos.executor_door import ExecutorDoor
from mesos.executor_run import VirtualAgent
from mesos.master import Master
from mesos.resources import Resources
from mesos.scheduler_door import Mood, SchedulerDoor
from mesos.streams import EventStream
from mesos.terms import Timing


class MesosDouble:
    """A cluster on loopback. Nothing of it is left when the block is over.

    Args:
        agents: one port each.
        work_dir: of the agents; sandboxes are below it.
        pace: Mesos seconds in one second, for all its delays, those that frameworks ask for included.
        timing: of master and agents.
        credentials: principal and secret that schedulers must give.
        clock: another than that of the loop.
    """

    def __init__(
        self,
        agents: Sequence[VirtualAgent],
        work_dir: Path,
        *,
        pace: float = 1.0,
        timing: Timing | None = None,
        credentials: tuple[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock: Clock = clock or LoopClock(pace)
        self.timing = timing or Timing()
        self.work_dir = work_dir
        self.courier = Courier(self.clock)
        """Loses, doubles, delays and reorders what passes, on request."""
        self.agents: dict[str, Agent] = {}
        self._executor_doors: dict[str, ExecutorDoor] = {}
        self._master: Master | None = None
        self._scheduler_door = SchedulerDoor(self._leading, credentials)
        self._standbys: list[SchedulerDoor] = []
        self._timers: list[Timer] = []
        for wanted in agents:
            agent = Agent(wanted, work_dir, self.clock, self.timing, self.courier)
            agent.master = lambda agent=agent: self._master_of(agent)  # type: ignore[misc]
            self.agents[wanted.hostname] = agent
            self._executor_doors[wanted.hostname] = ExecutorDoor(agent)

    async def __aenter__(self) -> MesosDouble:
        await self._scheduler_door.door.open()
        for door in self._executor_doors.values():
            await door.door.open()
        self._master = self._new_master()
        for agent in self.agents.values():
            self._master.membership.register(agent)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers:
            timer.cancel()
        self.courier.stop()
        self.master.stop()
        await asyncio.gather(
            *(door.door.close() for door in (self._scheduler_door, *self._standbys)),
            *(agent.end() for agent in self.agents.values()),
        )
        kill_leftovers(self.work_dir)

    @property
    def address(self) -> str:
        """Return host:port of the master; it stays through restarts."""
        return self._scheduler_door.door.address

    @property
    def master(self) -> Master:
        """Return the master that lives, or the one that lived last."""
        assert self._master is not None
        return self._master

    # ---- the master ----------------------------------------------------------------------------

    async def stop_master(self) -> None:
        """Kill the master: its port is shut, its connections break, what it knew is forgotten."""
        self.master.stop()
        await self._scheduler_door.door.close()

    async def start_master(self, *, agents_return: bool = True) -> None:
        """Start a new master on the same port; the agents return after their time, or when ``return_agents`` is called."""
        self._master = self._new_master()
        await self._scheduler_door.door.open()
        self._master.port = self._scheduler_door.door.port
        if agents_return:
            self._timers.append(self.clock.later(self.timing.reregistration_s, self.return_agents))

    async def move_master(self, *, agents_return: bool = True) -> None:
        """Kill the master and let another lead, on another port, as where several stand for election."""
        await self.stop_master()
        self._scheduler_door.door.port = 0
        await self.start_master(agents_return=agents_return)
        for standby in self._standbys:
            standby.leader_address = self.address

    async def restart_master(self, *, agents_return: bool = True) -> None:
        """Stop the master and start another."""
        await self.stop_master()
        await self.start_master(agents_return=agents_return)

    def return_agents(self) -> None:
        """Let the agents that are up register with the master now."""
        for agent in self.agents.values():
            if agent.is_up:
                self.master.membership.register(agent)

    def set_mood(self, mood: Mood, leader_address: str = "") -> None:
        """Make the master answer as one that leads, recovers, stands by or knows no leader."""
        self._scheduler_door.mood = mood
        self._scheduler_door.leader_address = leader_address

    async def start_standby(self) -> str:
        """Open the port of another master, which sends everybody to this one; return its address."""
        standby = SchedulerDoor(self._leading)
        standby.mood = Mood.STANDBY
        standby.leader_address = self.address
        await standby.door.open()
        self._standbys.append(standby)
        return standby.door.address

    # ---- frameworks and executors --------------------------------------------------------------

    def remove_framework(self, framework_id: str) -> None:
        """Tear a framework down, as an operator may; it cannot come back."""
        self.master.remove_framework(self.master.ledger.frameworks[framework_id])

    def send_error(self, framework_id: str, message: str) -> None:
        """Tell a scheduler that it is at fault, and end its stream."""
        stream = self.scheduler_stream(framework_id)
        stream.send({"type": "ERROR", "error": {"message": message}})
        stream.close()

    def kill_executor(self, hostname: str, executor_id: str) -> None:
        """Kill the process of an executor, and nothing else."""
        runs = self.agents[hostname].runs.values()
        next(run for run in runs if run.id == executor_id).container.signal(signal.SIGKILL)

    # ---- offers --------------------------------------------------------------------------------

    def overcommit(self, hostname: str, resources: str) -> None:
        """Let the next offer of an agent promise ``resources`` more than there are."""
        self.master.ledger.agents[self.agents[hostname].id].overcommitment = Resources.parse(resources)

    def rescind_offers(self, hostname: str) -> int:
        """Take back what is offered of an agent; return how many offers."""
        return self.master.rescind(self.agents[hostname].id)

    # ---- agents --------------------------------------------------------------------------------

    async def lose_agent(self, hostname: str) -> None:
        """Kill an agent, not what runs there; it is removed after its time unless it is restarted."""
        agent = self.agents[hostname]
        await agent.lose()
        self.master.membership.disconnected(agent)

    def remove_agent(self, hostname: str) -> None:
        """Give up an agent that was lost, without waiting for its time."""
        self.master.membership.remove(self.master.ledger.agents[self.agents[hostname].id])

    async def restart_agent(self, hostname: str, *, refusal: tuple[int, str] | None = None) -> None:
        """Start an agent that was lost; it registers when its recovery is over.

        Args:
            refusal: status and text with which executors are sent away until ``accept_executors``.
        """
        self._executor_doors[hostname].refusal = refusal
        agent = self.agents[hostname]
        await agent.restart()
        self._timers.append(self.clock.later(self.timing.recovery_s, lambda: self.end_recovery(hostname)))

    def end_recovery(self, hostname: str) -> None:
        """Let a restarted agent register, at the end of its time or before."""
        agent = self.agents[hostname]
        if agent.is_up:
            self.master.membership.register(agent)
            agent.finish_recovery()

    def accept_executors(self, hostname: str) -> None:
        """End the refusal of a restarted agent."""
        self._executor_doors[hostname].refusal = None

    # ---- connections ---------------------------------------------------------------------------

    def scheduler_stream(self, framework_id: str) -> EventStream:
        """Return the event stream of a framework that is subscribed, to ``cut`` or ``silence`` it."""
        stream = self.master.ledger.frameworks[framework_id].stream
        assert stream is not None
        return stream

    def executor_stream(self, hostname: str, executor_id: str) -> EventStream:
        """Return the event stream of an executor that is subscribed, to ``cut`` or ``silence`` it."""
        runs = self.agents[hostname].runs.values()
        stream = next(run.stream for run in runs if run.id == executor_id)
        assert stream is not None
        return stream

    def cut_connections(self, hostname: str | None = None) -> int:
        """Break all connections to an agent, or to the master."""
        return self._door(hostname).cut_connections()

    def close_idle_connections(self, hostname: str | None = None) -> int:
        """Close connections to an agent, or to the master, that are kept alive without a request."""
        return self._door(hostname).close_idle_connections()

    def hang(self, hostname: str | None = None) -> None:
        """Let an agent, or the master, take calls and answer none until ``go_on``."""
        self._door(hostname).hang()

    def go_on(self, hostname: str | None = None) -> None:
        """End a ``hang``: what waits is answered."""
        self._door(hostname).go_on()

    def _door(self, hostname: str | None) -> Door:
        return (self._scheduler_door if hostname is None else self._executor_doors[hostname]).door

    def _new_master(self) -> Master:
        return Master(self.clock, self.timing, self.courier, self._scheduler_door.door.port)

    def _leading(self) -> Master:
        return self.master

    def _master_of(self, agent: Agent) -> Master | None:
        """Return the master that an agent is registered with, while both live."""
        record = self.master.ledger.agents.get(agent.id)
        is_known = record is not None and record.is_active and self._scheduler_door.door.is_open
        return self.master if is_known and agent.is_up else None
