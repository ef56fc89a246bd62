"""An agent's port: calls of executors become those of the agent."""

from __future__ import annotations

from aiohttp import web

from mesos.agent import Agent
from mesos.calls import BadCall, check_executor_call
from mesos.door import Door, accepted, check_accept, plain, read_call
from mesos.executor_run import ExecutorRun, Phase
from mesos.streams import EventStream
from mesos.terms import Json


class ExecutorDoor:
    """The port of one agent."""

    def __init__(self, agent: Agent) -> None:
        self.refusal: tuple[int, str] | None = None
        """What an agent that is not ready answers to executors: 404 without routes, then 503 while it recovers."""
        self._agent = agent
        self.door = Door(self._answer, {"/files/download": self._download})
        self.door.turned_away = self._turned_away
        agent.door = self.door

    def _turned_away(self, request: web.Request) -> web.Response | None:
        return plain(*self.refusal) if self.refusal is not None and request.path.startswith("/api") else None

    def _download(self, request: web.Request) -> web.Response:
        """Serve a file of a sandbox by the path that hides where the agent works: /frameworks/ID/executors/ID/runs/…"""
        _, *words = request.query.get("path", "").split("/")
        if words[0:5:2] != ["frameworks", "executors", "runs"] or len(words) < 6:
            return plain(404, "")
        run = self._agent.runs.get((words[1], words[3]))
        path = run.container.sandbox.parent.joinpath(*words[5:]) if run else None
        return web.Response(body=path.read_bytes()) if path and path.is_file() else plain(404, "")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = await read_call(request)
        if request.path != "/api/v1/executor":
            raise BadCall("Failed to validate agent::Call: Expecting 'type' to be present")
        check_executor_call(call)
        run = self._run_of(call)
        if call["type"] == "SUBSCRIBE":
            check_accept(request)
            return await self._subscription(run, call["subscribe"], request)
        if not run.is_subscribed:
            raise BadCall("Executor is not subscribed", status=403)
        if call["type"] == "UPDATE":
            self._agent.update(run, call["update"]["status"])
        elif call["type"] == "MESSAGE":
            self._agent.message_from(run, call["message"]["data"])
        return accepted()

    async def _subscription(self, run: ExecutorRun, subscription: Json, request: web.Request) -> web.StreamResponse:
        stream = EventStream(request)
        self._agent.subscribe(run, subscription, stream)
        try:
            return await stream.run({})
        finally:
            self._agent.disconnected(run, stream)

    def _run_of(self, call: Json) -> ExecutorRun:
        framework_id, executor_id = call["framework_id"]["value"], call["executor_id"]["value"]
        runs = [run for run in self._agent.runs.values() if run.framework_id == framework_id]
        if not runs:
            raise BadCall("Framework cannot be found")
        run = self._agent.runs.get((framework_id, executor_id))
        if run is None or run.phase is Phase.TERMINATED or run.info is None:
            raise BadCall("Executor cannot be found")
        return run
