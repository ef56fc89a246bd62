"""The bench for authors of tasks: the same answers with and without a port, from plain and from asyncio tests."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from occ import END, Device, DeviceEvent, Metric, Properties, TaskState, Trigger
from occ.errors import ConfigError, DeadlineError, RefusedError, TaskError
from occ.testing import AsyncBench, Bench


class Reader(Device):
    """Reads ``limit`` items in a run."""

    def configure(self, properties: Properties) -> None:
        self.limit = properties.get_int("limit", 2)
        if self.limit < 0:
            raise ConfigError(f"limit {self.limit}: expected at least 0")

    def start(self) -> None:
        self.count = 0

    def iterate_running(self) -> int | None:
        self.count += 1
        return END if self.count >= self.limit else None

    def metrics(self) -> Iterable[Metric]:
        return (Metric("reader.count", self.count),)


@pytest.mark.parametrize("over_port", [False, True])
def test_a_plain_test_drives_a_device_through_a_run_and_sees_what_it_tells(over_port: bool) -> None:
    with Bench(Reader(), over_port=over_port) as bench:
        assert bench.configure({"limit": "3"}).ok
        for run in (7, 8):
            assert bench.start(run).state is TaskState.RUNNING
            bench.wait_for_event(DeviceEvent.END_OF_STREAM)
            assert bench.device.run_number == run and bench.metrics() == {"reader.count": 3.0}
            assert bench.stop().ok
        assert bench.reset().ok and bench.exit().ok
        bench.wait_for_state(TaskState.DONE)
        assert bool(bench.port) is over_port
    C, R = TaskState.CONFIGURED, TaskState.RUNNING
    assert bench.states == [C, R, C, R, C, TaskState.STANDBY, TaskState.DONE]
    assert bench.events == [DeviceEvent.END_OF_STREAM] * 2


@pytest.mark.parametrize("over_port", [False, True])
async def test_an_asyncio_test_sees_failures_as_answers_and_refusals_as_errors(over_port: bool) -> None:
    async with AsyncBench(Reader(), over_port=over_port) as bench:
        failed = await bench.configure({"limit": "-1"})
        assert (failed.ok, failed.state, failed.trigger) == (False, TaskState.ERROR, Trigger.DEVICE_ERROR)
        assert (await bench.recover()).ok
        with pytest.raises(RefusedError, match="state mismatch: source: RUNNING current: STANDBY"):
            await bench.send("STOP", source="RUNNING")
        with pytest.raises(TaskError):
            await bench.send("PAUSE")
        assert not (await bench.start()).ok
        await bench.wait_for_state(TaskState.STANDBY)


@pytest.mark.parametrize("over_port", [False, True])
async def test_a_device_can_be_paused_and_resumed_by_its_own_program_only(over_port: bool) -> None:
    calls: list[str] = []

    class Pausing(Device):
        async def pause(self) -> None:
            calls.append(f"pause in {self.state}")

        def resume(self) -> None:
            calls.append(f"resume in {self.state}")

    async with AsyncBench(Pausing(), over_port=over_port) as bench:
        assert not (await bench.pause()).ok
        await bench.configure()
        await bench.start()
        assert (await bench.pause()).state is TaskState.PAUSED
        assert (await bench.resume()).state is TaskState.RUNNING
        await bench.pause()
        assert (await bench.stop()).state is TaskState.CONFIGURED
        await bench.exit()
    assert calls == ["pause in RUNNING", "resume in PAUSED", "pause in RUNNING"]


def test_a_wait_that_is_not_met_fails_the_test_and_says_what_there_was() -> None:
    with Bench(Reader("reader")) as bench:
        bench.configure()
        bench._bench._timeout_s = 0.2  # of the waits alone
        with pytest.raises(AssertionError, match="not in RUNNING, but in CONFIGURED"):
            bench.wait_for_state(TaskState.RUNNING)
        with pytest.raises(AssertionError, match=r"no END_OF_STREAM, but \[\]"):
            bench.wait_for_event(DeviceEvent.END_OF_STREAM)


@pytest.mark.parametrize("over_port", [False, True])
def test_a_device_that_hangs_fails_its_test_at_the_deadline(over_port: bool) -> None:
    gate = threading.Event()

    class Hanging(Device):
        def configure(self, properties: Properties) -> None:
            gate.wait(10)

    with Bench(Hanging(), over_port=over_port) as bench:
        bench._bench._timeout_s = 0.3  # of the hanging call alone
        with pytest.raises((TimeoutError, DeadlineError)):
            bench.configure()
        gate.set()


def test_a_bench_outside_of_its_block_says_so() -> None:
    with pytest.raises(RuntimeError, match="within its with block"):
        Bench(Reader()).exit()
