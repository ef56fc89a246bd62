"""Where the backend tells what executors say: sorts it to the roster, the commander and whoever wants device events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence

from executor.api.messages import (
    CommandReply,
    DeviceEvent,
    DeviceEvents,
    Forget,
    Hello,
    MetricSamples,
    OutputPiece,
    Phase,
    Report,
    TaskReports,
)
from server.deploy.backend import Backend, ExecutorState, HostInfo
from server.task.commander import Commander
from server.task.roster import Roster

log = logging.getLogger(__name__)


class Reception:
    """The Listener (server/deploy/backend.py) of the core.

    Args:
        on_device_events: gets what tasks say (occ-executor-mesos.md 3.8), ends of hook and basic processes included.
        on_output: gets parts of outputs that were asked for.
        on_host: gets the name of a host whose executor came, went, fell silent or is heard again.
    """

    def __init__(
        self,
        backend: Backend,
        roster: Roster,
        commander: Commander,
        *,
        on_device_events: Callable[[Sequence[DeviceEvent]], None],
        on_host: Callable[[str], None],
        on_output: Callable[[OutputPiece], None],
    ) -> None:
        self._backend = backend
        self._roster = roster
        self._commander = commander
        self._on_device_events = on_device_events
        self._on_host = on_host
        self._on_output = on_output

    def check(self, hosts: Iterable[HostInfo]) -> None:
        """Find tasks whose executor is in nobody's books; after a restart, once the backend has started."""
        alive = {
            host.executor_id for host in hosts if host.state not in (ExecutorState.NONE, ExecutorState.LOST)
        }  # fmt: skip
        gone = {
            (task.host, task.executor_id)
            for task in self._roster.all()
            if not task.ended and task.executor_id not in alive
        }
        for host, executor_id in gone:
            reason = f"executor {executor_id} on host {host} ended while no core was there"
            self.executor_lost(host, executor_id, reason)

    # ---- Listener ----------------------------------------------------------------------------

    def executor_attached(self, host: str, hello: Hello, launching: Collection[str]) -> None:
        alive, ended = self._roster.reconcile(host, hello.executor_id, hello.tasks, launching)
        self._turn_away(host, alive=alive, ended=ended)
        self._commander.attached(host)
        self._on_host(host)

    def executor_lost(self, host: str, executor_id: str, reason: str) -> None:
        self._roster.executor_lost(host, executor_id, reason)
        self._commander.lost(host, reason)
        self._on_host(host)

    def executor_silent(self, host: str, executor_id: str) -> None:
        self._on_host(host)

    def executor_back(self, host: str, executor_id: str) -> None:
        self._commander.attached(host)
        self._on_host(host)

    def reported(self, host: str, report: Report) -> None:
        match report:
            case CommandReply():
                self._commander.replied(host, report)
            case TaskReports():
                self._roster.apply(host, report.tasks)
                unknown = [one for one in report.tasks if one.task_id not in self._roster]
                if unknown:
                    self._turn_away(
                        host,
                        alive=[one.task_id for one in unknown if one.phase is not Phase.ENDED],
                        ended=[one.task_id for one in unknown if one.phase is Phase.ENDED],
                    )
            case DeviceEvents():
                self._on_device_events(report.events)
            case MetricSamples():
                self._roster.set_metrics(report.samples)
            case OutputPiece():
                self._on_output(report)
            case _:
                log.warning("report of a kind that is not expected here host=%s kind=%s", host, type(report).__name__)

    def _turn_away(self, host: str, *, alive: Sequence[str], ended: Sequence[str]) -> None:
        """Get rid of tasks that stand in no roster, such as one that was killed before its launch had arrived."""
        if alive:
            log.warning("tasks that nobody knows are ended host=%s tasks=%s", host, ",".join(alive))
            self._commander.kill_unknown(host, alive)
        if ended:
            self._backend.send(host, Forget(task_ids=tuple(ended)))
