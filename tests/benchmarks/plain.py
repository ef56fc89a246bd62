"""The baseline of what a control system must do: start N tasks and drive them, as plainly as grpc.aio can.

Arguments: N and the command of a task. Each line on stdin is one round, answered by its milliseconds: ``start`` starts N
processes and configures them, ``move`` takes all to RUNNING or back while their state streams are read, ``end`` kills them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time

import grpc

from occ.api import occ_pb2, occ_pb2_grpc

MOVES = {"STANDBY": ("CONFIGURE", "CONFIGURED"), "CONFIGURED": ("START", "RUNNING"), "RUNNING": ("STOP", "CONFIGURED")}


class Plain:
    """N tasks and a connection to each."""

    def __init__(self, count: int, command: list[str]) -> None:
        self._count = count
        self._command = command
        self._state = "STANDBY"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._channels: list[grpc.aio.Channel] = []
        self._stubs: list[occ_pb2_grpc.OccStub] = []
        self._streams: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start all at once, wait for the pipe of each, ask for its state, configure it."""
        loop = asyncio.get_running_loop()
        ready = []
        self._state = "STANDBY"
        for port in _free_ports(self._count):
            reader, writer = os.pipe()
            environment = os.environ | {"OCC_READY_FD": str(writer), "OCC_CONTROL_PORT": str(port)}
            self._processes.append(_spawn(self._command, environment, writer))
            os.close(writer)
            opened: asyncio.Future[None] = loop.create_future()
            loop.add_reader(reader, _opened, loop, reader, opened)
            ready.append(self._connect(opened, port))
        await asyncio.gather(*ready)
        await self.move()

    async def _connect(self, opened: asyncio.Future[None], port: int) -> None:
        await opened
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stub = occ_pb2_grpc.OccStub(channel)
        await stub.GetState(occ_pb2.GetStateRequest())
        self._channels.append(channel)
        self._stubs.append(stub)
        self._streams.append(asyncio.create_task(_read(stub)))

    async def move(self) -> None:
        """Take all tasks on."""
        event, destination = MOVES[self._state]
        request = occ_pb2.TransitionRequest(srcState=self._state, transitionEvent=event)
        replies = await asyncio.gather(*(stub.Transition(request) for stub in self._stubs))
        assert all(reply.ok for reply in replies), "a task did not answer as expected"
        self._state = destination

    async def end(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        for channel in self._channels:
            await channel.close()
        for kept in (self._processes, self._channels, self._stubs, self._streams):
            kept.clear()


async def _read(stub: occ_pb2_grpc.OccStub) -> None:
    async for _ in stub.StateStream(occ_pb2.StateStreamRequest()):
        pass


def _opened(loop: asyncio.AbstractEventLoop, reader: int, opened: asyncio.Future[None]) -> None:
    assert os.read(reader, 64), "a task ended before its port was open"
    loop.remove_reader(reader)
    os.close(reader)
    opened.set_result(None)


def _spawn(command: list[str], environment: dict[str, str], writer: int) -> subprocess.Popen[bytes]:
    # A session of its own, as an executor gives to a task: the kernel shares the CPU out among sessions.
    return subprocess.Popen(
        command, env=environment, pass_fds=(writer,), stderr=subprocess.DEVNULL, start_new_session=True
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


async def main(count: int, command: list[str]) -> None:
    plain = Plain(count, command)
    rounds = {"start": plain.start, "move": plain.move, "end": plain.end}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    try:
        while said := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            began = time.perf_counter()
            await rounds[said]()
            sys.stdout.write(f"{(time.perf_counter() - began) * 1000}\n")
            sys.stdout.flush()
    finally:
        await plain.end()


if __name__ == "__main__":
    number, *words = sys.argv[1:]
    asyncio.run(main(int(number), words))
