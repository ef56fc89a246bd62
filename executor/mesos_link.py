"""The link to a core that only Mesos connects us to: our protocol as framework messages, states of tasks as updates.

The same to the Runner as link.py. Launches come in as the tasks of Mesos, whose data is a Launch of ours; kills of Mesos
are kills of ours. pymesos lives in a helper process: mesos_driver.py. Order and loss of messages: api/channel.py.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from executor.api import executor_pb2
from executor.api.channel import Channel, Packet, packet_from_text
from executor.api.convert import command_from_pb, report_to_pb
from executor.api.helpers import HelperProcess
from executor.api.messages import Command, Forget, Kill, Launch, MetricSamples, Phase, Report, TaskReport, TaskReports
from executor.settings import Settings
from executor.waits import happens
from occ.errors import LinkError

_LOG = logging.getLogger(__name__)
_MAX_WAITING = 5
"""Metrics are dropped while more packets wait to be confirmed: there may be no core."""
_MAX_HELPERS = 5
"""So often a helper process that died is replaced before the agent has accepted it again."""


class MesosLink:
    """One executor's connection to its core, by way of its agent.

    Args:
        agent_id: of Mesos, for updates.
        recovery_s: without the agent for so long the executor ends; 0: at once.
        on_up, on_down, on_command: as in link.py.
        on_end: called when the agent wants us to end, or is gone for too long.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        agent_id: str,
        recovery_s: float,
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        on_command: Callable[[Command], None],
        on_end: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._agent_id = agent_id
        self._recovery_s = recovery_s
        self._on_up = on_up
        self._on_down = on_down
        self._on_command = on_command
        self._on_end = on_end
        self._helper = HelperProcess("executor.mesos_driver", self._heard)
        self._channel: Channel | None = None
        self._states: dict[str, str] = {}
        """Task id to what the agent was told last."""
        self._open: dict[str, dict[str, Any]] = {}
        """Task id to the last update, until the agent has acknowledged the end of the task."""
        self._acknowledged = asyncio.Event()
        self._is_new_helper = False
        self._without_agent: asyncio.TimerHandle | None = None
        self._failures = 0
        self._is_ending = False

    async def run(self) -> None:
        """Keep the link until cancelled."""
        try:
            while True:
                how = await self._serve()
                self._failures += 1
                _LOG.error("helper process %s failures=%d", how, self._failures)
                if self._failures >= _MAX_HELPERS:
                    self._end()
                    return
                self._lost_agent()
                self._is_new_helper = True
                self._helper = HelperProcess("executor.mesos_driver", self._heard)
        finally:
            await self._helper.close(self._settings.flush_s)

    async def _serve(self) -> str:
        """Have a helper process until it ends; return how, in words."""
        try:
            await self._helper.start()
        except LinkError as error:
            await happens(asyncio.Event(), self._settings.agent_pause_s)  # or until cancelled
            return f"cannot be started: {error.message}"
        self._helper.post("start", pause_min_s=self._settings.redial_min_s, pause_max_s=self._settings.agent_pause_s)
        return await self._helper.ended()

    @property
    def has_room(self) -> bool:
        """As in link.py."""
        return self._channel is None or self._channel.unconfirmed <= _MAX_WAITING

    def send(self, report: Report) -> None:
        """Queue a report; never blocks. Before the agent has accepted us all is dropped: the Hello tells it."""
        if isinstance(report, TaskReports):
            for task in report.tasks:
                self._update(task)
        if self._channel is None or (isinstance(report, MetricSamples) and not self.has_room):
            return
        self._channel.send(report_to_pb(report).SerializeToString())

    async def close(self) -> None:
        """Deliver what waits, within the time of the settings."""
        try:
            async with asyncio.timeout(self._settings.flush_s):
                if self._channel:
                    await self._channel.drained()
                while self._open:
                    self._acknowledged.clear()
                    await self._acknowledged.wait()
        except TimeoutError:
            _LOG.warning("the last reports may be lost updates=%d", len(self._open))
        if self._without_agent:
            self._without_agent.cancel()
        if self._channel:
            self._channel.close()

    # ---- what the helper says ----------------------------------------------------------------

    def _heard(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "subscribed":
                self._subscribed()
            case "unsubscribed":
                self._lost_agent()
            case "launch":
                self._launch(event["task"])
            case "kill":
                self._on_command(Kill(command_id=f"mesos-{uuid.uuid4()}", task_ids=(event["task_id"],)))
            case "message":
                self._message(event["data"])
            case "acknowledged":
                self._acknowledge(event["task_id"], event["state"])
            case "shutdown":
                _LOG.info("the agent tells us to end")
                self._end()
            case kind:
                _LOG.error("agent event=%s %s", kind, event.get("message") or event.get("reason", ""))

    def _subscribed(self) -> None:
        _LOG.info("the agent has accepted us")
        self._failures = 0
        if self._without_agent:
            self._without_agent.cancel()
            self._without_agent = None
        if self._is_new_helper:  # the one before took with it what the agent had not acknowledged
            self._is_new_helper = False
            for status in self._open.values():
                self._helper.post("update", status=status)
        if self._channel is None:
            self._begin()
        else:
            self._channel.hurry()

    def _lost_agent(self) -> None:
        if self._without_agent is None and self._channel is not None:
            _LOG.warning("the agent is lost, waiting_s=%g", self._recovery_s)
            self._without_agent = asyncio.get_running_loop().call_later(self._recovery_s, self._end)

    def _launch(self, task: dict[str, Any]) -> None:
        task_id = task["task_id"]["value"]
        try:
            message = executor_pb2.Command.FromString(base64.b64decode(task.get("data", "")))
            command = command_from_pb(message)
        except (DecodeError, ValueError, LinkError) as error:
            _LOG.error("task=%s is none of ours error=%r", task_id, str(error))
            self._update_state(task_id, "TASK_FAILED", f"its data is no launch of AliECS: {error}", b"")
            return
        if isinstance(command, Launch) and [spec.task_id for spec in command.tasks] == [task_id]:
            self._on_command(command)
            return
        _LOG.error("task=%s its data is no launch of it alone", task_id)
        self._update_state(task_id, "TASK_FAILED", "its data is no launch of this task", b"")

    def _end(self) -> None:
        """Tell once that we are to end: asked again, the runner would kill at once."""
        if not self._is_ending:
            self._is_ending = True
            self._on_end()

    # ---- updates -----------------------------------------------------------------------------

    def _update(self, task: TaskReport) -> None:
        """Tell Mesos where a task stands, if that is news to it."""
        if task.phase is Phase.STARTING:
            return
        state = task.final_status if task.phase is Phase.ENDED else "TASK_RUNNING"
        data = report_to_pb(TaskReports(tasks=(task,))).SerializeToString()
        self._update_state(task.task_id, state, task.error, data)

    def _update_state(self, task_id: str, state: str, message: str, data: bytes) -> None:
        if self._states.get(task_id) == state:
            return
        self._states[task_id] = state
        status = {
            "task_id": {"value": task_id},
            "agent_id": {"value": self._agent_id},
            "state": state,
            "message": message,
            "data": base64.b64encode(data).decode(),
        }
        self._open[task_id] = status
        self._helper.post("update", status=status)

    def _acknowledge(self, task_id: str, state: str) -> None:
        status = self._open.get(task_id)
        if status and status["state"] == state and state != "TASK_RUNNING":
            del self._open[task_id]
            self._acknowledged.set()

    # ---- the conversation ----------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin a conversation; what must not be lost of the one before goes over."""
        before, self._channel = self._channel, None
        kept = [body for body in before.left() if _is_kept(body)] if before else []
        if before:
            before.close()
            self._on_down()
        self._channel = Channel(str(uuid.uuid4()), transmit=self._transmit, on_body=self._on_body, on_dead=self._begin)
        self._on_up()
        for body in kept:
            self._channel.send(body)

    def _transmit(self, text: str) -> None:
        self._helper.post("message", data=text)

    def _message(self, data: str) -> None:
        try:
            packet: Packet = packet_from_text(data)
        except LinkError as error:
            _LOG.warning("error=%r", str(error))
            return
        if self._channel is None:
            return
        if packet.begin_again and packet.conversation in ("", self._channel.conversation):
            _LOG.info("the core begins again")
            self._begin()
        elif packet.conversation == self._channel.conversation:
            self._channel.receive(packet)

    def _on_body(self, body: bytes) -> None:
        try:
            command = command_from_pb(executor_pb2.Command.FromString(body))
        except (DecodeError, LinkError) as error:
            _LOG.error("command not understood error=%r", str(error))
            return
        if isinstance(command, Forget):
            for task_id in command.task_ids:
                self._states.pop(task_id, None)
        self._on_command(command)


def _is_kept(body: bytes) -> bool:
    """Whether a report goes over to a new conversation: the Hello that begins it tells all but events (link.py)."""
    return executor_pb2.Report.FromString(body).WhichOneof("body") == "events"
