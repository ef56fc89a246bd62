"""A real core with real executors and real tasks, for the system tests: processes on loopback and free ports.

Everything it starts carries its instance id in the environment, is ended by pid, and is looked for at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from free_ports import free_port, instance_id
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from process_ends import ends

from console.store import Store
from server.api import live_pb2, live_pb2_grpc, o2control_pb2_grpc
from server.api import o2control_pb2 as pb
from server.api.convert import from_batch

CONFIGURATION = """\
o2:
  runtime:
    aliecs:
      defaults: {}
      vars: {}
  hardware:
    detectors:
"""
HOSTS = {"flp001": "ITS", "flp002": "TPC", "flp003": "TOF", "flp004": "TST"}
_ANY_SIZE = [("grpc.max_receive_message_length", -1)]
"""Thousands of tasks in one reply."""
START_S = 150.0
"""On a busy machine a core has been seen to take fifty seconds."""
LEAVE_S = 30.0
"""For processes that are ending; less where an executor without a core would end its tasks and itself sooner."""
CREATE_S = 300.0
"""For an environment; hundreds of tasks take their time."""


class Facility:
    """One instance: a state folder, a workflow repository, a core.

    Args:
        folder: of the test.
        repository: workflows and tasks.
        records: record stimuli for a replay.
        prefix: put before the command that starts the core.
        settings: further settings of the core, by flag name.
    """

    def __init__(
        self, folder: Path, repository: Path, *, records: bool = True, prefix: Sequence[str] = (), **settings: str
    ) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.instance = instance_id()
        self.records = records
        self.prefix = prefix
        self.repository = repository
        self.settings = settings
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None
        self.recordings = folder / "stimuli"
        self._channel: grpc.aio.Channel | None = None

    # ---- life --------------------------------------------------------------------------------

    async def __aenter__(self) -> Facility:
        self.state.mkdir(parents=True, exist_ok=True)
        self.configuration = self.state / "configuration.yaml"
        if not self.configuration.exists():
            text = CONFIGURATION + "".join(
                f'      {detector}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n' for host, detector in HOSTS.items()
            )
            self.configuration.write_text(text)
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop(drain=True)
        await self.leaves_nothing()

    async def leaves_nothing(self) -> None:
        """Check that no process of the instance is left; those that are ending get the time to."""
        lease_s = float(self.settings.get("lease", "60s").removesuffix("s"))
        for pid in self.processes():
            await ends(pid, min(LEAVE_S, 0.8 * lease_s))
        left = self.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not left, f"processes of the instance were left running: {left}"

    async def start(self) -> None:
        """Start the core and wait until it serves."""
        # A port that the kernel gives to nobody: another one must not have it while the core is down.
        self.port = self.port or free_port()
        reader, writer = os.pipe()
        flags = {
            "controlPort": str(self.port),
            "bindAddress": "127.0.0.1",
            "configServicePort": "0",
            "configServiceHttpPort": "0",
            "coreWorkingDir": str(self.state),
            "defaultRepo": str(self.repository),
            "integrationPlugins": "testplugin",
            "logFile": str(self.folder / "core.log"),
            "goErrorDelay": "50ms",
        } | self.settings
        environment = dict(os.environ) | {
            "ALIECS_INSTANCE": self.instance,
            "ALIECS_READY_FD": str(writer),
        }
        if self.records:
            environment["ALIECS_RECORD_STIMULI"] = str(self.recordings)
        self.process = await asyncio.create_subprocess_exec(
            *self.prefix,
            str(Path(sys.executable).parent / "aliecs-server"),
            *(f"--{key}={value}" for key, value in flags.items()),
            env=environment, pass_fds=(writer,),
        )  # fmt: skip
        os.close(writer)
        try:
            line = await asyncio.wait_for(asyncio.to_thread(os.read, reader, 64), START_S)
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"the core did not start within {START_S:g} s:\n{self.log()}") from None
        finally:
            os.close(reader)
        assert line, f"the core did not start:\n{self.log()}"
        self.port = int(line)
        self._channel = grpc.aio.insecure_channel(f"{flags['bindAddress']}:{self.port}", options=_ANY_SIZE)

    async def stop(self, *, drain: bool) -> None:
        """End the core: drained, or detached from what runs."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(signal.SIGUSR1 if drain else signal.SIGTERM)
            await asyncio.wait_for(self.process.wait(), 60)
        await self._hang_up()

    async def kill(self) -> None:
        """Kill the core as a crash does."""
        assert self.process
        self.process.kill()
        await self.process.wait()
        await self._hang_up()

    async def _hang_up(self) -> None:
        if self._channel:
            await self._channel.close()
            self._channel = None

    # ---- talking -----------------------------------------------------------------------------

    @property
    def control(self) -> o2control_pb2_grpc.ControlAsyncStub:
        assert self._channel, "the core is started"
        return o2control_pb2_grpc.ControlStub(self._channel)  # type: ignore[return-value]

    @property
    def live(self) -> live_pb2_grpc.LiveAsyncStub:
        assert self._channel, "the core is started"
        return live_pb2_grpc.LiveStub(self._channel)  # type: ignore[return-value]

    async def create(self, template: str, hosts: list[str] | None = None, **variables: str) -> pb.EnvironmentInfo:
        values = {"hosts": json.dumps(hosts)} if hosts is not None else {}
        request = pb.NewEnvironmentRequest(workflowTemplate=template, vars=values | variables)
        return (await self.control.NewEnvironment(request, timeout=CREATE_S)).environment

    async def ask(self, environment_id: str, event: str) -> pb.ControlEnvironmentReply:
        kind = pb.ControlEnvironmentRequest.Optype.Value(event)
        request = pb.ControlEnvironmentRequest(id=environment_id, type=kind)
        return await self.control.ControlEnvironment(request, timeout=60)

    async def destroy(self, environment_id: str, **how: bool) -> pb.DestroyEnvironmentReply:
        return await self.control.DestroyEnvironment(pb.DestroyEnvironmentRequest(id=environment_id, **how), timeout=60)

    async def tasks(self) -> list[pb.ShortTaskInfo]:
        return list((await self.control.GetTasks(pb.GetTasksRequest(), timeout=60)).tasks)

    async def task(self, class_name: str, host: str = "") -> pb.ShortTaskInfo:
        """Return the task of a class, on a host if several run."""
        named = [one for one in await self.tasks() if f"/tasks/{class_name}@" in one.className]
        (found,) = [one for one in named if not host or one.deploymentInfo.hostname == host]
        return found

    async def state_of(self, environment_id: str) -> str:
        reply = await self.control.GetEnvironment(pb.GetEnvironmentRequest(id=environment_id), timeout=60)
        return reply.environment.state

    async def watch_until(
        self, wanted: Callable[[Mapping[tuple[str, str], Any]], bool], timeout_s: float = 60.0
    ) -> Mapping[tuple[str, str], Any]:
        """Follow the live picture until it is as wanted; things by (kind, id)."""
        things: dict[tuple[str, str], Any] = {}
        call = self.live.Watch(live_pb2.WatchRequest(), timeout=timeout_s)
        try:
            async for batch in call:
                for change in batch.changes:
                    _apply(things, change)
                if batch.part in (live_pb2.NONE, live_pb2.END) and wanted(things):
                    return things
        finally:
            call.cancel()
        raise AssertionError("the live picture ended")

    async def shows(self, wanted: Callable[[Store], bool], timeout_s: float = 60.0) -> Store:
        """Follow the live picture as the console does until it is as wanted."""
        store = Store()
        call = self.live.Watch(live_pb2.WatchRequest(), timeout=timeout_s)
        try:
            async for batch in call:
                store.apply(from_batch(batch))
                if store.is_complete and wanted(store):
                    return store
        finally:
            call.cancel()
        raise AssertionError("the live picture ended")

    async def aliecs(self, *words: str) -> tuple[int, str]:
        """Run the console's command and return its exit code and all that it said."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "aliecs"), "--endpoint", f"127.0.0.1:{self.port}", *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 150)
        return process.returncode or 0, said.decode()

    # ---- looking -----------------------------------------------------------------------------

    def processes(self) -> list[int]:
        """Return the pids of all processes that carry the instance id, but for our own."""
        mark = f"ALIECS_INSTANCE={self.instance}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def log(self) -> str:
        path = self.folder / "core.log"
        return path.read_text() if path.exists() else ""


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the ErrorInfo that every error status of the core carries."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no details on {error.code()} {error.details()}"
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info
    raise AssertionError("no ErrorInfo among the details")


def _apply(things: dict[tuple[str, str], Any], change: live_pb2.Change) -> None:
    kind = change.WhichOneof("change")
    match kind:
        case "environment":
            things[kind, change.environment.id] = change.environment
        case "task":
            things[kind, change.task.task_id] = change.task
        case "role":
            things[kind, f"{change.role.environment_id}/{change.role.order}"] = change.role
        case "host":
            things[kind, change.host.name] = change.host
        case "fault":
            things[kind, change.fault.environment_id] = change.fault
        case "core":
            things[kind, ""] = change.core
        case "removal":
            names = {1: "environment", 2: "role", 3: "task", 4: "host", 6: "fault"}
            things.pop((names.get(change.removal.kind, ""), change.removal.id), None)
