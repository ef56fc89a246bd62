"""What waits for the link, and what does not."""

from __future__ import annotations

import asyncio

from executor.api.messages import (
    CommandReply,
    DeviceEvent,
    DeviceEvents,
    Hello,
    MetricSamples,
    Phase,
    Pong,
    TaskReport,
    TaskReports,
)
from executor.link import Link
from executor.settings import Settings

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
    async with asyncio.timeout(5):
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
    async with asyncio.timeout(5):
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
    async with asyncio.timeout(5):
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
    async with asyncio.timeout(5):
        await running
