"""What waits for the link, and what does not."""

from __future__ import annotations

import asyncio
import signal
import sys
from itertools import count

from executor.api import executor_pb2
from executor.api.messages import (
    Command,
    CommandReply,
    DeviceEvent,
    DeviceEvents,
    Hello,
    MetricSamples,
    Phase,
    Ping,
    Pong,
    TaskReport,
    TaskReports,
    Welcome,
)
from executor.link import Link
from executor.settings import Settings
from executor.waits import happens

HELLO = Hello(executor_id="x", agent_id="a", host="h", pid=1, instance="i", version="0")


def reply(number: int) -> CommandReply:
    return CommandReply(command_id=f"c{number}", results=())


def event(number: int) -> DeviceEvents:
    return DeviceEvents(events=(DeviceEvent(task_id=f"t{number}", environment_id="e", type=1),))


def task_reports(task_id: str) -> TaskReports:
    return TaskReports(tasks=(TaskReport(task_id=task_id, environment_id="e", phase=Phase.ACTIVE),))


async def test_device_events_wait_for_the_link_and_follow_the_hello_which_tells_all_else(core):
    await core.stop()
    link = Link(
        f"unix:{core.path}", Settings(), on_up=lambda: link.send(HELLO), on_down=lambda: None, on_command=lambda c: None
    )
    for report in (reply(1), task_reports("t"), MetricSamples(samples=(), timestamp_ms=1), Pong(sent_ms=1), event(1)):
        link.send(report)
    running = asyncio.create_task(link.run())
    await core.start()
    await core.until(lambda: len(core.reports) >= 2)
    assert core.reports == [HELLO, event(1)]
    await link.close()
    async with asyncio.timeout(60):
        await running


async def test_without_a_link_the_oldest_report_goes_when_the_queue_is_full(core):
    await core.stop()
    settings = Settings(queue_limit=3)
    link = Link(f"unix:{core.path}", settings, on_up=lambda: None, on_down=lambda: None, on_command=lambda c: None)
    for number in range(5):
        link.send(event(number))
    running = asyncio.create_task(link.run())
    await core.start()
    await core.until(lambda: len(core.reports) == 3)
    assert core.reports == [event(2), event(3), event(4)]
    await link.close()
    async with asyncio.timeout(60):
        await running


async def test_a_link_whose_queue_is_full_is_dialled_again_and_task_reports_are_replaced_by_the_hello(core):
    downs: list[int] = []
    settings = Settings(queue_limit=10)
    link = Link(
        f"unix:{core.path}",
        settings,
        on_up=lambda: link.send(HELLO),
        on_down=lambda: downs.append(1),
        on_command=lambda c: None,
    )
    running = asyncio.create_task(link.run())
    await core.until(lambda: core.hellos == 1)
    for number in range(12):  # more than the limit within one turn of the loop
        link.send(task_reports(f"t{number}"))
    await core.until(lambda: core.hellos == 2)
    assert downs == [1]
    await link.close()
    async with asyncio.timeout(60):
        await running


async def test_a_report_that_cannot_be_sent_ends_the_link_it_was_for_and_not_the_next(core, caplog):
    link = Link(
        f"unix:{core.path}", Settings(), on_up=lambda: link.send(HELLO), on_down=lambda: None, on_command=lambda c: None
    )
    running = asyncio.create_task(link.run())
    await core.until(lambda: core.hellos == 1)
    link.send(
        TaskReports(tasks=(TaskReport(task_id="half a \ud800 character", environment_id="e", phase=Phase.ENDED),))
    )
    await core.until(lambda: core.hellos == 2)
    link.send(event(1))
    await core.until(lambda: event(1) in core.reports)
    assert "a report cannot be sent" in caplog.text
    await link.close()
    async with asyncio.timeout(60):
        await running


async def test_a_command_of_a_newer_core_is_passed_over_and_those_after_it_are_heard(core, caplog):
    heard: asyncio.Queue[Command] = asyncio.Queue()
    link = Link(f"unix:{core.path}", Settings(), on_up=lambda: None, on_down=lambda: None, on_command=heard.put_nowait)
    running = asyncio.create_task(link.run())
    core.send(executor_pb2.Command())
    core.send(Ping(sent_ms=7))
    async with asyncio.timeout(60):
        assert [await heard.get(), await heard.get()] == [Welcome(core_epoch="1", lease_s=0.0), Ping(sent_ms=7)]
    assert "unknown kind" in caplog.text
    await link.close()
    async with asyncio.timeout(60):
        await running


async def test_a_fault_while_a_link_is_open_leads_to_the_next_one(core, caplog):
    heard: asyncio.Queue[Command] = asyncio.Queue()
    faults = [ZeroDivisionError()]

    def take(command: Command) -> None:
        heard.put_nowait(command)
        if faults:
            raise faults.pop()

    link = Link(f"unix:{core.path}", Settings(), on_up=lambda: None, on_down=lambda: None, on_command=take)
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(60):
        assert [await heard.get(), await heard.get()] == [Welcome(core_epoch="1", lease_s=0.0)] * 2
    assert "ZeroDivisionError" in caplog.text
    await link.close()
    async with asyncio.timeout(60):
        await running


async def test_a_burst_of_task_reports_arrives_as_one_message(core):
    link = Link(
        f"unix:{core.path}", Settings(), on_up=lambda: link.send(HELLO), on_down=lambda: None, on_command=lambda c: None
    )
    running = asyncio.create_task(link.run())
    await core.until(lambda: core.hellos)
    for number in range(50):
        link.send(task_reports(f"t{number}"))
    await core.until(lambda: len(core.task_reports("t49")) == 1)
    assert len(core.reports) == 2
    await link.close()
    async with asyncio.timeout(60):
        await running


TALKING = """
import asyncio, sys, grpc
from executor.api import executor_pb2_grpc
from executor.api.convert import command_to_pb
from executor.api.messages import Ping

class Core(executor_pb2_grpc.LinkServicer):
    async def Attach(self, requests, context):
        while True:
            await context.write(command_to_pb(Ping(sent_ms=1)))

async def main():
    server = grpc.aio.server()
    executor_pb2_grpc.add_LinkServicer_to_server(Core(), server)
    server.add_insecure_port(sys.argv[1])
    await server.start()
    print("talking", flush=True)
    await server.wait_for_termination()

asyncio.run(main())
"""


async def test_a_link_outlives_a_core_that_is_stopped_in_the_midst_of_talking(tmp_path):
    target = f"unix:{tmp_path}/core.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", TALKING, target, stdout=asyncio.subprocess.PIPE
    )
    hears, is_down = asyncio.Event(), asyncio.Event()
    heard = count(1)
    link = Link(
        target, Settings(core_answer_s=1.0), on_up=lambda: None, on_down=is_down.set,
        on_command=lambda command: hears.set() if next(heard) > 1000 else None,
    )  # fmt: skip
    running = asyncio.create_task(link.run())
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 60)
        await asyncio.wait_for(hears.wait(), 60)
        process.send_signal(signal.SIGSTOP)
        assert not await happens(is_down, 3.0), "it is asked only when it was quiet for long"
    finally:
        running.cancel()
        process.kill()
        await asyncio.gather(running, process.wait(), return_exceptions=True)
