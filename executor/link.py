"""The link to the core: dialled, kept, and dialled again for ever. What is said on it: agent.py.

While there is no link, device events wait for the next one; all else is dropped, because the Hello that opens every link
tells where each task stands, and the core asks again for replies that it still waits for: one that waited here would
tell older states than the Hello before it. When more than the limit waits, a link that is up counts as lost (the
core does not read) and is dialled again; without a link the oldest waiting report is dropped. Metrics are dropped
first. A report that was under way when the link broke may be lost or come twice: a command that is sent again under
its id is answered again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import grpc

from executor.api import executor_pb2, executor_pb2_grpc
from executor.api.convert import command_from_pb, report_to_pb
from executor.api.messages import Command, DeviceEvents, MetricSamples, Report, TaskReports
from executor.settings import Settings
from executor.waits import happens
from occ.errors import LinkError

_LOG = logging.getLogger(__name__)
_MESSAGE_BYTES = 16 << 20
_Call = grpc.aio.StreamStreamCall[executor_pb2.Report, executor_pb2.Command]
_METRICS_SHARE = 10
"""Metrics are kept back, or dropped, while more than this fraction of the limit waits."""


class Link:
    """One executor's connection to its core.

    Args:
        target: ``unix:/path`` or ``host:port``.
        on_up: called on the loop as a link opens; what it sends goes first.
        on_down: called when the link is gone.
        on_command: called for every command.
    """

    def __init__(
        self,
        target: str,
        settings: Settings,
        *,
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        on_command: Callable[[Command], None],
    ) -> None:
        self._target = target
        self._settings = settings
        self._on_up = on_up
        self._on_down = on_down
        self._on_command = on_command
        self._waiting: deque[Report] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing = asyncio.Event()
        self._call: _Call | None = None

    async def run(self) -> None:
        """Keep a link until cancelled or closed."""
        pause_s = self._settings.redial_min_s
        while not self._closing.is_set():
            try:
                up = await self._attach()
            except Exception:  # a fault of ours: without a link every task of this host is out of reach
                _LOG.exception("link=%s broke", self._target)
                up = False
            if up:
                pause_s = self._settings.redial_min_s
            if not await happens(self._closing, pause_s):
                pause_s = min(2 * pause_s, self._settings.redial_max_s)

    @property
    def has_room(self) -> bool:
        """Whether metrics are taken now; without a link it does not matter, since the next one begins with all of them."""
        return self._call is None or len(self._waiting) * _METRICS_SHARE <= self._settings.queue_limit

    def send(self, report: Report) -> None:
        """Queue a report; never blocks. What happens without a link or with a full queue: see above."""
        count = len(self._waiting)
        if isinstance(report, MetricSamples) and not self.has_room:
            return
        if self._call is None:
            if not _is_kept(report):
                return
            if count >= self._settings.queue_limit:
                self._waiting.popleft()
                _LOG.error("link=%s %d reports wait, the oldest is lost", self._target, count)
        elif count >= self._settings.queue_limit:
            _LOG.error("link=%s %d reports wait, the core does not read: dialling again", self._target, count)
            self._call.cancel()
        self._waiting.append(report)
        self._drained.clear()
        self._filled.set()

    async def close(self) -> None:
        """Deliver what waits, within the time of the settings, and end the link."""
        self._closing.set()
        call = self._call
        if call is None:
            return
        try:
            async with asyncio.timeout(self._settings.flush_s):
                await self._drained.wait()
                await call.done_writing()
                await call.code()
        except (TimeoutError, grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            _LOG.warning("link=%s the last reports may be lost error=%r", self._target, str(error))

    async def _attach(self) -> bool:
        """Hold one link from dialling to its end; return whether it was up."""
        options = (
            ("grpc.use_local_subchannel_pool", 1),  # no back-off inherited from the channel before
            ("grpc.enable_http_proxy", 0),
            ("grpc.keepalive_time_ms", int(1000 * self._settings.core_quiet_s)),
            ("grpc.keepalive_timeout_ms", int(1000 * self._settings.core_answer_s)),
            ("grpc.http2.ping_timeout_ms", int(1000 * self._settings.core_answer_s)),  # which alone counts
            ("grpc.http2.bdp_probe", 0),  # its pings ask long before a core is quiet, and count too
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
        )
        up = False
        channel = grpc.aio.insecure_channel(self._target, options=options)
        try:
            call = executor_pb2_grpc.LinkStub(channel).Attach()
            await call.wait_for_connection()
            up = True
            self._opened(call)
            writer = asyncio.create_task(self._write(call), name="link writer")
            writer.add_done_callback(lambda writer: self._writer_ended(writer, call))
            try:
                async for message in call:
                    self._take(message)
                _LOG.info("link=%s ended by the core", self._target)
            finally:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
        except grpc.aio.AioRpcError as error:
            level = logging.WARNING if up else logging.DEBUG
            _LOG.log(level, "link=%s error=%r", self._target, f"{error.code().name}: {error.details()}")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _LOG.warning("link=%s was given up", self._target)
        finally:
            if up:
                self._lost()
            await channel.close()
        return up

    def _take(self, message: executor_pb2.Command) -> None:
        try:
            command = command_from_pb(message)
        except LinkError as error:
            _LOG.error("link=%s error=%r", self._target, str(error))
        else:
            self._on_command(command)

    def _writer_ended(self, writer: asyncio.Task[None], call: _Call) -> None:
        """End a call on which nothing more would be said; a call that has ended itself is left alone."""
        if not writer.cancelled() and (error := writer.exception()) is not None:
            if not isinstance(error, grpc.aio.AioRpcError | asyncio.InvalidStateError):
                _LOG.error("link=%s a report cannot be sent", self._target, exc_info=error)
            call.cancel()

    def _opened(self, call: _Call) -> None:
        _LOG.info("link=%s up", self._target)
        held = list(self._waiting)
        self._waiting.clear()
        self._call = call
        self._on_up()
        self._waiting.extend(held)

    def _lost(self) -> None:
        self._call = None
        self._waiting = deque(report for report in self._waiting if _is_kept(report))
        self._on_down()

    async def _write(self, call: _Call) -> None:
        while True:
            while self._waiting:
                report = self._waiting.popleft()
                if isinstance(report, TaskReports):
                    report = self._with_following(report)
                try:
                    await call.write(report_to_pb(report))
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
                    if _is_kept(report):
                        self._waiting.appendleft(report)
                    raise
            self._drained.set()
            self._filled.clear()
            await self._filled.wait()

    def _with_following(self, report: TaskReports) -> TaskReports:
        """Merge the task reports that wait behind this one: one message after a burst."""
        tasks = list(report.tasks)
        while self._waiting and isinstance(following := self._waiting[0], TaskReports):
            tasks.extend(following.tasks)
            self._waiting.popleft()
        return TaskReports(tasks=tuple(tasks))


def _is_kept(report: Report) -> bool:
    return isinstance(report, DeviceEvents)
