"""Devices served in this process, and devices as processes of their own; both are gone when the test ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from free_ports import free_port

from occ import Device, OccClient, TaskEvent, TaskState
from occ.control import Controller
from occ.service import Server

DEADLINE_S = 60.0


@dataclass
class Served:
    """A device behind a real gRPC server in this process."""

    controller: Controller
    server: Server
    client: OccClient
    port: int

    async def fire(self, event: str, **arguments: str):
        """Send ``event`` from the present state."""
        return await self.client.transition(self.controller.state, event, arguments, DEADLINE_S)

    async def reach(self, state: TaskState) -> None:
        """Go from STANDBY to ``state`` by the shortest way."""
        for event in {"CONFIGURED": ["CONFIGURE"], "RUNNING": ["CONFIGURE", "START"]}.get(state.value, []):
            assert (await self.fire(event)).ok


@dataclass
class Launched:
    """A device as a process of its own, ready."""

    process: asyncio.subprocess.Process
    client: OccClient
    port: int

    async def fire(self, event: TaskEvent | str, arguments: Mapping[str, str] = {}):
        """Send ``event`` from the present state."""
        state = (await self.client.get_state(DEADLINE_S)).state
        return await self.client.transition(state, event, arguments, DEADLINE_S)

    async def exit_code(self) -> int:
        """Wait for the end of the process."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.wait()


@pytest.fixture
def some_port() -> int:
    """A port of the loopback that nobody has at the moment."""
    return free_port()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Device], Awaitable[Served]]]:
    async with AsyncExitStack() as stack:

        async def one(device: Device) -> Served:
            controller = Controller(device)
            stack.push_async_callback(controller.close)
            server = Server(controller, device.metrics_period_s)
            port = await server.open("127.0.0.1", 0)
            stack.push_async_callback(server.close, 0)
            client = await stack.enter_async_context(OccClient(f"127.0.0.1:{port}"))
            return Served(controller, server, client, port)

        yield one


@pytest.fixture
async def launch() -> AsyncIterator[Callable[..., Awaitable[Launched]]]:
    async with AsyncExitStack() as stack:

        async def one(*arguments: str, **environment: str) -> Launched:
            """Start ``python ARGUMENTS`` with a free control port and return once it says that it is ready."""
            port = free_port()
            read_end, write_end = os.pipe()
            settings = {"OCC_CONTROL_PORT": str(port), "OCC_READY_FD": str(write_end), **environment}
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, env=os.environ | settings, pass_fds=[write_end]
            )
            stack.push_async_callback(end, process)
            os.close(write_end)
            try:
                async with asyncio.timeout(DEADLINE_S):
                    said = await asyncio.to_thread(os.read, read_end, 100)
            finally:
                os.close(read_end)
            assert said.startswith(f"{process.pid}\n".encode())
            client = await stack.enter_async_context(OccClient(f"127.0.0.1:{port}"))
            return Launched(process, client, port)

        yield one


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
