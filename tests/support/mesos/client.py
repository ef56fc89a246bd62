"""Plain clients of Mesos' v1 API for tests: a scheduler and an executor that do exactly what they are told."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp

from mesos.terms import Json, RecordReader, value

DEADLINE_S = 60.0


class Subscriber:
    """One subscription and the calls beside it, on an endpoint."""

    def __init__(self, url: str) -> None:
        self.events: list[Json] = []
        """All that came and was not waited for yet."""
        self.is_over = asyncio.Event()
        self.headers: dict[str, str] = {}
        """For the calls."""
        self._url = url
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE_S))
        self._reading: asyncio.Task[None] | None = None
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the subscription and all connections."""
        await self.hang_up()
        await self._session.close()

    async def post(self, call: Json, **headers: str) -> tuple[int, str]:
        """Make one call; return status and text of the answer."""
        headers = {"Content-Type": "application/json", **self.headers, **headers}
        async with asyncio.timeout(DEADLINE_S):
            body = io.BytesIO(json.dumps(call).encode())
            async with self._session.post(self._url, data=body, headers=headers) as response:
                return response.status, await response.text()

    async def subscribe_with(self, call: Json) -> aiohttp.ClientResponse:
        """Make a subscription and read its events from now on."""
        await self.hang_up()
        self.is_over.clear()
        response = await self._session.post(self._url, json=call, headers={"Accept": "application/json"})
        self._reading = asyncio.create_task(self._read(response))
        return response

    async def hang_up(self) -> None:
        """Close the event stream from this side."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def next(self, kind: str | None = None, where: Callable[[Json], bool] | None = None) -> Json:
        """Return the first event that matches, waiting for it; those before it stay."""

        place = await self.wait_for(lambda event: kind in (None, event["type"]) and (where is None or where(event)))
        assert place is not None, f"no {kind} came within {DEADLINE_S} s; there is {self.events}"
        return self.events.pop(place)

    async def wait_for(self, where: Callable[[Json], bool], deadline_s: float = DEADLINE_S) -> int | None:
        """Return the place in ``events`` of the first that matches, waiting for it; None where it does not come."""

        def place() -> int | None:
            return next((number for number, event in enumerate(self.events) if where(event)), None)

        try:
            async with asyncio.timeout(deadline_s), self._arrived:
                await self._arrived.wait_for(lambda: place() is not None)
        except TimeoutError:
            return None
        return place()

    async def update(self, task_id: str, state: str) -> Json:
        """Return the status of that task in that state, waiting for it."""

        def matches(event: Json) -> bool:
            status = event["update"]["status"]
            return bool(status["task_id"]["value"] == task_id and status["state"] == state)

        event = await self.next("UPDATE", matches)
        return dict(event["update"]["status"])

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        reader = RecordReader()
        try:
            async for data in response.content.iter_any():
                async with self._arrived:
                    self.events += reader.feed(data)
                    self._arrived.notify_all()
        except aiohttp.ClientError as error:
            self.events.append({"type": "BROKEN", "error": str(error)})
        finally:
            response.close()
            self.is_over.set()


class SchedulerClient(Subscriber):
    """A scheduler."""

    def __init__(self, address: str) -> None:
        super().__init__(f"http://{address}/api/v1/scheduler")
        self.framework_id = ""

    async def subscribe(self, framework_id: str = "", **info: object) -> str:
        """Subscribe, new or as ``framework_id``; return the framework's id."""
        framework_info: Json = {
            "user": "root",
            "name": "test",
            "roles": ["*"],
            "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
            "failover_timeout": 60,
            **info,
        }
        call: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": framework_info}}
        if framework_id:
            framework_info["id"] = call["framework_id"] = value(framework_id)
        response = await self.subscribe_with(call)
        assert response.status == 200, response.status
        self.headers["Mesos-Stream-Id"] = response.headers["Mesos-Stream-Id"]
        subscribed = await self.next("SUBSCRIBED")
        self.framework_id = subscribed["subscribed"]["framework_id"]["value"]
        return self.framework_id

    async def call(self, kind: str, **members: object) -> None:
        """Make a call that must be accepted."""
        answer = await self.post({"type": kind, "framework_id": value(self.framework_id), **members})
        assert answer == (202, ""), answer

    async def offer(self, hostname: str | None = None) -> Json:
        """Return the next offer, of that agent or of any."""

        def matches(event: Json) -> bool:
            return hostname in (None, *(offer["hostname"] for offer in event["offers"]["offers"]))

        event = await self.next("OFFERS", matches)
        return next(dict(offer) for offer in event["offers"]["offers"] if hostname in (None, offer["hostname"]))

    async def launch(self, offer: Json, *tasks: Json, refuse_seconds: float = 1) -> None:
        """Launch tasks on an offer."""
        tasks = tuple({"agent_id": offer["agent_id"], **task} for task in tasks)
        launch = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        accept = {
            "offer_ids": [offer["id"]],
            "operations": [launch],
            "filters": {"refuse_seconds": refuse_seconds},
        }
        await self.call("ACCEPT", accept=accept)

    async def acknowledge(self, status: Json) -> None:
        """Acknowledge an update."""
        acknowledge = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
        await self.call("ACKNOWLEDGE", acknowledge=acknowledge)


class ExecutorClient(Subscriber):
    """An executor that a test plays itself, in the place of one whose process only waits."""

    def __init__(self, address: str, framework_id: str, executor_id: str) -> None:
        super().__init__(f"http://{address}/api/v1/executor")
        self._ids: Json = {"framework_id": value(framework_id), "executor_id": value(executor_id)}

    async def subscribe(self, tasks: list[Json] | None = None, updates: list[Json] | None = None) -> Json:
        """Subscribe; return what the agent says of it."""
        subscribe = {"unacknowledged_tasks": tasks or [], "unacknowledged_updates": updates or []}
        response = await self.subscribe_with({"type": "SUBSCRIBE", "subscribe": subscribe, **self._ids})
        assert response.status == 200, response.status
        return dict((await self.next("SUBSCRIBED"))["subscribed"])

    async def call(self, kind: str, **members: object) -> tuple[int, str]:
        """Make a call; return status and text of the answer."""
        return await self.post({"type": kind, **self._ids, **members})

    async def send_update(self, task_id: str, state: str, uuid: str, **more: object) -> None:
        """Send a status update that must be accepted."""
        status = {"task_id": value(task_id), "state": state, "uuid": uuid, "source": "SOURCE_EXECUTOR", **more}
        answer = await self.call("UPDATE", update={"status": status})
        assert answer == (202, ""), answer


def amounts(cpus: float, mem: float, ports: tuple[int, int] | None = None) -> list[Json]:
    """Return the resources of a task or an executor."""
    resources: list[Json] = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
    ]
    if ports is not None:
        pair = {"begin": ports[0], "end": ports[1]}
        resources.append({"name": "ports", "type": "RANGES", "ranges": {"range": [pair]}})
    return resources
