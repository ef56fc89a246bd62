"""The executor processes of this machine: start, adopt, watch, heartbeat, end. What tasks need and get: local.py.

Executors outlive the core and dial it again. The link to them: link.py; what is known of one host: host.py;
processes: processes.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor.api.messages import Hello, Ping, Pong, Report, Shutdown, TaskReports, Welcome
from executor.api.options import ExecutorOptions
from occ.errors import DeadlineError, LinkError
from server.deploy.backend import ExecutorState, KnownExecutor, Listener
from server.deploy.host import CommandLink, Host, HostEntry
from server.deploy.link import ExecutorLink, LinkServer, socket_path
from server.deploy.processes import (
    EXECUTOR_ID,
    INSTANCE,
    ProcessWatch,
    kill_strays,
    last_line,
    spawn,
    started_ticks,
)

log = logging.getLogger(__name__)

OUR_EXECUTOR = (sys.executable, "-P", "-m", "executor")
"""The program of the executor that belongs to this core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """Times in seconds."""

    lease_s: float = 60.0
    """Executors end their tasks when no core was heard for so long; 0: never."""
    heartbeat_s: float = 5.0
    """Between two Pings, which keep the lease."""
    silent_s: float = 15.0
    """Without a word for so long an executor with an open link counts as silent."""
    attach_s: float = 30.0
    """From the start of an executor to its Hello; after that it is ended."""
    reattach_s: float = 30.0
    """For the executors of an earlier life of the core to come back; after that they are ended."""
    port_open_s: float = 45.0
    """For a task to open its control port."""
    standby_s: float = 30.0
    """For a task from its open port to STANDBY."""
    hello_s: float = 5.0
    """From an open link to the Hello on it."""
    close_s: float = 1.0
    """For open links and downloads to end when the core detaches."""
    drain_s: float = 30.0
    """For executors to end their tasks and themselves; after that they are killed."""
    log_address: str = "127.0.0.1"
    log_port: int = 0
    """Where outputs of tasks are served; 0: any free port."""
    options: ExecutorOptions = field(default_factory=ExecutorOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalParts:
    """What the backend needs of the core."""

    instance: str
    state_directory: Path
    """Absolute. ``tasks/<task id>/`` in it gets what a task writes, ``executors/<host>.log`` what its executor does."""
    core_epoch: str
    """Another one in each life of the core."""
    inventory: Callable[[], Awaitable[Sequence[HostEntry]]]
    new_id: Callable[[], str]
    record_executor: Callable[[KnownExecutor], Awaitable[None]]
    """Returns when the record is durable; an executor is started only then."""
    forget_executor: Callable[[str], None]
    """Takes the executor id."""
    command: Sequence[str] = OUR_EXECUTOR
    environment: Mapping[str, str] | None = None
    """Of executors; None: our own."""


_MARGIN_S = 5.0
"""For an executor that does not attach to be ended, and to have said its last words."""


class Executors:
    """The executors of all hosts.

    Args:
        hosts: by name; shared with LocalBackend, which fills it from the inventory.
    """

    def __init__(self, parts: LocalParts, settings: LocalSettings, hosts: dict[str, Host]) -> None:
        self._parts = parts
        self._settings = settings
        self._hosts = hosts
        self._listener: Listener | None = None
        self._socket = socket_path(parts.state_directory)
        self._links = LinkServer(self, hello_s=settings.hello_s, close_s=settings.close_s)
        self._work: set[asyncio.Task[None]] = set()
        self._heartbeat: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def start(self, listener: Listener, known: Sequence[tuple[Host, KnownExecutor]]) -> None:
        """Listen for executors; the listener is told of known ones that are gone before this returns.

        Raises:
            LinkError: the socket cannot be had.
        """
        self._listener = listener
        await self._links.start(self._socket)
        for host, executor in known:
            self._adopt(host, executor)
        self._beat()

    async def close(self) -> None:
        """Detach: executors and tasks go on, and dial the next core of this instance."""
        self._is_closed = True
        if self._heartbeat:
            self._heartbeat.cancel()
        for host in self._hosts.values():
            host.stop_watching()
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._links.close()

    async def attach(self, host: Host, *, timeout_s: float) -> CommandLink:
        """Return the link to the executor of a host; start that first if there is none.

        Raises:
            LinkError: there is none in time, or it ended.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if not host.is_alive:
                    self._begin_start(host)
                refusal = await host.attached()
        except TimeoutError:
            raise LinkError(f"no executor attached on host {host.name} within {timeout_s:g} s") from None
        if refusal or host.link is None:
            raise LinkError(refusal or f"the link to the executor on host {host.name} is down")
        return host.link

    async def drain(self) -> None:
        """End all executors and their tasks; nothing of them is left when this returns."""
        await self._end([host for host in self._hosts.values() if host.is_alive], "was ended")

    async def restart(self, host: Host, reason: str, *, at_once: bool) -> None:
        """See Backend. One that is silent, or does not end in time, is killed with its tasks."""
        if host.is_alive and not await self._end([host], reason, at_once=at_once):
            limit_s = 2 * self._settings.drain_s
            raise DeadlineError(f"the executor on host {host.name} has not ended within {limit_s:g} s")
        await self.attach(host, timeout_s=self._settings.attach_s + _MARGIN_S)

    async def _end(self, hosts: Sequence[Host], reason: str, *, at_once: bool = False) -> bool:
        """End executors with their tasks, kill them if they do not; returns whether nothing of them is left."""
        ends = [(host, host.gone, host.executor_id) for host in hosts]
        gone = [event for _, event, _ in ends]
        for host in hosts:
            host.is_ending = True
            host.end_reason = reason
            is_heard = host.link is not None and host.state is not ExecutorState.SILENT
            if not (is_heard and host.link and host.link.send(Shutdown(kill_tasks=not at_once))):
                self._too_late(host, reason)
        if await self._wait_gone(gone):
            return True
        for host, _, executor_id in ends:
            if host.is_alive and host.executor_id == executor_id:
                log.warning("executor did not end in time, killed host=%s executor=%s", host.name, executor_id)
                host.kill()
        return await self._wait_gone(gone)

    async def _wait_gone(self, gone: Sequence[asyncio.Event]) -> bool:
        try:
            async with asyncio.timeout(self._settings.drain_s):
                for event in gone:
                    await event.wait()
        except TimeoutError:
            return False
        return True

    # ---- executors come and go -------------------------------------------------------------------

    def _begin_start(self, host: Host) -> None:
        host.begin(host.next_executor_id(self._parts.new_id))
        host.is_spawning = True
        host.deadline = asyncio.get_running_loop().call_later(
            self._settings.attach_s, self._too_late, host, f"did not attach within {self._settings.attach_s:g} s"
        )
        self._own(self._start_executor(host), f"start executor on {host.name}")

    async def _start_executor(self, host: Host) -> None:
        """Record, start and watch the executor of a host."""
        executor_id = host.executor_id
        known = KnownExecutor(host=host.name, executor_id=executor_id, agent_id=host.agent_id)
        try:
            await self._parts.record_executor(known)
            environment = dict(os.environ if self._parts.environment is None else self._parts.environment)
            environment |= {INSTANCE: self._parts.instance, EXECUTOR_ID: executor_id}
            argv = [*self._parts.command, *self._arguments(host)]
            pid = await asyncio.to_thread(spawn, argv, environment, self._log_path(host))
            ticks = started_ticks(pid)
            if host.executor_id != executor_id or not host.is_alive:
                return  # it has said Hello and ended before we were told its pid
            host.is_spawning = False
            if host.watch is None:  # else its Hello was here first
                self._watch(host, pid)
            if host.end_reason:
                host.kill()
        except Exception as error:
            host.is_spawning = False
            log.exception("executor cannot be started host=%s", host.name)
            self._gone(host, f"could not be started: {error}")
            return
        log.info("executor started host=%s executor=%s pid=%d", host.name, executor_id, pid)
        await self._parts.record_executor(
            KnownExecutor(
                host=host.name, executor_id=executor_id, agent_id=host.agent_id, pid=pid, started_ticks=ticks or 0
            )
        )

    def _arguments(self, host: Host) -> list[str]:
        return [
            "--core", f"unix:{self._socket}", "--host", host.name, "--executor-id", host.executor_id,
            "--agent-id", host.agent_id, "--instance", self._parts.instance,
            "--state-dir", str(self._parts.state_directory), "--lease", f"{self._settings.lease_s:g}",
            "--port-open-s", f"{self._settings.port_open_s:g}", "--standby-s", f"{self._settings.standby_s:g}",
            *self._settings.options.arguments(),
        ]  # fmt: skip

    def _log_path(self, host: Host) -> Path:
        return self._parts.state_directory / "executors" / f"{host.name}.log"

    def _watch(self, host: Host, pid: int) -> None:
        host.watch = ProcessWatch(pid, lambda how: self._ended(host, how))

    def _adopt(self, host: Host, known: KnownExecutor) -> None:
        """Wait for an executor of an earlier life of the core, or find that it is gone."""
        host.begin(known.executor_id)
        host.state = ExecutorState.SILENT
        for held in host.held.values():
            held.executor_id = known.executor_id
        if known.pid:
            try:
                self._watch(host, known.pid)
            except ProcessLookupError:
                self._gone(host, "ended while no core was there")
                return
            if started_ticks(known.pid) != known.started_ticks:
                host.stop_watching()
                self._gone(host, "ended while no core was there")
                return
        host.deadline = asyncio.get_running_loop().call_later(
            self._settings.reattach_s, self._too_late, host, f"did not come back within {self._settings.reattach_s:g} s"
        )

    def _too_late(self, host: Host, how: str) -> None:
        """End an executor that was waited for in vain."""
        host.end_reason = how
        if host.watch:
            host.kill()
        elif not host.is_spawning:
            self._gone(host, how)

    def _ended(self, host: Host, how: str) -> None:
        if host.state is ExecutorState.STARTING and not host.end_reason:
            self._own(self._failed_start(host, how), f"failed start on {host.name}")
        else:
            self._gone(host, host.end_reason or how)

    async def _failed_start(self, host: Host, how: str) -> None:
        said = await asyncio.to_thread(last_line, self._log_path(host))
        self._gone(host, f"{how} before it attached{f': {said}' if said else ''}")

    def _gone(self, host: Host, how: str) -> None:
        """The process is no more, or never was: tell, then kill what it left behind."""
        executor_id, tasks = host.executor_id, list(host.held)
        reason = f"executor {executor_id} on host {host.name} {how}"
        is_planned = host.is_ending
        host.end(ExecutorState.NONE if is_planned else ExecutorState.LOST, reason)
        host.ended.update(tasks)
        if self._is_closed:
            return
        log.log(logging.INFO if is_planned else logging.ERROR, "executor gone host=%s reason=%s", host.name, reason)
        self._parts.forget_executor(executor_id)
        self._own(self._sweep(executor_id, tasks, host.gone), f"sweep after {executor_id}")
        if self._listener:
            self._listener.executor_lost(host.name, executor_id, reason)

    async def _sweep(self, executor_id: str, task_ids: Sequence[str], done: asyncio.Event) -> None:
        killed = await asyncio.to_thread(kill_strays, self._parts.instance, executor_id, task_ids)
        if killed:
            log.warning("processes of a lost executor were killed executor=%s count=%d", executor_id, killed)
        done.set()

    # ---- links: called by LinkServer -----------------------------------------------------------

    def said_hello(self, link: ExecutorLink, hello: Hello) -> None:
        host = self._hosts.get(hello.host)
        if hello.instance != self._parts.instance or host is None or host.executor_id != hello.executor_id:
            log.warning(
                "unknown executor told to end host=%s executor=%s pid=%d", hello.host, hello.executor_id, hello.pid
            )
            link.send(Shutdown(kill_tasks=True))
            return
        if host.watch is None:
            # It was started by a core that died before it could note the pid, or we are not told yet that it is started.
            try:
                self._watch(host, hello.pid)
            except ProcessLookupError:
                link.drop()
                return
            known = KnownExecutor(
                host=host.name, executor_id=host.executor_id, agent_id=host.agent_id, pid=hello.pid,
                started_ticks=started_ticks(hello.pid) or 0,
            )  # fmt: skip
            self._own(self._record(known), "record executor")
        link.send(Welcome(core_epoch=self._parts.core_epoch, lease_s=self._settings.lease_s))
        host.heard_of(report.task_id for report in hello.tasks)
        host.note_ends(hello.tasks)
        for command in {command.command_id: command for command in host.launches.values()}.values():
            link.send(command)
        host.attach(link, hello, asyncio.get_running_loop().time())
        if self._listener:
            self._listener.executor_attached(host.name, hello, host.launching())

    def said(self, link: ExecutorLink, report: Report) -> None:
        host = self._hosts.get(link.host)
        if host is None or host.link is not link:
            return
        host.heard_s = asyncio.get_running_loop().time()
        if host.state is ExecutorState.SILENT:
            host.hear_again()
            if self._listener:
                self._listener.executor_back(host.name, host.executor_id)
        if isinstance(report, Pong):
            return
        if isinstance(report, TaskReports):
            host.note_ends(report.tasks)
            if host.launches:
                host.heard_of(task.task_id for task in report.tasks)
        if self._listener and not isinstance(report, Hello):
            self._listener.reported(host.name, report)

    def went_down(self, link: ExecutorLink) -> None:
        host = self._hosts.get(link.host)
        if host is None or host.link is not link:
            return
        host.link = None
        if self._is_closed or host.is_ending or host.state is ExecutorState.SILENT:
            return
        self._silent(host)

    def _silent(self, host: Host) -> None:
        host.state = ExecutorState.SILENT
        log.warning("executor is silent host=%s executor=%s", host.name, host.executor_id)
        if self._listener:
            self._listener.executor_silent(host.name, host.executor_id)

    def _beat(self) -> None:
        """Ping all executors, and find those that do not answer."""
        now_s = asyncio.get_running_loop().time()
        for host in self._hosts.values():
            if host.link is None:
                continue
            if host.state is ExecutorState.ATTACHED and now_s - host.heard_s > self._settings.silent_s:
                self._silent(host)
            host.link.send(Ping(sent_ms=time.time_ns() // 1_000_000))
        self._heartbeat = asyncio.get_running_loop().call_later(self._settings.heartbeat_s, self._beat)

    # ---- own work ----------------------------------------------------------------------------

    async def _record(self, known: KnownExecutor) -> None:
        await self._parts.record_executor(known)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something in the background; ``close`` ends it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background work failed name=%s", task.get_name(), exc_info=error)
