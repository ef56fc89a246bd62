"""The FairMQ device of the samples as a process: what its plug-in answers, how it moves data, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import pytest

from occ import DeviceEvent, OccClient, Outcome, Trigger
from occ.errors import DeadlineError, LinkError, RefusedError, TaskError

DEADLINE_S = 60.0
PLUGINS = pytest.mark.parametrize("plugin", ["OCC", "OCClite"])
UP = [
    ("IDLE", "INIT DEVICE", "INITIALIZING DEVICE"),
    ("INITIALIZING DEVICE", "COMPLETE INIT", "INITIALIZED"),
    ("INITIALIZED", "BIND", "BOUND"),
    ("BOUND", "CONNECT", "DEVICE READY"),
    ("DEVICE READY", "INIT TASK", "READY"),
]
DOWN = [("READY", "RESET TASK", "DEVICE READY"), ("DEVICE READY", "RESET DEVICE", "IDLE"), ("IDLE", "END", "EXITING")]


@dataclass
class Device:
    client: OccClient
    port: int
    exit_code: Callable[[], Awaitable[int]]
    pid: int

    async def go(self, *steps: tuple[str, str, str], **arguments: str) -> None:
        """Do steps that succeed; the first gets the arguments."""
        for number, (source, event, target) in enumerate(steps):
            outcome = await self.client.transition(source, event, arguments if number == 0 else {}, DEADLINE_S)
            assert (outcome.native, outcome.ok, outcome.trigger) == (target, True, Trigger.EXECUTOR)

    async def state(self) -> str:
        return (await self.client.get_state(DEADLINE_S)).native


Start = Callable[..., Awaitable[Device]]


@pytest.fixture
async def start(launch: Callable[..., Awaitable[object]]) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def one(role: str, plugin: str, *options: str) -> Device:
            launched = await launch(
                "-m", "occ.samples.fairmq", role, "--id", "d", "-P", plugin, "--color", "false", *options
            )
            client = OccClient(f"127.0.0.1:{launched.port}", as_json=plugin == "OCClite")  # type: ignore[attr-defined]
            await stack.enter_async_context(client)
            process = launched.process  # type: ignore[attr-defined]
            return Device(client, launched.port, launched.exit_code, process.pid)  # type: ignore[attr-defined]

        yield one


async def interrupted(device: Device) -> int:
    """Send SIGINT to a device that has had a signal, and return its exit code."""
    os.kill(device.pid, signal.SIGINT)
    try:
        async with asyncio.timeout(1):
            return await device.exit_code()
    except TimeoutError:  # of two signals that wait, SIGINT comes first: then the next one is a later SIGINT
        with contextlib.suppress(ProcessLookupError):  # it may have taken longer to die of the first
            os.kill(device.pid, signal.SIGINT)
        return await device.exit_code()


def wiring(kind: str, method: str, address: str, name: str = "data") -> dict[str, str]:
    values = {"address": address, "type": kind, "method": method, "sndBufSize": "10", "autoBind": "0"}
    return {f"chans.{name}.0.{key}": value for key, value in values.items()}


@PLUGINS
@pytest.mark.parametrize(
    ("kinds", "address"),
    [
        (("push", "pull"), "tcp://127.0.0.1:{port}"),
        (("pub", "sub"), "ipc://@aliecs-{port}"),
        (("push", "pull"), "ipc:///tmp/aliecs-{port}.socket"),
    ],
)
async def test_devices_move_data_by_the_channels_they_are_given(
    start: Start, some_port: int, plugin: str, kinds: tuple[str, str], address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    address = address.format(port=some_port)
    sampler, sink = (
        await start("sampler", plugin, "--text", "Hi", "--rate", "200"),
        await start("sink", plugin, "--max-iterations", "3"),
    )
    await sampler.go(*UP, **wiring(kinds[0], "bind", address))
    await sink.go(*UP, **wiring(kinds[1], "connect", address))
    await sink.go(("READY", "RUN", "RUNNING"), runNumber="5")
    await sampler.go(("READY", "RUN", "RUNNING"), text="changed")
    async with asyncio.timeout(DEADLINE_S):
        while await sink.state() != "READY":  # it leaves RUNNING by itself
            pass
    await sampler.go(("RUNNING", "STOP", "READY"))
    assert capfd.readouterr().out.count('Received: "changed"') == 3
    for device in (sampler, sink):
        await device.go(*DOWN)
        assert await device.exit_code() == 0


async def test_occ_streams_every_state_and_occlite_none(start: Start) -> None:
    device = await start("relay", "OCC")
    states = aiter(device.client.native_states())
    events = asyncio.create_task(anext(device.client.event_stream()))
    first = asyncio.create_task(anext(states))
    await device.state()
    await device.go(*UP)
    seen = [await first] + [await anext(states) for _ in range(7)]
    assert seen == [
        "INITIALIZING DEVICE", "INITIALIZED", "BINDING", "BOUND", "CONNECTING", "DEVICE READY", "INITIALIZING TASK", "READY",
    ]  # fmt: skip
    await device.go(*DOWN)
    assert [one async for one in states] == ["RESETTING TASK", "DEVICE READY", "RESETTING DEVICE", "IDLE", "EXITING"]
    assert await events is DeviceEvent.NULL_DEVICE_EVENT
    lite = await start("relay", "OCClite")
    with pytest.raises(TaskError, match="UNIMPLEMENTED"):
        await anext(lite.client.native_states())


async def test_a_wrong_source_comes_before_an_unknown_event(start: Start) -> None:
    device = await start("relay", "OCC")
    with pytest.raises(RefusedError, match="state mismatch: source: BOGUS current: IDLE"):
        await device.client.transition("BOGUS", "FOO", {}, DEADLINE_S)
    with pytest.raises(TaskError, match="UNKNOWN: Unexpected error in RPC handling"):
        await device.client.transition("IDLE", "FOO", {}, DEADLINE_S)
    lite = await start("relay", "OCClite")
    with pytest.raises(RefusedError, match=f"task at 127.0.0.1:{lite.port}: CANCELLED$"):
        await lite.client.transition("BOGUS", "FOO", {}, DEADLINE_S)
    with pytest.raises(TaskError, match="UNKNOWN"):
        await lite.client.transition("IDLE", "CONFIGURE", {}, DEADLINE_S)


async def test_a_refused_transition_hangs_and_takes_all_of_occ_along(start: Start) -> None:
    device = await start("relay", "OCC")
    hanging = asyncio.create_task(device.client.transition("IDLE", "RUN", {}, 3.0))
    with pytest.raises(DeadlineError):
        while True:  # until the device has got it
            await device.client.get_state(0.3)
    with pytest.raises(DeadlineError):
        await hanging
    lite = await start("relay", "OCClite")
    hung = asyncio.create_task(lite.client.transition("IDLE", "RUN", {}, DEADLINE_S))
    assert await lite.state() == "IDLE"
    await lite.go(UP[0])
    assert (await hung) == Outcome(
        state=(await hung).state,
        event="RUN",
        ok=False,
        trigger=Trigger.DEVICE_INTENTIONAL,
        native="INITIALIZING DEVICE",
    )


async def test_payloads_that_are_no_messages_are_cancelled_and_do_no_harm(start: Start) -> None:
    device = await start("relay", "OCClite")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{device.port}") as channel:
        for method, payload, code in (
            ("GetState", b"", "CANCELLED"),
            ("Transition", b"{}", "CANCELLED"),
            (
                "Transition",
                b'{"srcState":"IDLE","transitionEvent":"END","arguments":[{"key":"a","value":7}]}',
                "CANCELLED",
            ),
            ("/GetState", b"{}", "UNIMPLEMENTED"),
            ("/occ_pb.Occ/GetState", b"", "UNIMPLEMENTED"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(method, None, None)(payload, timeout=DEADLINE_S)
            assert (caught.value.code().name, caught.value.details()) == (code, "")
    assert await device.state() == "IDLE"


@PLUGINS
@pytest.mark.parametrize(
    ("bad", "event", "ways"),
    [
        ({"chans.data.0.rcvBufSize": "many"}, "INIT DEVICE", 0),
        ({"chans.data.0.transport": "pigeon"}, "COMPLETE INIT", 1),
        ({"chans.data.0.type": "bogus"}, "BIND", 2),
        ({"chans.data.0.address": "nonsense"}, "BIND", 2),
        ({"max-iterations": "3"}, "INIT TASK", 4),
    ],
)
async def test_bad_properties_lead_to_error_where_they_are_needed_and_the_process_ends_with_1(
    start: Start, some_port: int, plugin: str, bad: dict[str, str], event: str, ways: int
) -> None:
    device = await start("relay", plugin)
    arguments = wiring("push", "bind", f"tcp://127.0.0.1:{some_port}") | bad
    if ways:
        await device.go(*UP[:ways], **arguments)
    outcome = await device.client.transition(UP[ways][0], event, {} if ways else arguments, DEADLINE_S)
    assert (outcome.native, outcome.ok, outcome.trigger) == ("ERROR", False, Trigger.DEVICE_ERROR)
    assert await device.exit_code() == 1


@PLUGINS
async def test_an_address_that_is_taken_fails_unless_another_will_do(start: Start, plugin: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        arguments = wiring("push", "bind", f"tcp://127.0.0.1:{holder.getsockname()[1]}")
        strict, flexible = await start("relay", plugin), await start("relay", plugin)
        await strict.go(*UP[:2], **arguments)
        assert not (await strict.client.transition("INITIALIZED", "BIND", {}, DEADLINE_S)).ok
        await flexible.go(*UP[:3], **arguments | {"chans.data.0.autoBind": "1"})


async def test_occ_stays_in_error_without_a_port_as_long_as_somebody_listens(start: Start) -> None:
    device = await start("relay", "OCC")
    stream = asyncio.create_task(anext(device.client.event_stream()))
    await device.state()
    outcome = await device.client.transition("IDLE", "ERROR FOUND", {}, DEADLINE_S)
    assert (outcome.ok, outcome.trigger) == (True, Trigger.DEVICE_ERROR)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with OccClient(f"127.0.0.1:{device.port}") as other:
                try:
                    await other.get_state(1.0)
                except DeadlineError:
                    continue  # of a busy machine
                except LinkError:
                    break
    os.kill(device.pid, signal.SIGTERM)
    assert not stream.done()
    assert await interrupted(device) == -signal.SIGABRT
    with pytest.raises(LinkError):
        await stream


@pytest.mark.parametrize(("state", "number"), [(0, signal.SIGABRT), (5, signal.SIGSEGV)])
async def test_occlite_breaks_down_after_error_found_if_somebody_listens(
    start: Start, state: int, number: signal.Signals
) -> None:
    device = await start("relay", "OCClite")
    event = asyncio.create_task(anext(device.client.event_stream()))
    await device.go(*UP[:state])
    await device.state()
    source = await device.state()
    call = asyncio.create_task(device.client.transition(source, "ERROR FOUND", {}, DEADLINE_S))
    assert await event is DeviceEvent.NULL_DEVICE_EVENT
    assert await device.exit_code() == -number
    await asyncio.gather(call, return_exceptions=True)


@PLUGINS
@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
async def test_signals_walk_a_running_device_down(start: Start, plugin: str, numbers: list[signal.Signals]) -> None:
    device = await start("relay", plugin)
    await device.go(*UP, ("READY", "RUN", "RUNNING"))
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):  # the first may have been enough
            os.kill(device.pid, number)
    assert await device.exit_code() == 0


@PLUGINS
async def test_a_second_signal_that_is_sigint_aborts(start: Start, plugin: str) -> None:
    device = await start("relay", plugin, "--hang", "COMPLETE INIT")
    with pytest.raises(DeadlineError):
        await device.go(UP[0])
        await device.client.transition(*UP[1][:2], {}, 0.2)
    os.kill(device.pid, signal.SIGTERM)
    assert await interrupted(device) == -signal.SIGABRT


async def test_a_port_that_is_taken_ends_the_device_with_1(start: Start) -> None:
    device = await start("relay", "OCC")
    environment = os.environ | {"OCC_CONTROL_PORT": str(device.port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "occ.samples.fairmq", "relay", env=environment, stdout=-1, stderr=-1
    )
    async with asyncio.timeout(DEADLINE_S):
        await process.communicate()
    assert process.returncode == 1
