"""Executors on agents of Mesos: heard, silent, lost; and what Mesos itself says of tasks (occ-executor-mesos.md 4.2, 4.3).

What executors report in their own words counts most; the master's word counts for ends that nobody else can tell, and
for tasks that nobody knows, which are killed. Updates are acknowledged once they were taken in.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.api.messages import (
    Hello,
    Phase,
    Pong,
    Report,
    Shutdown,
    TaskReport,
    TaskReports,
    Welcome,
)
from occ.errors import DeadlineError, LinkError
from server.deploy.backend import ExecutorState, KnownExecutor, Listener
from server.deploy.mesos_host import MesosHost
from server.deploy.mesos_info import END_STATES, LOST_STATES, how_executor_ended, how_task_ended, report_in
from server.deploy.mesos_links import MesosLink, MesosLinks
from server.deploy.mesos_scheduler import Scheduler

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosTimes:
    """In seconds."""

    heartbeat_s: float = 5.0
    silent_s: float = 15.0
    """Without a word for so long an executor counts as silent."""
    attach_s: float = 90.0
    """From a launch on a host without an executor to its Hello; agents themselves give up after 60 s."""
    reattach_s: float = 30.0
    """For the executors of an earlier life of the core, from our registration on."""
    kill_again_s: float = 15.0
    """From a Kill to the executor to a KILL by way of Mesos, for tasks that have not ended."""
    unknown_pause_s: float = 10.0
    """Between two questions about tasks that a master does not know (yet): agents take a while to come back to it."""
    unknown_s: float = 120.0
    """After so long they are lost."""
    drain_s: float = 30.0


class MesosExecutors:
    """The executors of all agents.

    Args:
        hosts: by name; where: task id to host. Shared with MesosBackend.
        launch_again: takes a task that was launched on offers that were not valid any more; False if that is no use.
    """

    def __init__(
        self, scheduler: Scheduler, hosts: dict[str, MesosHost], where: Mapping[str, str], times: MesosTimes, *,
        instance: str, core_epoch: str, forget_executor: Callable[[str], None], launch_again: Callable[[MesosHost, str], bool],
    ) -> None:  # fmt: skip
        self._scheduler = scheduler
        self._hosts = hosts
        self._where = where
        self._times = times
        self._instance = instance
        self._core_epoch = core_epoch
        self._forget_executor = forget_executor
        self._launch_again = launch_again
        self._listener: Listener | None = None
        self._links = MesosLinks(self, self._transmit)
        self._unknown_since: dict[str, float] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._is_closed = False

    # ---- life --------------------------------------------------------------------------------

    def start(self, listener: Listener, known: Sequence[tuple[MesosHost, KnownExecutor]]) -> None:
        """Begin; executors of an earlier life count as silent until they are heard."""
        self._listener = listener
        for host, one in known:
            host.begin(one.executor_id)
            host.agent_id = one.agent_id
            host.executor = json.loads(one.info) if one.info else {}
            host.state = ExecutorState.SILENT
            for held in host.held.values():
                held.executor_id = one.executor_id
        self._beat()

    def close(self) -> None:
        """Leave all executors alone."""
        self._is_closed = True
        for timer in self._timers:
            timer.cancel()
        for host in self._hosts.values():
            host.stop_watching()
        self._links.close()

    async def drain(self) -> None:
        """End all executors and their tasks."""
        alive = [host for host in self._hosts.values() if host.is_alive]
        for host in alive:
            host.is_ending = True
            if host.link is None or not host.link.send(Shutdown(kill_tasks=True)):
                for task_id in host.launched():
                    self._scheduler.post("kill", task_id=task_id)
        try:
            async with asyncio.timeout(self._times.drain_s):
                for host in alive:
                    await host.gone.wait()
        except TimeoutError:
            left = [host.name for host in alive if host.is_alive]
            log.error("executors did not end in time hosts=%s", ",".join(left))

    async def end(self, host: MesosHost, reason: str, *, at_once: bool) -> None:
        """End one executor and its tasks.

        Raises:
            LinkError: it is not heard.
            DeadlineError: it has not ended in time.
        """
        what, gone = f"the executor on host {host.name}", host.gone
        is_heard = host.link is not None and host.state is ExecutorState.ATTACHED
        if not (is_heard and host.link and host.link.send(Shutdown(kill_tasks=not at_once))):
            message = f"{what} is {host.state.value} and cannot be told to end"
            raise LinkError(message, hint="kill its process on the host: its agent tells that it ended")
        host.is_ending = True
        host.end_reason = reason
        try:
            async with asyncio.timeout(self._times.drain_s):
                await gone.wait()
        except TimeoutError:
            if host.gone is gone and host.is_alive:
                host.is_ending, host.end_reason = False, ""
                raise DeadlineError(f"{what} has not ended within {self._times.drain_s:g} s") from None

    def begin(self, host: MesosHost, executor_id: str) -> None:
        """There will be an executor, as soon as the agent starts it."""
        host.begin(executor_id)
        self._wait_for(host, self._times.attach_s, "did not attach")

    def known(self, host: MesosHost) -> KnownExecutor:
        """Return the durable record of an executor."""
        info = json.dumps(host.executor)
        return KnownExecutor(host=host.name, executor_id=host.executor_id, agent_id=host.agent_id, info=info)

    def seen(self, host: MesosHost, executor_ids: Sequence[str]) -> None:
        """An agent has these executors of ours."""
        others = [one for one in executor_ids if one != host.executor_id]
        if others:
            log.debug("executors that are not ours any more host=%s executors=%s", host.name, ",".join(others))
        for executor_id in others:
            self._links.begin_again(host.agent_id, executor_id)

    def _wait_for(self, host: MesosHost, seconds: float, what: str) -> None:
        if host.deadline:
            host.deadline.cancel()
        reason = f"{what} within {seconds:g} s"
        host.deadline = asyncio.get_running_loop().call_later(seconds, self._gone, host, reason)

    def _gone(self, host: MesosHost, how: str) -> None:
        """There is no executor any more: tell, and have Mesos end what may be left of its tasks."""
        executor_id, agent_id = host.executor_id, host.agent_id
        reason = f"executor {executor_id} on host {host.name} {how}"
        is_planned = host.is_ending
        left = host.launched()
        self._links.forget(agent_id, executor_id)
        host.end(ExecutorState.NONE if is_planned else ExecutorState.LOST, reason)
        host.executor = {}
        host.ended.update(left)
        log.log(logging.INFO if is_planned else logging.ERROR, "executor gone host=%s reason=%s", host.name, reason)
        self._forget_executor(executor_id)
        if self._listener:
            self._listener.executor_lost(host.name, executor_id, reason)
        for task_id in left:
            self._scheduler.post("kill", task_id=task_id)
        host.gone.set()

    # ---- the master --------------------------------------------------------------------------

    def subscribed(self, *, is_new: bool) -> None:
        """Ask executors for their Hello and the master for all tasks; after a removal nothing of ours is left."""
        silent = [host for host in self._hosts.values() if host.is_alive]
        if is_new:
            for host in silent:
                self._gone(host, "went with the framework that Mesos has removed")
            return
        for host in silent:
            if host.state is ExecutorState.SILENT and host.link is None:
                self._links.begin_again(host.agent_id, host.executor_id)
                self._wait_for(host, self._times.reattach_s, "did not come back")
            elif host.state is ExecutorState.STARTING:
                self._wait_for(host, self._times.attach_s, "did not attach")
        self._links.hurry()
        # First what the master knows, so that what nobody knows is found; then what we know.
        self._scheduler.post("reconcile", task_ids=[])
        launched = [task_id for host in self._hosts.values() for task_id in host.launched()]
        if launched:
            self._scheduler.post("reconcile", task_ids=launched)

    def unsubscribed(self) -> None:
        """Executors cannot be heard for a while; whoever is waited for gets more time afterwards."""
        for host in self._hosts.values():
            if host.state in (ExecutorState.SILENT, ExecutorState.STARTING) and host.deadline:
                host.deadline.cancel()
                host.deadline = None

    def executor_lost(self, agent_id: str, executor_id: str, status: int) -> None:
        """The agent says that an executor has ended."""
        for host in self._hosts.values():
            if host.executor_id == executor_id and host.is_alive:
                self._gone(host, host.end_reason or how_executor_ended(status))
                return
        log.info("an executor that is not ours (any more) has ended agent=%s executor=%s", agent_id, executor_id)

    def agent_lost(self, agent_id: str, reason: str) -> None:
        """The master has given up an agent: what ran there is lost."""
        for host in self._hosts.values():
            if host.agent_id == agent_id:
                host.is_in_inventory = False
                host.drop_offers(list(host.offers))
                if host.is_alive:
                    self._gone(host, f"is lost: {reason}")

    # ---- states of tasks, by Mesos -------------------------------------------------------------

    def status(self, status: Mapping[str, Any]) -> None:
        """Take in what Mesos says of a task, then acknowledge it."""
        self._take_in(status)
        if status.get("uuid"):
            self._scheduler.post("acknowledge", status=status)

    def _take_in(self, status: Mapping[str, Any]) -> None:
        task_id, state = status["task_id"]["value"], status["state"]
        host = self._hosts.get(self._where.get(task_id, ""))
        held = host.held.get(task_id) if host else None
        if host is None or held is None or task_id in host.ended:
            # An executor's own word of an end often overtakes what it told Mesos before.
            is_late = held is not None and status.get("source") == "SOURCE_EXECUTOR"
            if state not in END_STATES and state != "TASK_UNKNOWN" and not is_late:
                log.warning("a task that nobody knows is killed task=%s state=%s", task_id, state)
                self._scheduler.post("kill", task_id=task_id)
            elif held is not None and status.get("source") == "SOURCE_AGENT":
                # It went with its executor: agents say only now whether there was too little memory, or no such program.
                log.warning("agent says of a task that was lost task=%s reason=%s", task_id, how_task_ended(status))
            return
        if state == "TASK_UNKNOWN":
            self._unknown(host, task_id, status)
            return
        self._unknown_since.pop(task_id, None)
        if state not in END_STATES:
            return  # the executor tells more; and this may overtake its Hello
        if not held.is_launched and status.get("reason") == "REASON_RECONCILIATION":
            return
        if status.get("reason") == "REASON_INVALID_OFFERS" and self._launch_again(host, task_id):
            return
        self._end(host, report_in(status) or self._ended(task_id, status))
        if status.get("source") == "SOURCE_MASTER" and host.state is ExecutorState.STARTING and not host.launched():
            # The master has refused all that was to run there: no agent starts this executor.
            self._forget_executor(host.executor_id)
            host.end(ExecutorState.NONE, f"the executor on host {host.name} was not started: {how_task_ended(status)}")

    def _ended(self, task_id: str, status: Mapping[str, Any]) -> TaskReport:
        state = status["state"]
        return TaskReport(
            task_id=task_id,
            environment_id="",
            phase=Phase.ENDED,
            final_status="TASK_LOST" if state in LOST_STATES else state,
            error=how_task_ended(status),
            timestamp_ms=int(float(status.get("timestamp", 0.0)) * 1000),
        )

    def refuse(self, host: MesosHost, task_ids: Iterable[str], reason: str) -> None:
        """Tasks that were taken cannot be launched after all."""
        for task_id in task_ids:
            if task_id in host.held:
                self._end(host, self._ended(task_id, {"state": "TASK_LOST", "message": reason}))

    def _end(self, host: MesosHost, report: TaskReport) -> None:
        host.heard_of([report.task_id])
        host.ended.add(report.task_id)
        if self._listener:
            self._listener.reported(host.name, TaskReports(tasks=(report,)))

    def _unknown(self, host: MesosHost, task_id: str, status: Mapping[str, Any]) -> None:
        """Ask again about a task whose agent may not have come back to a new master yet, but not for ever."""
        now_s = time.monotonic()
        since_s = self._unknown_since.setdefault(task_id, now_s)
        if now_s - since_s >= self._times.unknown_s:
            del self._unknown_since[task_id]
            self._end(host, self._ended(task_id, {**status, "state": "TASK_LOST"}))
        else:
            self._later(self._times.unknown_pause_s, self._ask_again, task_id)

    def _ask_again(self, task_id: str) -> None:
        if task_id in self._where:
            self._scheduler.post("reconcile", task_ids=[task_id])
        else:
            self._unknown_since.pop(task_id, None)

    def kill(self, host: MesosHost, task_ids: Iterable[str], *, at_once: bool) -> None:
        """Have Mesos kill tasks: at once where the executor cannot be told, later where it was told and they stay."""
        if at_once:
            self._kill_left(host, tuple(task_ids))
        else:
            self._later(self._times.kill_again_s, self._kill_left, host, tuple(task_ids))

    def _kill_left(self, host: MesosHost, task_ids: Sequence[str]) -> None:
        left = tuple(set(host.launched()).intersection(task_ids))
        for task_id in left:
            log.warning("task is killed by way of Mesos task=%s host=%s", task_id, host.name)
            self._scheduler.post("kill", task_id=task_id)
        if left:  # such calls are lost too
            self._later(self._times.kill_again_s, self._kill_left, host, left)

    # ---- executors, in their own words ---------------------------------------------------------

    def message(self, agent_id: str, executor_id: str, text: str) -> None:
        self._links.receive(agent_id, executor_id, text)

    def said_hello(self, link: MesosLink, hello: Hello) -> None:
        host = self._hosts.get(hello.host)
        is_ours = hello.instance == self._instance and host is not None and host.executor_id == link.executor_id
        if host is None or not is_ours or not host.is_alive:
            log.warning("unknown executor told to end host=%s executor=%s", hello.host, link.executor_id)
            link.send(Shutdown(kill_tasks=True))
            return
        # No lease on a cluster: tasks outlive the core for as long as Mesos keeps its framework.
        link.send(Welcome(core_epoch=self._core_epoch, lease_s=0.0))
        host.heard_of(report.task_id for report in hello.tasks)
        host.note_ends(hello.tasks)
        host.attach(link, hello, asyncio.get_running_loop().time())
        if self._listener:
            self._listener.executor_attached(host.name, hello, host.launching())

    def said(self, link: MesosLink, report: Report) -> None:
        host = self._hosts.get(link.host)
        if host is None or host.link is not link:
            return
        host.heard_s = asyncio.get_running_loop().time()
        if host.state is ExecutorState.SILENT:
            host.hear_again()
            if self._listener:
                self._listener.executor_back(host.name, host.executor_id)
        if isinstance(report, TaskReports):
            host.heard_of(task.task_id for task in report.tasks)
            host.note_ends(report.tasks)
        if self._listener and not isinstance(report, Pong | Hello):
            self._listener.reported(host.name, report)

    def went_down(self, link: MesosLink) -> None:
        host = self._hosts.get(link.host)
        if host is None or host.link is not link:
            return
        host.link = None
        if not self._is_closed and not host.is_ending and host.state is ExecutorState.ATTACHED:
            self._silent(host)

    def _silent(self, host: MesosHost) -> None:
        host.state = ExecutorState.SILENT
        log.warning("executor is silent host=%s executor=%s", host.name, host.executor_id)
        if self._listener:
            self._listener.executor_silent(host.name, host.executor_id)

    def _transmit(self, agent_id: str, executor_id: str, text: str) -> None:
        self._scheduler.post("message", agent_id=agent_id, executor_id=executor_id, data=text)

    def _beat(self) -> None:
        """Ping all executors, and find those that do not answer."""
        now_s = asyncio.get_running_loop().time()
        for host in self._hosts.values():
            if host.link is not None:
                if host.state is ExecutorState.ATTACHED and now_s - host.heard_s > self._times.silent_s:
                    self._silent(host)
                self._links.ping(host.agent_id, host.executor_id)
        self._later(self._times.heartbeat_s, self._beat)

    def _later(self, seconds: float, what: Callable[..., object], *arguments: object) -> None:
        def run() -> None:
            self._timers.discard(timer)
            what(*arguments)

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(timer)
