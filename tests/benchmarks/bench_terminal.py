"""G6 and G13 in a real pseudo-terminal: first paint, one change to its bytes, a burst, memory; 10,000 tasks.

The core is a scripted one in this process, so that what is measured is what the console adds: decoding, store, painting.
A change counts from the moment when a bare ``Live.Watch`` client in this process has it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_core import FakeCore
from terminal_child import TerminalChild

from server.api.client import Client, Deadlines
from server.api.model import Environment, Part

ALIECS = str(Path(sys.executable).parent / "aliecs")
ROUNDS = 7
CHANGES = 40
BURST = 10_000
HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("hello, world of screens")
Hello().run()
"""


def quantiles(found: Sequence[float]) -> str:
    ordered = sorted(found)
    return (
        f"median {statistics.median(found):.1f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms, "
        f"min {ordered[0]:.1f} ms"
    )


async def painted_ms(words: Sequence[str], text: bytes) -> float:
    began = time.perf_counter()
    async with TerminalChild(words) as child:
        await child.appears(text)
        return (time.perf_counter() - began) * 1000


@pytest.fixture
async def core() -> FakeCore:
    one = FakeCore()
    await one.start()
    return one


@pytest.mark.timeout(300)
async def test_first_paint_with_live_data(core: FakeCore) -> None:
    environment = core.add(state="CONFIGURED")
    found: dict[str, list[float]] = {"hello": [], "aliecs": []}
    for _ in range(ROUNDS):
        found["hello"].append(await painted_ms([sys.executable, "-c", HELLO], b"hello, world of screens"))
        found["aliecs"].append(await painted_ms([ALIECS, "--endpoint", core.endpoint, "tui"], environment.id.encode()))
    ratio = statistics.median(mine / base for mine, base in zip(found["aliecs"], found["hello"], strict=True))
    print(f"\nfirst paint with live data: {quantiles(found['aliecs'])}; {ratio:.2f} x a Textual hello")
    await core.stop()


class Bare:
    """A client that does nothing but receive: when did it have which state of the environment?"""

    def __init__(self, endpoint: str) -> None:
        self._client = Client(endpoint, deadlines=Deadlines())
        self.at: dict[int, float] = {}
        self.is_ready = asyncio.Event()

    async def run(self) -> None:
        async for batch in self._client.watch():
            if batch.part is Part.END:
                self.is_ready.set()
            for change in batch.changes:
                if isinstance(change.value, Environment):
                    self.at[change.value.run_number] = time.perf_counter()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("screen", "keys"), [("overview", b""), ("environment", b"2")])
async def test_one_change_and_a_burst_with_ten_thousand_tasks(core: FakeCore, screen: str, keys: bytes) -> None:
    core.hosts, core.tasks_per_host = BURST // 2, 2
    environment = core.add(state="CONFIGURED")
    bare = Bare(core.endpoint)
    receiving = asyncio.create_task(bare.run())
    await bare.is_ready.wait()
    async with TerminalChild([ALIECS, "--endpoint", core.endpoint, "tui"]) as child:
        await child.appears(environment.id.encode())
        child.press(keys)
        await child.is_quiet()
        added = []
        for number in range(100_000, 100_000 + CHANGES):
            shown = asyncio.create_task(child.appears(str(number).encode()))
            core.show(replace(environment, state="RUNNING", run_number=number))
            await shown
            added.append((time.perf_counter() - bare.at[number]) * 1000)
            await child.is_quiet()
        print(f"\n{screen}: one change to terminal with {BURST} tasks: {quantiles(added)}")
        after = []
        for number in range(200_000, 200_005):
            state = "RUNNING" if number % 2 else "CONFIGURED"
            shown = asyncio.create_task(child.appears(str(number).encode()))
            tasks = [replace(task, state=state) for task in core.tasks.values()]
            core.tasks.update((task.task_id, task) for task in tasks)
            for at in range(0, len(tasks), 1000):
                core.publish(*tasks[at : at + 1000])
            core.show(replace(environment, state="RUNNING", run_number=number))
            await shown
            after.append((time.perf_counter() - bare.at[number]) * 1000)
            await child.is_quiet()
        print(f"{screen}: {BURST} task changes, last one to terminal: {quantiles(after)}")
        print(f"{screen}: memory {child.memory_mib():.0f} MiB of its own")
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    await bare._client.close()
    await core.stop()
