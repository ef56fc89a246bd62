"""A configuration service, in the loop of a test or as a process, and a small tree to serve."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from facility import error_info
from free_ports import free_port

from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc
from server.config.file import parse
from server.config.serve import ConfigurationServer
from server.config.store import Store
from server.config.stored import StoreConfiguration

CONTENT = """
o2:
  components:
    aliecs: {ANY: {any: {settings: "killTimeout: 7s\\n"}}}
    qc:
      ANY:
        any: {base: "any any", plain: '{"a": "<1>"}', greeting: "{{ who }} & {{ what }}", sub: {deep: d}}
        flp1: {base: any flp1}
      PHYSICS: {any: {base: physics any, only: physics only}, flp1: {own: physics flp1}, flp10: {own: physics flp10}}
      TECHNICAL: {any: {base: technical any}}
    readoutcard:
      flp1:
        cru:
          "0228":
            "0": >-
              {"cru": {"clock": "local"}, "links": {"enabled": "true"}, "link10": {"enabled": "true"},
               "link2": {"enabled": "false"}, "link1": {"enabled": "true"}, "link3": {"gbtMux": "x"},
               "link4": {"enabled": true}, "xlink5": {"enabled": "true"}, "link6x": {"enabled": "true"}, "link7": "true"}
            "1": '{"link0": {"enabled": "true"}}'
          "0101": {"0": "[1]"}
      flp2: {cru: {"0300": {"0": '{"link0": {"enabled": "true"}, "link1": {"enabled": "false"}}'}}}
  runtime:
    aliecs:
      defaults: {a: " blank ", number: 1.50, framework_id: from store, core_hostname: x, folder: {ignored: x}}
      vars: {v: "1", blank: " v "}
    trg: {ltu: {file: content, other: more}, key: value}
  hardware:
    detectors:
      TRG: {flps: {flp9: {cards: ""}}}
      ITS:
        flps:
          flp2: {cards: "", aliases: '{"cards": {"0300:0": {"links": {"0": {"alias": "its-b"}, "1": {"alias": "its-a"}}}}}'}
          flp3: {cards: "", aliases: '{"cards": {}}'}
      TPC: {flps: {flp1: {cards: ""}}}
      TOF: {flps: {}}
    flps:
      flp1:
        cards: >-
          {"0": {"type": "CRU", "serial": "0228", "endpoint": "1"}, "1": {"serial": "0228", "endpoint": "0"},
           "2": {"serial": "0101", "endpoint": "0"}}
      flp2: {cards: '{"0": {"serial": "0300", "endpoint": "0"}}'}
      flp3: {cards: '{}'}
      flp7: {cards: "nonsense"}
"""


def fill(store: Store, content: str = CONTENT) -> None:
    """Put all texts of a YAML tree into a store."""

    def put(folder: object, head: str) -> None:
        assert isinstance(folder, dict)
        for name, value in folder.items():
            if isinstance(value, str):
                store.put(f"{head}{name}", value)
            else:
                put(value, f"{head}{name}/")

    put(parse(content, "content of a test"), "")


class Served:
    """A running service and a client of it."""

    def __init__(self, server: ConfigurationServer, stub: apricot_pb2_grpc.ApricotAsyncStub) -> None:
        self.server = server
        self.stub = stub

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.http_port}"


@asynccontextmanager
async def serving(configuration: StoreConfiguration) -> AsyncIterator[Served]:
    """Serve a configuration on free ports of loopback."""
    server = ConfigurationServer(configuration, address="127.0.0.1", port=0, http_port=0)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield Served(server, apricot_pb2_grpc.ApricotStub(channel))  # type: ignore[arg-type]
    finally:
        await server.stop(1.0)


async def refused(call: Awaitable[object], code: grpc.StatusCode, text: str, hint: str = "") -> None:
    """Expect a status with a text in its details, and a hint in its ErrorInfo."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code, caught.value.details()
    assert text in (caught.value.details() or "")
    info = error_info(caught.value)
    assert info.domain == "aliecs" and info.reason in ("CONFIGURATION", "BAD_REQUEST")
    assert hint in info.metadata.get("hint", "")


def path(text: str, *, process: bool = False, **variables: str) -> pb.ComponentRequest:
    return pb.ComponentRequest(path=text, processTemplate=process, varStack=variables)


def query(component: str, run_type: str, role: str, entry: str) -> pb.ComponentQuery:
    return pb.ComponentQuery(
        component=component, runType=pb.RunType.Value(run_type), machineRole=role, entry=entry
    )  # fmt: skip


class ServiceProcess:
    """``aliecs-server apricot`` as a process on loopback; ``async with`` runs it.

    Attributes:
        port, http_port: that it listens on; the same ones again after a restart, and the kernel gives them to nobody else.
    """

    def __init__(self, uri: str, folder: Path, *, instance: str = "", **settings: str) -> None:
        self._uri = uri
        self._folder = folder
        self._instance = instance
        self._settings = settings
        self.port, self.http_port = free_port(), free_port()
        self.process: asyncio.subprocess.Process | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> ServiceProcess:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it and wait until it serves."""
        reader, writer = os.pipe()
        flags = {
            "backendUri": self._uri,
            "listenPort": str(self.port),
            "httpListenPort": str(self.http_port),
            "workingDir": str(self._folder),
            "bindAddress": "127.0.0.1",
        } | self._settings
        self.process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "aliecs-server"), "apricot",
            *(f"--{key}={value}" for key, value in flags.items()),
            env=dict(os.environ) | {"ALIECS_READY_FD": str(writer), "ALIECS_INSTANCE": self._instance},
            pass_fds=(writer,), stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        os.close(writer)
        line = await asyncio.wait_for(asyncio.to_thread(os.read, reader, 64), 150)
        os.close(reader)
        if not line:
            _, said = await self.process.communicate()
            raise AssertionError(f"the service did not start:\n{said.decode()}")
        self.port, self.http_port = map(int, line.split())

    async def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit code and what it wrote."""
        assert self.process
        self.process.send_signal(number)
        _, said = await asyncio.wait_for(self.process.communicate(), 150)
        return self.process.returncode or 0, said.decode()

    async def kill(self) -> None:
        """Kill it as a crash does; nothing happens if it has ended."""
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()
