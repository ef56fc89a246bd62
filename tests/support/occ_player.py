"""Plays a recorded scene (occ_scenes.py) against a process of ours and asserts that it answers as the original did.

Everything is done in the order of the recording; what is streamed and answered is waited for where it stands there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from free_ports import free_port
from google.protobuf import text_format
from occ_scenes import Scene, Step

from occ.api import occ_pb2

DEADLINE_S = 60.0
HUNG_S = 0.15
"""Deadline of a call that was recorded as hung, per second of the recorded one."""
_OCC = {
    "GetState": (occ_pb2.GetStateRequest, occ_pb2.GetStateReply),
    "Transition": (occ_pb2.TransitionRequest, occ_pb2.TransitionReply),
    "StateStream": (occ_pb2.StateStreamRequest, occ_pb2.StateStreamReply),
    "EventStream": (occ_pb2.EventStreamRequest, occ_pb2.EventStreamReply),
}
_STATUSES = {code.name for code in grpc.StatusCode}
_PORTS = re.compile(r"(?<=tcp://)([^:/\"]*):(\d{4,5})")
_PID = re.compile(r'"pid":\d+')


@dataclass
class Peer:
    """A process, and the connection to it."""

    process: asyncio.subprocess.Process
    channel: grpc.aio.Channel
    json: bool
    port: int
    lines: list[str] = field(default_factory=list)
    printed: asyncio.Condition = field(default_factory=asyncio.Condition)
    reader: asyncio.Task[None] | None = None
    ended: bool = False


@dataclass
class Stream:
    """An open stream: what came so far, at last the status."""

    call: Any
    queue: asyncio.Queue[str]
    pump: asyncio.Task[None]


@dataclass(frozen=True)
class Deviations:
    """Where we decided to behave otherwise than the original; each is said where it is given."""

    extra: Sequence[str] = ()
    """Messages of streams that the original kept to itself."""
    ends: bool = False
    """A process that the original left hanging ends."""
    codes: dict[int, int] = field(default_factory=dict)
    """Exit codes in the place of recorded ones."""
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    """(request, recorded status): our status. A part of the request is enough."""


class Player:
    """Plays one scene. ``command`` turns the recorded command line into ours."""

    def __init__(self, command: Callable[[list[str]], list[str]], folder: Path, deviations: Deviations) -> None:
        self._command = command
        self._folder = folder
        self._but = deviations
        self._stack = contextlib.AsyncExitStack()
        self._peers: dict[str, Peer] = {}
        self._seconds: dict[str, grpc.aio.Channel] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._calls: dict[int, asyncio.Task[tuple[str, str, str]]] = {}
        self._begun: dict[int, int] = {}
        self._ports: dict[str, str] = defaultdict(lambda: str(free_port()))
        self._gone: set[str] = set()

    async def play(self, scene: Scene) -> None:
        """Play it; AssertionError at the first difference."""
        try:
            async with asyncio.timeout(60):
                for step, after in zip(scene.steps, [*scene.steps[1:], None], strict=True):
                    await getattr(self, f"_{step.kind}")(step)
                    if step.kind == "call" and after is not None and after.kind in ("call", "signal", "inject"):
                        await self._until_begun(step)
        finally:
            for task in self._calls.values():
                task.cancel()
            for stream in self._streams.values():
                stream.pump.cancel()
            await asyncio.gather(
                *self._calls.values(), *(s.pump for s in self._streams.values()), return_exceptions=True
            )
            await self._stack.aclose()

    def busy_port(self, recorded: str) -> None:
        """Hold the port that stands for a recorded one, as the recorder did."""
        holder = self._stack.enter_context(contextlib.closing(socket.socket()))
        holder.bind(("127.0.0.1", int(self._ports[recorded])))
        holder.listen()

    # ---- processes ---------------------------------------------------------------------------

    async def _start(self, step: Step) -> None:
        words = shlex.split(step.body if isinstance(step.body, str) else "")
        environment = dict(os.environ)
        environment.pop("OCC_CONTROL_PORT", None)
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            if name == "OCC_CONTROL_PORT" and value:
                value = self._ports[value]
            environment[name] = str(self._folder) if name == "INJ_DIR" else value
        ports = [environment.get("OCC_CONTROL_PORT", "")]
        for index, word in enumerate(words[:-1]):
            if word == "--control-port" and re.fullmatch(r"[1-9]\d{3,4}", words[index + 1]):
                words[index + 1] = self._ports[words[index + 1]]
                ports.append(words[index + 1])
        fairmq = "-P" in words
        port = (ports[0] or ports[-1]) if fairmq else (ports[-1] or ports[0])
        read_end, write_end = os.pipe()
        environment["OCC_READY_FD"] = str(write_end)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *self._command(words), env=environment, pass_fds=[write_end], stdout=-1
        )
        self._stack.push_async_callback(_end, process)
        os.close(write_end)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.to_thread(os.read, read_end, 100)  # its pid, or nothing if it ends
        finally:
            os.close(read_end)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port or 1}", options=[("grpc.enable_http_proxy", 0)])
        self._stack.push_async_callback(channel.close)
        peer = self._peers[step.who] = Peer(process, channel, "OCClite" in words, int(port or 1))
        peer.reader = asyncio.create_task(_read(peer))
        self._stack.push_async_callback(_cancel, peer.reader)

    async def _signal(self, step: Step) -> None:
        if step.who not in self._gone:
            self._peers[step.who].process.send_signal(signal.Signals[step.rpc])

    async def _exit(self, step: Step) -> None:
        if step.who in self._gone:
            return
        async with asyncio.timeout(DEADLINE_S):
            code = await self._peers[step.who].process.wait()
        if {code, step.code} <= {-signal.SIGSEGV, -signal.SIGABRT}:
            return  # recorded both for the same cause
        assert code == self._but.codes.get(step.code, step.code), f"exit code {code}, recorded {step.code}"

    async def _alive(self, step: Step) -> None:
        process = self._peers[step.who].process
        if self._but.ends:
            async with asyncio.timeout(DEADLINE_S):
                assert await process.wait() == 0
            self._gone.add(step.who)
        else:
            if any("---> ERROR" in line for line in self._peers[step.who].lines):
                await self._until_closed(self._peers[step.who])
            assert process.returncode is None, f"ended with {process.returncode}, recorded as still alive"

    async def _until_closed(self, peer: Peer) -> None:
        """Return when a device has closed its port, or is gone."""
        async with asyncio.timeout(DEADLINE_S), peer.printed:
            await peer.printed.wait_for(lambda: peer.ended or any("Exiting" in line for line in peer.lines))

    async def _inject(self, step: Step) -> None:
        path = self._folder / str(step.body)
        if step.status == "removed":
            path.unlink(missing_ok=True)
        else:
            path.with_suffix(".new").write_text(str(step.code))
            path.with_suffix(".new").rename(path)

    # ---- calls -------------------------------------------------------------------------------

    async def _call(self, step: Step) -> None:
        peer, channel = self._peer(step.who)
        if step.answer is not None and "failed to connect" in step.answer.details:
            await self._until_closed(peer)
        if step.rpc == "GetState" and step.answer is not None and '"state":"READY"' in step.answer.reply:
            async with asyncio.timeout(DEADLINE_S), peer.printed:  # it may have to leave RUNNING by itself first
                await peer.printed.wait_for(
                    lambda: not any("READY ---> RUNNING" in line for line in _states(peer)[-1:])
                )
        self._begun[id(step)] = _lines_of_work(peer)
        self._calls[id(step)] = asyncio.create_task(self._ask(step, peer, channel))

    async def _until_begun(self, step: Step) -> None:
        """What follows a transition was asked while it was at work: return when the process says that it is."""
        peer, _ = self._peer(step.who)
        if step.rpc == "Transition" and len(self._open_calls()) == 1:
            async with asyncio.timeout(DEADLINE_S), peer.printed:
                await peer.printed.wait_for(lambda: _lines_of_work(peer) > self._begun[id(step)])

    def _open_calls(self) -> list[asyncio.Task[tuple[str, str, str]]]:
        return [task for task in self._calls.values() if not task.done()]

    async def _ask(self, step: Step, peer: Peer, channel: grpc.aio.Channel) -> tuple[str, str, str]:
        hung = step.answer is not None and step.answer.status == "DEADLINE_EXCEEDED"
        deadline_s = step.deadline_s * HUNG_S if hung else DEADLINE_S
        text = step.body if isinstance(step.body, bytes) else self._mapped(step.body)
        if peer.json or isinstance(text, bytes):
            raw = text if isinstance(text, bytes) else text.encode()
            method = channel.unary_unary(step.rpc, None, None)
        else:
            request, reply = _OCC[step.rpc]
            raw = text_format.Parse(text[1:-1], request()).SerializeToString()
            method = channel.unary_unary(f"/occ_pb.Occ/{step.rpc}", None, reply.FromString)
        try:
            answer = await method(raw, timeout=deadline_s)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or "", ""
        return "OK", "", answer.decode() if isinstance(answer, bytes) else answer.SerializeToString().hex()

    async def _answer(self, step: Step) -> None:
        assert step.call is not None
        status, details, reply = await self._calls[id(step.call)]
        asked = f"{step.call.rpc} {step.call.body!r}"[:300]
        wanted = step.status
        for (part, recorded), ours in self._but.statuses.items():
            if recorded == wanted and part in asked:
                assert status == ours, f"{asked}: {status} {details}, decided {ours}"
                return
        if (wanted, details) == ("UNAVAILABLE", "CANCELLED"):
            return  # how a server that is closing answers, a moment earlier
        assert status == wanted, (
            f"{asked}: {status} {details!r} {reply}, recorded {wanted} {step.details!r} {step.reply}"
        )
        if wanted == "OK":
            assert _comparable(reply, step.rpc) == _comparable(step.reply, step.rpc), f"{asked}: {reply}"
        elif wanted not in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):  # those texts are of the client
            assert details == step.details, asked

    # ---- streams -----------------------------------------------------------------------------

    async def _subscribe(self, step: Step) -> None:
        peer, channel = self._peer(step.who)
        name = step.rpc.partition("#")[0]
        async with asyncio.timeout(DEADLINE_S), peer.printed:  # what was injected before happened before
            await peer.printed.wait_for(lambda: not (self._folder / "check").exists())
        request, reply = _OCC[name]
        if peer.json:
            call = channel.unary_stream(name, None, None)(b"{}")
        else:
            call = channel.unary_stream(f"/occ_pb.Occ/{name}", request.SerializeToString, reply.FromString)(request())
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._streams[step.who, step.rpc] = Stream(call, queue, asyncio.create_task(_pump(call, queue)))
        rpc = "GetState" if peer.json else "/occ_pb.Occ/GetState"
        barrier = Step("call", 0, rpc="GetState", body=b"{}" if peer.json else b"")
        with contextlib.suppress(grpc.aio.AioRpcError, TimeoutError):  # whatever it says: the stream came before it
            await channel.unary_unary(rpc, None, None)(barrier.body, timeout=DEADLINE_S)

    async def _message(self, step: Step) -> None:
        if (step.who, step.rpc) not in self._streams:
            return  # a late word of the scene before
        said = await self._next(step)
        assert said == step.reply, f"{step.who} {step.rpc}: {said}, recorded {step.reply} at {step.at_s}"

    async def _end(self, step: Step) -> None:
        if (step.who, step.rpc) not in self._streams:
            return
        if step.status == "CANCELLED":
            self._streams[step.who, step.rpc].call.cancel()
        said = await self._next(step)
        while step.status == "UNAVAILABLE" and said not in _STATUSES:  # a broken stream loses what was under way
            said = await self._next(step)
        if self._but.ends and said == "OK":
            return
        assert said == step.status, f"{step.who} {step.rpc} ended: {said}, recorded {step.status} at {step.at_s}"

    async def _next(self, step: Step) -> str:
        stream = self._streams[step.who, step.rpc]
        while True:
            async with asyncio.timeout(DEADLINE_S):
                said = await stream.queue.get()
            if said in self._but.extra and said != step.reply:
                continue
            return said

    def _peer(self, who: str) -> tuple[Peer, grpc.aio.Channel]:
        if who in self._peers:
            return self._peers[who], self._peers[who].channel
        peer = self._peers.get("sampler") or self._peers[""]
        if who not in self._seconds or self._seconds[who][0] is not peer:  # type: ignore[index]
            channel = grpc.aio.insecure_channel(
                f"127.0.0.1:{peer.port}", options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
            )
            self._stack.push_async_callback(channel.close)
            self._seconds[who] = (peer, channel)  # type: ignore[assignment]
        return self._seconds[who]  # type: ignore[return-value]

    def _mapped(self, text: str) -> str:
        return _PORTS.sub(lambda found: f"{found[1]}:{self._ports[found[2]]}", text)


def _comparable(reply: str, rpc: str) -> str:
    if reply.startswith("{"):
        return _PID.sub("", reply)
    return occ_pb2.GetStateReply.FromString(bytes.fromhex(reply)).state if rpc == "GetState" else reply


def _lines_of_work(peer: Peer) -> int:
    return sum("[OCC]" in line for line in peer.lines)


def _states(peer: Peer) -> list[str]:
    return [line for line in peer.lines if "--->" in line]


async def _read(peer: Peer) -> None:
    assert peer.process.stdout is not None
    async for line in peer.process.stdout:
        async with peer.printed:
            peer.lines.append(line.decode(errors="replace").rstrip("\n"))
            peer.printed.notify_all()
    async with peer.printed:
        peer.ended = True
        peer.printed.notify_all()


async def _pump(call: Any, queue: asyncio.Queue[str]) -> None:
    try:
        async for message in call:
            queue.put_nowait(message.decode() if isinstance(message, bytes) else message.SerializeToString().hex())
        queue.put_nowait((await call.code()).name)
    except grpc.aio.AioRpcError as error:
        queue.put_nowait(error.code().name)
    except asyncio.CancelledError:
        queue.put_nowait("CANCELLED")
        raise


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
