"""A real executor process and a core that is a script: it takes what the executor reports and says what the test says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from agent_driver import Driver
from free_ports import free_port

from executor.api import convert, executor_pb2, executor_pb2_grpc
from executor.api.messages import (
    Command,
    CommandReply,
    ControlMode,
    DeviceEvent,
    DeviceEvents,
    Hello,
    Kill,
    Launch,
    MetricSamples,
    Phase,
    Report,
    Target,
    TaskReport,
    TaskReports,
    TaskSpec,
    Transition,
    TriggerHooks,
    Welcome,
)

FOREIGN_TASK = Path(__file__).with_name("foreign_task.py")
DEADLINE_S = 60.0


@dataclass
class ScriptedCore(executor_pb2_grpc.LinkServicer):
    """Listens on a Unix socket; keeps every report."""

    path: Path
    lease_s: float = 0.0
    reports: list[Report] = field(default_factory=list)
    hellos: int = 0

    async def start(self) -> None:
        self._outgoing: asyncio.Queue[Command | executor_pb2.Command] = asyncio.Queue()
        self._arrived = asyncio.Condition()
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        executor_pb2_grpc.add_LinkServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self.path}")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def Attach(self, request_iterator: Any, context: Any) -> AsyncIterator[executor_pb2.Command]:
        reading = asyncio.create_task(self._read(request_iterator))
        yield convert.command_to_pb(Welcome(core_epoch="1", lease_s=self.lease_s))
        try:
            while not reading.done():
                next_one = asyncio.create_task(self._outgoing.get())
                await asyncio.wait({next_one, reading}, return_when=asyncio.FIRST_COMPLETED)
                if next_one.done():
                    one = next_one.result()
                    yield one if isinstance(one, executor_pb2.Command) else convert.command_to_pb(one)
                else:
                    next_one.cancel()
        finally:
            reading.cancel()

    async def _read(self, incoming: Any) -> None:
        async for message in incoming:
            report = convert.report_from_pb(message)
            async with self._arrived:
                self.reports.append(report)
                self.hellos += isinstance(report, Hello)
                self._arrived.notify_all()

    def send(self, command: Command | executor_pb2.Command) -> None:
        self._outgoing.put_nowait(command)

    async def until(self, found: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Return what ``found`` returns as soon as that is true."""
        try:
            async with asyncio.timeout(deadline_s), self._arrived:
                while not (result := found()):
                    await self._arrived.wait()
                return result
        except TimeoutError:
            raise AssertionError(f"not within {deadline_s} s; reports: {self.reports}") from None

    # ---- what tests ask ----------------------------------------------------------------------

    def task_reports(self, task_id: str) -> list[TaskReport]:
        found: list[TaskReport] = []
        for report in self.reports:
            if isinstance(report, TaskReports | Hello):
                found += [r for r in report.tasks if r.task_id == task_id]
        return found

    async def phase(self, task_id: str, phase: Phase, deadline_s: float = DEADLINE_S) -> TaskReport:
        def find() -> TaskReport | None:
            return next((r for r in self.task_reports(task_id) if r.phase is phase), None)

        return await self.until(find, deadline_s)

    async def reply(self, command_id: str, deadline_s: float = DEADLINE_S) -> CommandReply:
        def find() -> CommandReply | None:
            replies = (r for r in self.reports if isinstance(r, CommandReply))
            return next((r for r in replies if r.command_id == command_id), None)

        return await self.until(find, deadline_s)

    async def event(self, task_id: str, kind: int) -> DeviceEvent:
        def find() -> DeviceEvent | None:
            batches = (r for r in self.reports if isinstance(r, DeviceEvents))
            return next((e for b in batches for e in b.events if (e.task_id, e.type) == (task_id, kind)), None)

        return await self.until(find)

    def samples(self) -> list[Any]:
        return [s for r in self.reports if isinstance(r, MetricSamples) for s in r.samples]

    async def launch(self, *specs: TaskSpec) -> None:
        self.send(Launch(command_id="launch-" + specs[0].task_id, tasks=specs))

    async def transition(self, event: str, source: str, destination: str, *task_ids: str, timeout_s: float = 45.0,
                         arguments: dict[str, str] | None = None) -> CommandReply:  # fmt: skip
        command_id = f"{event}-{len(self.reports)}"
        self.send(
            Transition(
                command_id=command_id,
                environment_id="env",
                event=event,
                source=source,
                destination=destination,
                targets=tuple(Target(task_id=t) for t in task_ids),
                timeout_s=timeout_s,
                arguments=arguments or {},
            )
        )
        return await self.reply(command_id)

    async def trigger(self, *task_ids: str) -> CommandReply:
        command_id = f"trigger-{len(self.reports)}"
        self.send(TriggerHooks(command_id=command_id, environment_id="env", task_ids=task_ids))
        return await self.reply(command_id)

    async def kill(self, *task_ids: str, deadline_s: float = DEADLINE_S) -> CommandReply:
        command_id = f"kill-{len(self.reports)}"
        self.send(Kill(command_id=command_id, task_ids=task_ids))
        return await self.reply(command_id, deadline_s)


