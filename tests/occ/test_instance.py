"""A device served beside a program's own main loop, in plain and in asyncio code."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading

import pytest

from occ import AsyncInstance, Device, Instance, OccClient, Properties, Settings, TaskEvent, TaskState, serve
from occ.errors import ConfigError, LinkError, RefusedError

DEADLINE_S = 60.0


def ask(port: int, *events: str) -> list[str]:
    async def drive() -> list[str]:
        states = []
        async with OccClient(f"127.0.0.1:{port}") as client:
            for event in events:
                source = (await client.get_state(DEADLINE_S)).state
                states.append((await client.transition(source, event, {}, DEADLINE_S)).state.value)
        return states

    return asyncio.run(drive())


def test_a_plain_program_goes_on_while_its_device_is_driven_and_waits_for_the_end() -> None:
    device = Device("beside")
    with Instance(device, Settings(port=0, role="of-mine")) as instance:
        assert instance.state is TaskState.STANDBY and device.role == "of-mine"
        assert ask(instance.port, "CONFIGURE", "START") == ["CONFIGURED", "RUNNING"]
        assert instance.request(TaskEvent.PAUSE).state is TaskState.PAUSED
        assert not instance.wait(0.01)
        assert ask(instance.port, "STOP", "EXIT") == ["CONFIGURED", "DONE"]
        assert instance.wait(DEADLINE_S)
    assert instance.state is TaskState.UNKNOWN
    with pytest.raises(RuntimeError):
        instance.wait()


def test_what_the_device_refuses_is_told_to_its_own_program_too() -> None:
    class Picky(Device):
        def configure(self, properties: Properties) -> None:
            raise RefusedError(f"no {properties.get('what')}")

    with Instance(Picky(), Settings(port=0)) as instance:
        with pytest.raises(RefusedError, match="no thanks"):
            instance.request(TaskEvent.CONFIGURE, {"what": "thanks"})
        assert instance.state is TaskState.STANDBY


def test_a_thread_that_waits_is_told_when_another_one_closes_the_instance() -> None:
    told: queue.Queue[str] = queue.Queue()
    instance = Instance(Device(), Settings(port=0, exit_grace_s=0.0)).open()
    waits = threading.Event()

    def wait() -> None:
        waits.set()
        try:
            told.put(f"waited: {instance.wait()}")
        except RuntimeError as error:
            told.put(str(error))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert waits.wait(DEADLINE_S)
    instance.close()
    assert told.get(timeout=DEADLINE_S) in (
        "Device-occ was closed meanwhile",
        "Device-occ is closed",
        "this Instance is not open",
    )


HANGING = """
import threading
from occ import Device, Instance, Settings, TaskEvent

class Hanging(Device):
    def configure(self, properties):
        threading.Event().wait()

with Instance(Hanging(), Settings(port=0, exit_grace_s=0.0)) as instance:
    try:
        instance.request(TaskEvent.CONFIGURE, timeout_s=0.1)
    except TimeoutError:
        print("gave up")
"""


def test_a_program_ends_though_a_callback_of_its_device_hangs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HANGING], capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "gave up\n", "")


def test_an_open_instance_is_not_opened_again_but_may_be_given_a_block() -> None:
    with Instance(Device(), Settings(port=0)).open() as instance:
        port = instance.port
        assert ask(port, "CONFIGURE") == ["CONFIGURED"]
        with pytest.raises(RuntimeError, match="open already"):
            instance.open()
    with pytest.raises(LinkError):
        ask(port, "RESET")


def test_the_port_is_found_as_executors_say_it_and_a_taken_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch, some_port: int
) -> None:
    monkeypatch.setenv("OCC_CONTROL_PORT", str(some_port))
    with Instance(Device()) as instance:
        assert instance.port == some_port
        with pytest.raises(ConfigError, match="cannot listen"):
            Instance(Device()).open()


async def test_asyncio_code_serves_a_device_as_one_of_its_tasks(some_port: int) -> None:
    started = asyncio.Event()

    class Announcing(Device):
        async def iterate_check(self) -> None:
            started.set()

    device = Announcing()
    serving = asyncio.create_task(serve(device, Settings(port=some_port)))
    async with OccClient(f"127.0.0.1:{some_port}") as client, asyncio.timeout(DEADLINE_S):
        await started.wait()
        assert (await client.transition(device.state, "EXIT", {}, DEADLINE_S)).ok
        assert await serving == 0


async def test_asyncio_code_has_a_device_beside_it_pauses_it_and_waits_for_its_end() -> None:
    device = Device("beside")
    async with AsyncInstance(device, Settings(port=0)) as instance:
        async with OccClient(f"127.0.0.1:{instance.port}") as client:
            for event in ("CONFIGURE", "START"):
                assert (await client.transition(device.state, event, {}, DEADLINE_S)).ok
            assert (await instance.request(TaskEvent.PAUSE)).state is instance.state is TaskState.PAUSED
            assert not (await client.transition("PAUSED", "START", {}, DEADLINE_S)).ok
            assert (await instance.request(TaskEvent.RESUME)).state is TaskState.RUNNING
            assert not await instance.wait(0.01)
            for event in ("STOP", "EXIT"):
                assert (await client.transition(device.state, event, {}, DEADLINE_S)).ok
            assert await instance.wait(DEADLINE_S)
    assert instance.state is TaskState.UNKNOWN
    with pytest.raises(RuntimeError):
        await instance.request(TaskEvent.RESET)


async def test_a_device_that_is_no_longer_served_leaves_its_port_at_once(some_port: int) -> None:
    """However the serving ends: by an error beside it, or cancelled."""
    settings = Settings(port=some_port)
    with pytest.raises(ZeroDivisionError):
        async with AsyncInstance(Device(), settings):
            raise ZeroDivisionError
    for _ in range(2):
        async with asyncio.timeout(DEADLINE_S), AsyncInstance(Device(), settings) as instance:
            assert instance.state is TaskState.STANDBY
        began = asyncio.Event()

        class Announcing(Device):
            async def iterate_check(self, began: asyncio.Event = began) -> None:
                began.set()

        serving = asyncio.create_task(serve(Announcing(), settings))
        async with asyncio.timeout(DEADLINE_S):
            await began.wait()
        serving.cancel()
        assert isinstance((await asyncio.gather(serving, return_exceptions=True))[0], asyncio.CancelledError)
