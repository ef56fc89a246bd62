"""Plays a recording's drivers against the double, and holds what the double says against what the real Mesos said.

The clock stands still but for the replay: it is moved to the time of each step, so delays cost nothing and ticks fall
where they fell. Order is that of the recording, except that the clock's own events (offers, heartbeats), what an agent
acknowledges once its disk has it, and updates of different tasks may pass each other, as they do in the recordings.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp

from mesos.agent import Agent
from mesos.client import Subscriber
from mesos.clock import HandClock
from mesos.double import MesosDouble
from mesos.executor_run import ExecutorRun
from mesos.likeness import Names, differences
from mesos.mishaps import Mishap
from mesos.played import WAIT_FOR_ORDERS, Orders
from mesos.streams import EventStream
from mesos.terms import Json
from mesos.transcript import Kind, Side, Step

PATIENCE_S = 60.0


class Replay:
    """One recording against one double."""

    def __init__(
        self, mesos: MesosDouble, clock: HandClock, folder: Path, steps: list[Step], mishaps: list[Mishap]
    ) -> None:
        self.names = Names()
        self.problems: list[str] = []
        self._mesos = mesos
        self._clock = clock
        self._steps = steps
        self._folder = folder
        self._mishaps = mishaps
        self._played = {
            step.message["executor_id"]["value"]
            for step in steps
            if step.side is Side.EXECUTOR and step.is_subscription
        }
        self._subscribers: dict[tuple[Side, str], Subscriber] = {}
        self._streams: dict[tuple[Side, str], EventStream | None] = {}
        self._executors: dict[str, str] = {}
        """Which executor subscribed on a connection."""
        self._ends: dict[str, Orders] = {}
        """Of executors, by their id."""
        self._gates: dict[str, Orders] = {}
        """Of commands that sleep, by their task."""
        self._ends_of_commands: dict[str, float] = {}
        self._exit_codes: dict[str, int] = {}
        for step in steps:
            self._prepare(step)
        self._time_commands()

    async def run(self) -> None:
        """Take all steps; what differed is in ``problems``."""
        due = list(self._mishaps)
        try:
            for step in self._steps:
                while due and due[0].time_s <= step.time_s:
                    mishap = due.pop(0)
                    self._clock.move_to(mishap.time_s)
                    await mishap.do(self._mesos)
                self._clock.move_to(step.time_s)
                await self._end_commands(step.time_s)
                await self._take(step)
            self._check_rest()
        finally:
            for subscriber in self._subscribers.values():
                await subscriber.close()
            for orders in (*self._ends.values(), *self._gates.values()):
                orders.close()

    def _prepare(self, step: Step) -> None:
        """Put in the place of recorded programs such as end when they are told to."""
        if step.message.get("type") == "FAILURE" and "status" in step.message["failure"]:
            failure = step.message["failure"]
            self._exit_codes[failure["executor_id"]["value"]] = failure["status"] >> 8
        if step.message.get("type") != "ACCEPT":
            return
        launches = [each["launch"] for each in step.message["accept"]["operations"] if "launch" in each]
        for task in [task for launch in launches for task in launch["task_infos"]]:
            command = task.get("executor", task)["command"]
            executor_id = task.get("executor", {}).get("executor_id", {}).get("value")
            if executor_id in self._played:
                if executor_id not in self._ends:
                    orders = self._ends[executor_id] = Orders(self._folder / f"{executor_id}.orders")
                    self.names.bind(command["value"], WAIT_FOR_ORDERS.replace("$ORDERS", str(orders.path)))
            elif re.search(r"sleep \d{1,2}\b", command["value"]):
                gate = self._gates[task["task_id"]["value"]] = Orders(self._folder / f"{task['task_id']['value']}.gate")
                command["value"] = re.sub(r"sleep \d+", f"read _ < {gate.path}", command["value"])

    def _time_commands(self) -> None:
        """Learn when the recorded commands ended: the word of it may have come much later."""
        since = None
        for step in self._steps:
            status = step.message.get("update", {}).get("status", {})
            if step.side is Side.SCHEDULER and "uuid" in status:
                since = since if since is not None else step.time_s - status["timestamp"]
                if status["task_id"]["value"] in self._gates and status["state"] == "TASK_FINISHED":
                    self._ends_of_commands[status["task_id"]["value"]] = min(step.time_s, status["timestamp"] + since)

    async def _end_commands(self, time_s: float) -> None:
        for task_id, end_s in list(self._ends_of_commands.items()):
            if end_s <= time_s:
                del self._ends_of_commands[task_id]
                self._gates[task_id].exit(0)
                run = next(run for run in self._runs() if run.id == task_id)
                await asyncio.wait_for(run.container.is_over.wait(), PATIENCE_S)

    async def _take(self, step: Step) -> None:
        if step.kind is Kind.CALL:
            await self._call(step)
        elif step.kind is Kind.EVENT:
            await self._expect(step)
        elif step.kind is Kind.HANG_UP:
            await self._hang_up(step)
        else:
            subscriber = self._subscribers[step.side, step.connection]
            try:
                await asyncio.wait_for(subscriber.is_over.wait(), PATIENCE_S)
            except TimeoutError:
                self.problems.append(f"{step.time_s}: the stream {step.connection} did not end")
            subscriber.events = [event for event in subscriber.events if event["type"] != "BROKEN"]

    async def _call(self, step: Step) -> None:
        message = self.names.ours(step.message)
        address = self._mesos.address if step.side is Side.SCHEDULER else self._agent_of(message).door.address
        url = f"http://{address}{step.path}"
        if step.is_subscription and step.status == 200:
            if step.side is Side.EXECUTOR:
                await asyncio.wait_for(self._run_of(message).container.is_started.wait(), PATIENCE_S)
            subscriber = self._subscribers[step.side, step.connection] = Subscriber(url)
            response = await subscriber.subscribe_with(message)
            self._streams[step.side, step.connection] = self._stream_of(message, response, step)
            status = response.status
        elif step.method == "GET":
            assert step.side is Side.SCHEDULER
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                status = response.status
                await response.read()
        else:
            stream_id = step.headers.get("Mesos-Stream-Id")
            headers = {"Mesos-Stream-Id": str(self.names.ours(stream_id))} if stream_id else {}
            headers |= {name: step.headers[name] for name in ("Accept",) if name in step.headers}
            async with Subscriber(url) as caller:
                status, _ = await caller.post(message, **headers)
        if status != step.status:
            self.problems.append(f"{step.time_s}: {message.get('type')} was answered {step.status}, ours {status}")

    def _stream_of(self, message: Json, response: aiohttp.ClientResponse, step: Step) -> EventStream | None:
        """Return the double's end of a subscription, and compare what its headers say."""
        relevant = ("Transfer-Encoding", "Content-Type", "Content-Length", "Server", "Mesos-Stream-Id")
        recorded = {name: step.answer_headers[name] for name in relevant if name in step.answer_headers}
        ours = {name: response.headers[name] for name in relevant if name in response.headers}
        self.problems += [f"{step.time_s}: {line}" for line in differences(recorded, ours, self.names)]
        if step.side is Side.EXECUTOR:
            self._executors[step.connection] = message["executor_id"]["value"]
            return self._run_of(message).stream
        stream_id = response.headers.get("Mesos-Stream-Id")
        streams = [framework.stream for framework in self._mesos.master.ledger.frameworks.values()]
        return next((stream for stream in streams if stream is not None and stream.stream_id == stream_id), None)

    async def _expect(self, step: Step) -> None:
        recorded = step.message
        kind, task_id = _key(recorded)
        subscriber = self._subscribers[step.side, step.connection]
        before = await subscriber.wait_for(lambda event: _key(event) == (kind, task_id), PATIENCE_S)
        if before is None:
            there = [_key(event) for event in subscriber.events]
            self.problems.append(f"{step.time_s}: {kind} {task_id} did not come; there is {there}")
            return
        ours = subscriber.events.pop(before)
        early = [_key(event) for event in subscriber.events[:before] if not _commute(event, recorded)]
        if early:
            self.problems.append(f"{step.time_s}: before {kind} {task_id} came {early}")
        self.problems += [f"{step.time_s} {kind}: {line}" for line in differences(recorded, ours, self.names)]

    async def _hang_up(self, step: Step) -> None:
        key = (step.side, step.connection)
        await self._subscribers[key].hang_up()
        stream = self._streams[key]
        if stream is not None:
            await asyncio.wait_for(stream.ended.wait(), PATIENCE_S)
        if step.side is Side.EXECUTOR:
            # Recorded executors end when they hang up.
            executor_id = self._executors[step.connection]
            self._ends[executor_id].exit(self._exit_codes.get(executor_id, 0))

    def _runs(self) -> list[ExecutorRun]:
        return [run for agent in self._mesos.agents.values() for run in agent.runs.values()]

    def _run_of(self, message: Json) -> ExecutorRun:
        key = (message["framework_id"]["value"], message["executor_id"]["value"])
        return self._agent_of(message).runs[key]

    def _agent_of(self, message: Json) -> Agent:
        """Return the agent of an executor; for one that is not there, any."""
        key = (message["framework_id"]["value"], message["executor_id"]["value"])
        agents = list(self._mesos.agents.values())
        return next((agent for agent in agents if key in agent.runs), agents[0])

    def _check_rest(self) -> None:
        told_to_the_end = {
            (step.side, step.connection) for step in self._steps if step.kind not in (Kind.CALL, Kind.EVENT)
        }
        for side, connection in told_to_the_end & self._subscribers.keys():
            subscriber = self._subscribers[side, connection]
            rest = [_key(event) for event in subscriber.events if event["type"] not in ("OFFERS", "HEARTBEAT")]
            if rest:
                self.problems.append(f"{side.name} {connection}: came though it was not recorded: {rest}")


def _key(event: Json) -> tuple[str, str]:
    about = event.get("update", {}).get("status", event.get("acknowledged", {}))
    return event["type"], about.get("task_id", {}).get("value", "")


def _commute(event: Json, other: Json) -> bool:
    kinds = {event["type"], other["type"]}
    if kinds == {"ACKNOWLEDGED"}:
        return _key(event) != _key(other)
    return bool(kinds & {"OFFERS", "HEARTBEAT", "ACKNOWLEDGED"}) or (kinds == {"UPDATE"} and _key(event) != _key(other))
