"""G7: 10,000 state changes until they are painted, against Textual's own Tree doing the same in the same run; keys; memory.

Both run without a terminal, at 160x50. What is painted when is asked of Textual: it calls back after the next paint.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import psutil
import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Tree

from console.session import Session
from console.tui.app import ConsoleApp
from console.tui.screens.environment import EnvironmentScreen
from server.api.client import Client, Deadlines
from server.api.model import Batch, Change, Environment, Part, Role, Task

HOSTS, TASKS = 100, 100
SIZE = (160, 50)
ROUNDS = 7
KEYS = 60
UNDER_LOAD_PER_S, BATCHES_PER_S = 10_000, 100
ENV = "2abCDEFghij"
WAIT_S = 20.0


class Feed:
    """A source that gives what it is handed."""

    name, is_advisory = "bench", False

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Batch] = asyncio.Queue()
        self._seq = 0

    def now(self) -> float:
        return time.time()

    def send(self, part: Part, *things: Any) -> None:
        self._seq += 1
        self._queue.put_nowait(
            Batch("bench", self._seq, part, tuple(Change(one, self._seq) for one in things), int(1000 * time.time()))
        )

    def focus(self, environment_id: str) -> None:
        """It shows everything anyway."""

    async def batches(self, epoch: str, since: int) -> AsyncIterator[Batch]:
        while True:
            yield await self._queue.get()


def facility() -> tuple[Environment, list[Role], list[Task]]:
    """Return an environment of 100 hosts with 100 tasks each."""
    roles = [Role(environment_id=ENV, path="root", name="root", kind="aggregator", state="CONFIGURED", critical=True)]
    tasks = []
    for host in range(HOSTS):
        at = len(roles)
        path = f"root.host-flp{host:03}"
        roles.append(
            Role(environment_id=ENV, path=path, name=f"host-flp{host:03}", kind="aggregator", state="CONFIGURED",
                 critical=True, order=at, parent_order=0)
        )  # fmt: skip
        for number in range(TASKS):
            task = Task(
                task_id=f"t{host:03}-{number:03}", name=f"task{number}", class_name=f"repo/tasks/task{number}@1",
                environment_id=ENV, path=f"{path}.task{number}", host=f"flp{host:03}", state="CONFIGURED",
                status="ACTIVE", critical=True,
            )  # fmt: skip
            tasks.append(task)
            roles.append(
                Role(environment_id=ENV, path=task.path, name=task.name, kind="task", state=task.state, critical=True,
                     task_id=task.task_id, order=at + 1 + number, parent_order=at)
            )  # fmt: skip
    one = Environment(id=ENV, template="many", state="CONFIGURED", hosts=HOSTS, tasks_total=HOSTS * TASKS)
    return one, roles, tasks


async def painted(widget: Widget | App[Any], change: Callable[[], object]) -> float:
    """Return the milliseconds from a change to the end of the paint that shows it."""
    done = asyncio.Event()
    began = time.perf_counter()
    change()
    widget.call_after_refresh(done.set)
    await asyncio.wait_for(done.wait(), WAIT_S)
    return (time.perf_counter() - began) * 1000


def said(found: Sequence[float]) -> str:
    ordered = sorted(found)
    at = int(len(ordered) * 0.95)
    return f"median {statistics.median(found):.1f} ms, p95 {ordered[at]:.1f} ms, min {ordered[0]:.1f} ms"


async def shown(app: ConsoleApp, feed: Feed, one: Environment, roles: list[Role], tasks: list[Task]) -> None:
    """Bring the environment's screen up with everything in it."""
    feed.send(Part.BEGIN, one, *roles, *tasks)
    feed.send(Part.END)
    async with asyncio.timeout(WAIT_S):
        while not app.environment_id:
            await painted(app, lambda: None)
    app.action_show("environment")
    async with asyncio.timeout(WAIT_S):
        while not isinstance(app.screen, EnvironmentScreen):
            await painted(app, lambda: None)
    for _ in range(3):
        await painted(app.screen, lambda: None)


def other(state: str) -> str:
    return "RUNNING" if state == "CONFIGURED" else "CONFIGURED"


class StockTree(App[None]):
    """The same tree, made of Textual's own."""

    def compose(self) -> ComposeResult:
        tree: Tree[int] = Tree("root", id="tree")
        tree.root.expand()
        yield tree

    def on_mount(self) -> None:
        tree = self.query_one("#tree", Tree)
        self.leaves = []
        for host in range(HOSTS):
            branch = tree.root.add(f"host-flp{host:03} CONFIGURED", expand=True)
            self.leaves += [branch.add_leaf(f"task{number} CONFIGURED") for number in range(TASKS)]

    def change(self, state: str) -> None:
        for number, leaf in enumerate(self.leaves):
            leaf.set_label(f"task{number % TASKS} {state}")