@dataclass
class Host:
    """Starts executors and knows every process of their instance."""

    folder: Path
    target: str
    instance: str
    executors: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, *options: str, environment: dict[str, str] | None = None, through: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start an executor; ``through`` is a program that becomes it."""
        command = [
            *through, sys.executable, "-m", "executor", "--core", self.target, "--host", "flp001",
            "--executor-id", "x1", "--agent-id", "a1", "--state-dir", str(self.folder), "--instance", self.instance, *options,
        ]  # fmt: skip
        with (self.folder / "executor.log").open("ab") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.executors.append(process)
        return process

    def processes(self) -> list[psutil.Process]:
        """Every living process of this instance."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("ALIECS_INSTANCE") == self.instance and process.status() != "zombie":
                    found.append(process)
        return found

    async def logs(self, words: str) -> None:
        """Return once an executor has said so in its log."""
        async with asyncio.timeout(DEADLINE_S):
            while words.encode() not in await asyncio.to_thread((self.folder / "executor.log").read_bytes):
                pass

    async def wait(self, process: subprocess.Popen[bytes], deadline_s: float = DEADLINE_S) -> int:
        return await asyncio.to_thread(process.wait, deadline_s)

    def end(self) -> None:
        for process in self.executors:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
        for left in self.processes():
            with contextlib.suppress(psutil.Error):
                left.kill()


@pytest.fixture
def agent() -> Driver:
    return Driver()


@pytest.fixture
async def core() -> AsyncIterator[ScriptedCore]:
    # A path of its own: those of tmp_path can be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="aliecs-") as folder:
        core = ScriptedCore(Path(folder) / "core.sock")
        await core.start()
        yield core
        await core.stop()


@pytest.fixture
def host(core: ScriptedCore, tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path, f"unix:{core.path}", f"test-{os.getpid()}-{tmp_path.name}")
    yield host
    host.end()
    with contextlib.suppress(FileNotFoundError):  # shown when the test fails
        print((tmp_path / "executor.log").read_text(errors="replace"))


@pytest.fixture
def spec() -> Callable[..., TaskSpec]:
    """Make the spec of a task; a direct one runs foreign_task.py unless told otherwise."""

    def make(task_id: str, *arguments: str, mode: str = "direct", value: str = "", **more: Any) -> TaskSpec:
        more.setdefault("environment_id", "env")
        if mode == "direct":
            port = more.setdefault("control_port", free_port())
            more.setdefault("environment", (f"OCC_CONTROL_PORT={port}",))
            if not value:
                value, arguments = sys.executable, (str(FOREIGN_TASK), *arguments)
        return TaskSpec(
            task_id=task_id,
            class_name=f"class-{task_id}",
            mode=ControlMode(mode),
            value=value,
            arguments=arguments,
            **more,
        )

    return make
