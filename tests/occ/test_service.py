"""OCC as clients see it: a real gRPC server and a real client (occ-executor-mesos.md 1.2 and 1.3, golden facts a to o)."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterable

import grpc
import pytest

from occ import Device, DeviceEvent, Metric, OccClient, Properties, TaskState, Trigger
from occ.api import occ_pb2, occ_pb2_grpc
from occ.errors import ConfigError, DeadlineError, LinkError, RefusedError, TaskError

DEADLINE_S = 60.0


class Failing(Device):
    """Fails in the callbacks named in ``failing``."""

    check_period_s = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def _act(self, name: str) -> int:
        self.entered.set()
        assert self.gate.wait(DEADLINE_S)
        return int(name in self.failing)

    def configure(self, properties: Properties) -> int:
        return self._act("configure")

    def start(self) -> int:
        return self._act("start")

    def iterate_check(self) -> int:
        return int("check" in self.failing)


async def collect(stream: AsyncIterator[object], count: int | None = None) -> list[object]:
    """Return the first ``count`` values, or all until the stream ends."""
    values = []
    async with asyncio.timeout(DEADLINE_S):
        async for value in stream:
            values.append(value)
            if len(values) == count:
                break
    return values


async def subscribed(served, *streams: AsyncIterator[object]) -> list[asyncio.Task[list[object]]]:
    """Collect ``streams`` to their end, in the background; return when the server has all of them."""
    tasks = [asyncio.create_task(collect(stream)) for stream in streams]
    channels = served.controller.states, served.controller.events
    async with asyncio.timeout(DEADLINE_S):
        while sum(channel.subscribers for channel in channels) < len(streams):
            await served.client.get_state(DEADLINE_S)
    return tasks


async def test_get_state_tells_state_and_pid(serve) -> None:
    served = await serve(Device())
    report = await served.client.get_state(DEADLINE_S)
    assert (report.state, report.pid, report.native) == (TaskState.STANDBY, os.getpid(), "STANDBY")


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("STANDBY", "RESET"),
        ("STANDBY", "RECOVER"),
        ("CONFIGURED", "CONFIGURE"),
        ("CONFIGURED", "STOP"),
        ("RUNNING", "START"),
    ],
)
async def test_an_event_that_is_not_accepted_but_has_nothing_to_change_succeeds(serve, state: str, event: str) -> None:
    device = Failing()
    served = await serve(device)
    await served.reach(TaskState(state))
    device.failing = {"configure", "start"}
    outcome = await served.fire(event)
    assert (outcome.ok, outcome.trigger, outcome.state.value) == (True, Trigger.EXECUTOR, state)


@pytest.mark.parametrize(
    ("state", "events"),
    [
        ("STANDBY", ["START", "STOP", "GO_ERROR"]),
        ("CONFIGURED", ["RECOVER", "GO_ERROR"]),
        ("RUNNING", ["CONFIGURE", "RESET", "RECOVER", "GO_ERROR", "EXIT"]),
    ],
)
async def test_other_events_that_are_not_accepted_change_nothing(serve, state: str, events: list[str]) -> None:
    served = await serve(Device())
    await served.reach(TaskState(state))
    for event in events:
        outcome = await served.fire(event)
        assert (outcome.ok, outcome.trigger, outcome.state.value) == (False, Trigger.DEVICE_INTENTIONAL, state)


async def test_in_error_everything_but_recover_and_exit_is_answered_with_device_error(serve) -> None:
    device = Failing()
    device.failing = {"configure"}
    served = await serve(device)
    for event in ("CONFIGURE", "CONFIGURE", "START", "STOP", "RESET", "GO_ERROR"):
        outcome = await served.fire(event)
        assert (outcome.ok, outcome.trigger) == (event == "GO_ERROR", Trigger.DEVICE_ERROR)
    assert (await served.fire("RECOVER")).state is TaskState.STANDBY


@pytest.mark.parametrize("event", ["PAUSE", "RESUME", "configure", "Start", "", "FOO", "CONFIGURE "])
@pytest.mark.parametrize("source", ["STANDBY", "BOGUS"])
async def test_an_unknown_event_is_told_first_and_as_unknown(serve, event: str, source: str) -> None:
    served = await serve(Device())
    with pytest.raises(TaskError, match="Unexpected error in RPC handling"):
        await served.client.transition(source, event, {}, DEADLINE_S)


@pytest.mark.parametrize("source", ["CONFIGURED", "standby", "", "DONE", "BOGUS"])
async def test_a_wrong_source_is_refused_in_the_words_of_the_original(serve, source: str) -> None:
    served = await serve(Device())
    with pytest.raises(RefusedError, match=f"state mismatch: source: {source} current: STANDBY"):
        await served.client.transition(source, "CONFIGURE", {}, DEADLINE_S)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await occ_pb2_grpc.OccStub(channel).Transition(
                occ_pb2.TransitionRequest(srcState=source, transitionEvent="CONFIGURE")
            )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == f"transition not possible: state mismatch: source: {source} current: STANDBY"


async def test_done_takes_nothing_more(serve) -> None:
    served = await serve(Device())
    assert (await served.fire("EXIT")).state is TaskState.DONE
    with pytest.raises(RefusedError, match="DONE"):
        await served.fire("EXIT")


async def test_every_state_stream_gets_every_change_no_snapshot_and_an_end(serve) -> None:
    served = await serve(Device())
    await served.reach(TaskState.CONFIGURED)
    streams = await subscribed(
        served, served.client.state_stream(), served.client.state_stream(), served.client.event_stream()
    )
    for event in ("START", "START", "STOP", "EXIT"):
        await served.fire(event)
    states = [TaskState.RUNNING, TaskState.CONFIGURED, TaskState.DONE]
    assert await asyncio.gather(*streams) == [states, states, []]
    assert await collect(served.client.state_stream()) == []


async def test_every_event_stream_gets_the_internal_error_and_late_ones_nothing(serve) -> None:
    device = Failing()
    served = await serve(device)
    streams = await subscribed(
        served, served.client.event_stream(), served.client.event_stream(), served.client.state_stream()
    )
    device.failing = {"check"}
    async with asyncio.timeout(DEADLINE_S):
        while (await served.client.get_state(DEADLINE_S)).state is not TaskState.ERROR:
            pass
    device.failing = set()
    late = await subscribed(served, *(served.client.event_stream() for _ in range(4)))
    await served.fire("EXIT")
    error = [DeviceEvent.TASK_INTERNAL_ERROR]
    assert await asyncio.gather(*streams) == [error, error, [TaskState.ERROR, TaskState.DONE]]
    assert await asyncio.gather(*late) == [[], [], [], []]


async def test_a_stream_that_is_left_is_forgotten_by_the_server(serve) -> None:
    served = await serve(Device())
    (stream,) = await subscribed(served, served.client.state_stream())
    stream.cancel()
    async with asyncio.timeout(DEADLINE_S):
        while served.controller.states.subscribers:
            await served.client.get_state(DEADLINE_S)
    assert (await served.fire("CONFIGURE")).ok


async def test_an_idle_stream_sends_no_headers_so_nobody_may_wait_for_them(serve) -> None:
    served = await serve(Device())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        call = occ_pb2_grpc.OccStub(channel).EventStream(occ_pb2.EventStreamRequest())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await call.initial_metadata()
        call.cancel()


async def test_get_state_and_commands_wait_for_the_callback_that_runs(serve) -> None:
    device = Failing()
    served = await serve(device)
    device.gate.clear()
    transition = asyncio.create_task(served.fire("CONFIGURE"))
    assert await asyncio.to_thread(device.entered.wait, DEADLINE_S)
    with pytest.raises(DeadlineError):
        await served.client.get_state(0.2)
    device.gate.set()
    assert (await transition).ok
    assert (await served.client.get_state(DEADLINE_S)).state is TaskState.CONFIGURED


async def test_a_deadline_of_the_client_does_not_stop_the_callback(serve) -> None:
    device = Failing()
    served = await serve(device)
    (states,) = await subscribed(served, served.client.state_stream())
    device.gate.clear()
    transition = asyncio.create_task(served.client.transition("STANDBY", "CONFIGURE", {}, 2.0))
    assert await asyncio.to_thread(device.entered.wait, DEADLINE_S)
    with pytest.raises(DeadlineError):
        await transition
    device.gate.set()
    assert (await served.client.get_state(DEADLINE_S)).state is TaskState.CONFIGURED
    await served.fire("EXIT")
    assert await states == [TaskState.CONFIGURED, TaskState.DONE]


async def test_metrics_come_at_once_and_again_to_all_watchers_until_done(serve) -> None:
    class Counting(Device):
        metrics_period_s = 0.02
        calls = 0

        def metrics(self) -> Iterable[Metric]:
            self.calls += 1
            return [Metric("test.calls", self.calls, "1"), Metric("test.rate", 0.5, "B/s")]

    served = await serve(Counting())
    watches = [asyncio.create_task(collect(served.client.metrics())) for _ in range(2)]
    (first, second) = await collect(served.client.metrics(), 2)
    assert first.metrics[0].value < second.metrics[0].value
    assert first.metrics[1] == Metric("test.rate", 0.5, "B/s")
    assert 0 <= second.timestamp_ms - first.timestamp_ms < DEADLINE_S * 1000
    await served.fire("EXIT")
    assert all(len(samples) >= 2 for samples in await asyncio.gather(*watches))


async def test_who_wants_only_news_of_metrics_gets_what_changed_and_rates_that_last(serve) -> None:
    class Steady(Device):
        metrics_period_s = 0.005
        calls = 0
        rate = 0.0

        def metrics(self) -> Iterable[Metric]:
            self.calls += not self.rate
            return [Metric("test.tens", self.calls // 10, "1"), Metric("test.rate", self.rate, "B/s")]

    device = Steady()
    served = await serve(device)
    samples = await collect(served.client.metrics(only_news=True), 3)
    assert [sample.metrics[0].value for sample in samples] == [0, 1, 2]
    device.rate = 0.5
    samples = await collect(served.client.metrics(only_news=True), 3)
    assert len({sample.metrics for sample in samples}) == 1, "a rate that lasts is renewed"


async def test_a_device_without_metrics_says_so_once_and_costs_nothing_more(serve) -> None:
    class Plain(Device):
        metrics_period_s = 0.005

    served = await serve(Plain())
    watch = asyncio.create_task(collect(served.client.metrics()))
    for event in ("CONFIGURE", "START", "STOP", "RESET"):
        await served.fire(event)
    await collect(served.client.metrics(), 1)
    await served.fire("EXIT")
    assert [sample.metrics for sample in await watch] == [()]


async def test_metrics_that_fail_are_none_and_harm_nothing(serve, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Device):
        def metrics(self) -> Iterable[Metric]:
            raise OSError("no counter")

    served = await serve(Broken())
    (sample,) = await collect(served.client.metrics(), 1)
    assert sample.metrics == ()
    assert "no counter" in caplog.text
    assert (await served.fire("CONFIGURE")).ok


async def test_a_metric_that_is_no_number_is_told_in_the_log_and_those_of_the_next_time_come(
    serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Unsteady(Device):
        metrics_period_s = 0.01
        asked = 0

        def metrics(self) -> Iterable[Metric]:
            self.asked += 1
            return [Metric("n", "many" if self.asked == 2 else float(self.asked))]  # type: ignore[arg-type]

    served = await serve(Unsteady())
    samples = await collect(served.client.metrics(), 3)
    assert [[metric.value for metric in sample.metrics] for sample in samples] == [[1.0], [], [3.0]]
    assert "device=Unsteady" in caplog.text


async def test_nobody_is_asked_for_metrics_when_nobody_watches(serve) -> None:
    class Counting(Device):
        metrics_period_s = 0.01
        calls = 0

        def metrics(self) -> Iterable[Metric]:
            self.calls += 1
            return ()

    device = Counting()
    served = await serve(device)
    await collect(served.client.metrics(), 3)
    async with asyncio.timeout(DEADLINE_S):
        while served.server.is_metered:
            await served.client.get_state(DEADLINE_S)
    before = device.calls
    await served.reach(TaskState.RUNNING)
    assert device.calls == before


async def test_a_taken_port_is_refused_not_shared(serve) -> None:
    from occ.control import Controller
    from occ.service import Server

    served = await serve(Device())
    controller = Controller(Device())
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{served.port}"):
        await Server(controller, 1.0).open("127.0.0.1", served.port)
    await controller.close()


async def test_a_task_that_is_not_there_is_a_broken_link(some_port: int) -> None:
    async with OccClient(f"127.0.0.1:{some_port}") as client:
        with pytest.raises(LinkError, match=f"task at 127.0.0.1:{some_port}"):
            await client.get_state(DEADLINE_S)