async def stock_round(state: str) -> float:
    app = StockTree()
    async with app.run_test(size=SIZE):
        for _ in range(3):
            await painted(app, lambda: None)
        return await painted(app, lambda: app.change(state))


Measure = Callable[[ConsoleApp, Feed, Environment, list[Role], list[Task]], Awaitable[None]]


async def on_screen(measure: Measure) -> None:
    one, roles, tasks = facility()
    feed = Feed()
    app = ConsoleApp(Session(Client("127.0.0.1:1", deadlines=Deadlines(connect_s=1.0)), source=feed))
    async with app.run_test(size=SIZE):
        await shown(app, feed, one, roles, tasks)
        await measure(app, feed, one, roles, tasks)


@pytest.mark.timeout(120)
async def test_memory() -> None:
    process = psutil.Process()
    before = process.memory_info().rss

    async def measure(app: ConsoleApp, feed: Feed, one: Environment, roles: list[Role], tasks: list[Task]) -> None:
        grown = (process.memory_info().rss - before) / 1e6
        print(
            f"\n10,000 tasks and their roles on the screen: {grown:.0f} MB, {process.memory_info().rss / 1e6:.0f} MB in all"
        )

    await on_screen(measure)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
async def test_ten_thousand_changes(unfolded: bool) -> None:
    ours: list[float] = []
    applied: list[float] = []
    stock: list[float] = []

    async def measure(app: ConsoleApp, feed: Feed, one: Environment, roles: list[Role], tasks: list[Task]) -> None:
        screen = app.screen
        assert isinstance(screen, EnvironmentScreen)
        if unfolded:
            tree = screen.query_one("#roles")
            for role in roles[:: TASKS + 1]:
                tree._rows.fold(role.order + 1, is_folded=False)  # type: ignore[attr-defined]
            await painted(screen, tree.rows_changed)  # type: ignore[attr-defined]
        revision = 10
        for _ in range(ROUNDS):
            tasks[:] = [replace(task, state=other(task.state)) for task in tasks]
            roles[:] = [replace(role, state=other(role.state)) for role in roles]
            revision += 1
            changes = tuple(Change(thing, revision) for thing in (*roles, *tasks))
            began = time.perf_counter()
            changed = app.session.store.apply(Batch("bench", revision, Part.NONE, changes, int(1000 * time.time())))
            applied.append((time.perf_counter() - began) * 1000)
            ours.append(await painted(screen, lambda changed=changed: screen.take(changed)))  # type: ignore[misc]

    for _ in range(2):
        await on_screen(measure)
        stock += [await stock_round(state) for state in ("RUNNING", "CONFIGURED", "RUNNING")]
    ratio = statistics.median(stock) / statistics.median(ours)
    print(f"\n10,000 changes painted, tree and task list: {said(ours)}")
    print(f"  (taken into the store before that: {said(applied)})")
    print(f"  stock Tree, the tree only: {said(stock)}: {ratio:.1f} x as long")


@pytest.mark.timeout(300)
async def test_keys() -> None:
    async def measure(app: ConsoleApp, feed: Feed, one: Environment, roles: list[Role], tasks: list[Task]) -> None:
        app.screen.query_one("#tasks").focus()
        idle = [await painted(app.screen, lambda: app.simulate_key("j")) for _ in range(KEYS)]
        loop = asyncio.get_running_loop()
        at, sent, began = 0, 0, loop.time()

        def more() -> None:
            nonlocal at, sent, timer
            for _ in range(UNDER_LOAD_PER_S // BATCHES_PER_S // 50):
                part = range(at, at + 50)
                at = (at + 50) % (HOSTS * TASKS)
                for number in part:
                    tasks[number] = replace(tasks[number], state=other(tasks[number].state))
                feed.send(Part.NONE, *(tasks[number] for number in part))
                sent += 50
            timer = loop.call_later(1 / BATCHES_PER_S, more)

        timer = loop.call_later(0, more)
        busy = []
        for _ in range(KEYS):
            busy.append(await painted(app.screen, lambda: app.simulate_key("j")))
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(_later(0.03))), WAIT_S)
        timer.cancel()
        print(f"\nkey to paint, idle: {said(idle)}")
        print(f"key to paint, {sent / (loop.time() - began):.0f} changes/s: {said(busy)}")

    await on_screen(measure)


async def _later(seconds: float) -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, future.set_result, None)
    await future
