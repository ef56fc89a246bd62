"""Sample tasks as real processes that move real data."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
import zlib

import pytest
import zmq

from occ import TaskState
from occ.samples.stamp import Stamp

DEADLINE_S = 60.0
PATIENT = {"drain_s": "30", "quiet_s": "30"}
"""Of who waits for all that was sent, however slow the sender is."""


def channel(name: str, kind: str, method: str, address: str) -> dict[str, str]:
    return {f"chans.{name}.0.{key}": value for key, value in (("type", kind), ("method", method), ("address", address))}


async def numbers(task) -> dict[str, float]:
    async for sample in task.client.metrics():
        return {metric.name: metric.value for metric in sample.metrics}
    raise AssertionError("no sample")


async def numbers_when(task, condition) -> dict[str, float]:
    """Watch until ``condition`` holds of the task's numbers."""
    async with asyncio.timeout(DEADLINE_S):
        async for sample in task.client.metrics():
            values = {metric.name: metric.value for metric in sample.metrics}
            if condition(values):
                return values
    raise AssertionError("the stream ended")


async def fire_all(tasks, event: str, *arguments: dict[str, str]) -> None:
    """Send ``event`` to all at the same time."""
    each = arguments or [{}] * len(tasks)
    outcomes = await asyncio.gather(*(task.fire(event, given) for task, given in zip(tasks, each, strict=True)))
    assert all(outcome.ok for outcome in outcomes)


@pytest.fixture
async def chain(launch, some_port: int):
    """A source, a processor and a sink; TCP and an abstract socket between them; configured."""
    between = f"ipc://@{uuid.uuid4().hex}"
    tasks = await asyncio.gather(*(launch("-m", "occ", "sample", name) for name in ("source", "processor", "sink")))
    await fire_all(
        tasks,
        "CONFIGURE",
        channel("data", "push", "bind", f"tcp://*:{some_port}") | {"rate_hz": "500", "size_bytes": "1000"} | PATIENT,
        channel("in", "pull", "connect", f"tcp://127.0.0.1:{some_port}")
        | channel("out", "push", "bind", between)
        | PATIENT,
        channel("in", "pull", "connect", between) | PATIENT,
    )
    return tasks


async def test_everything_that_is_sent_arrives_in_every_run(chain) -> None:
    source, processor, sink = chain
    for run in ("1001", "1002"):
        await fire_all(chain, "START", *[{"runNumber": run}] * 3)
        running = await numbers_when(sink, lambda values: values["data.sink.messages"] > 100)
        assert running["data.sink.errors"] == 0
        await fire_all(chain, "STOP")
        sent, passed, arrived = await numbers(source), await numbers(processor), await numbers(sink)
        assert sent["data.source.bytes"] == passed["data.processor.bytes"] == arrived["data.sink.bytes"] > 100_000
        assert sent["data.source.messages"] == arrived["data.sink.messages"]
        assert (arrived["data.sink.errors"], arrived["data.sink.strays"], passed["data.processor.dropped"]) == (0, 0, 0)
    await fire_all(chain, "RESET")
    await fire_all(chain, "EXIT")
    assert [await task.exit_code() for task in chain] == [0, 0, 0]


async def test_a_source_that_hangs_shows_as_rate_0_at_the_sink(chain) -> None:
    source, _, sink = chain
    await fire_all(chain, "START", *[{"runNumber": "7"}] * 3)
    await numbers_when(sink, lambda values: values["data.sink.rate"] > 0)
    os.kill(source.process.pid, signal.SIGSTOP)
    await numbers_when(sink, lambda values: values["data.sink.rate"] == 0)
    os.kill(source.process.pid, signal.SIGCONT)
    await numbers_when(sink, lambda values: values["data.sink.rate"] > 0)
    await fire_all(chain, "STOP")
    assert (await numbers(sink))["data.sink.errors"] == 0


async def test_a_sink_reports_what_is_missing_or_damaged(launch) -> None:
    sink = await launch("-m", "occ", "sample", "sink")
    address = f"ipc://@{uuid.uuid4().hex}"
    assert (await sink.fire("CONFIGURE", channel("in", "pull", "bind", address))).ok
    assert (await sink.fire("START", {"runNumber": "9"})).ok
    payload = b"payload"
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.connect(address)
        for sequence, sent in ((0, payload), (1, payload), (3, payload), (4, b"damaged")):
            push.send_multipart([Stamp(1, 9, sequence, zlib.crc32(payload)).pack(), sent])
        push.send_multipart([Stamp(1, 9, 5, 0, ends_run=True).pack(), b""])
        await numbers_when(sink, lambda values: values["data.sink.messages"] == 3)
        assert (await sink.fire("STOP")).ok
    values = await numbers(sink)
    assert (values["data.sink.errors"], values["data.sink.bytes"]) == (2, 3 * len(payload))


async def test_a_source_without_a_reader_stops_when_told(launch) -> None:
    source = await launch("-m", "occ", "sample", "source")
    address = f"ipc://@{uuid.uuid4().hex}"
    await source.fire("CONFIGURE", channel("data", "push", "bind", address) | {"rate_hz": "0", "drain_s": "0.1"})
    assert (await source.fire("START")).ok
    assert (await source.fire("STOP")).ok
    assert (await source.fire("EXIT")).ok
    assert await source.exit_code() == 0


async def test_quality_sees_a_copy_of_the_stream(launch) -> None:
    source, quality = await asyncio.gather(*(launch("-m", "occ", "sample", name) for name in ("source", "quality")))
    address = f"ipc://@{uuid.uuid4().hex}"
    await fire_all(
        [source, quality],
        "CONFIGURE",
        channel("data", "pub", "bind", address) | {"size_bytes": "100"},
        channel("data", "sub", "connect", address),
    )
    await fire_all([source, quality], "START", {"runNumber": "1"}, {"runNumber": "1"})
    values = await numbers_when(quality, lambda values: values["qc.entries"] > 10)
    assert values["qc.size.bin07"] == values["qc.entries"]
    await fire_all([source, quality], "STOP")


async def test_the_knobs_for_tests_fail_delay_and_end_the_process(launch) -> None:
    sink = await launch("-m", "occ", "sample", "sink")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert (await sink.fire("CONFIGURE", {"fail_on": "START", "delay_s.CONFIGURE": "0.3"})).ok
    assert loop.time() - begin >= 0.3
    assert (await sink.fire("START")).state is TaskState.ERROR
    assert (await sink.fire("RECOVER")).ok
    assert (await sink.fire("CONFIGURE", {"exit_on": "START"})).ok
    call = asyncio.create_task(sink.fire("START"))
    assert await sink.exit_code() == 3
    await asyncio.gather(call, return_exceptions=True)


async def test_a_channel_that_cannot_be_opened_leads_to_error_and_back(launch) -> None:
    sink = await launch("-m", "occ", "sample", "sink")
    assert (
        await sink.fire("CONFIGURE", channel("in", "pull", "bind", "tcp://nowhere.invalid:1"))
    ).state is TaskState.ERROR
    assert (await sink.fire("RECOVER")).ok
    assert (await sink.fire("CONFIGURE")).ok
