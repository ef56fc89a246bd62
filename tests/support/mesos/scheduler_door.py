"""The master's port: calls of schedulers become those of the master; a standby and a master without leader turn away."""

from __future__ import annotations

import base64
from collections.abc import Callable
from enum import Enum

from aiohttp import web

from mesos.calls import BadCall, check_scheduler_call
from mesos.door import Door, accepted, check_accept, page, plain, read_call
from mesos.ledger import Framework
from mesos.master import Master
from mesos.pages import slaves, state
from mesos.streams import EventStream
from mesos.terms import Json

STREAM_ID = "Mesos-Stream-Id"


class Mood(Enum):
    """What a master is to those who knock."""

    LEADING = "answers"
    RECOVERING = "not yet"
    LEADERLESS = "knows no leader"
    STANDBY = "knows the leader"


class SchedulerDoor:
    """One port of a master.

    Args:
        master: the one that answers behind this port, asked anew for each call.
        credentials: principal and secret that every call must carry; None lets everybody in.
    """

    def __init__(self, master: Callable[[], Master], credentials: tuple[str, str] | None = None) -> None:
        self.mood = Mood.LEADING
        self.leader_address = ""
        """Where a standby sends its callers."""
        self._master = master
        self._credentials = credentials
        self.door = Door(
            self._answer,
            {
                "/redirect": self._redirect,
                "/state": lambda request: page(state(master())),
                "/slaves": lambda request: page(slaves(master())),
            },
        )
        self.door.turned_away = self._turned_away

    def _turned_away(self, request: web.Request) -> web.Response | None:
        if request.path in ("/version", "/health"):
            return None
        if self.mood is Mood.LEADERLESS:
            return plain(503, "No leader elected")
        if self.mood is Mood.STANDBY and not request.path.endswith("/redirect"):
            path = request.path.removeprefix("/master")
            return _redirection(f"//{self.leader_address}/master{path}")
        if self.mood is Mood.RECOVERING and request.path.startswith("/api"):
            return plain(503, "Master has not finished recovery")
        if self._credentials is not None and request.path.startswith("/api"):
            wanted = "Basic " + base64.b64encode(":".join(self._credentials).encode()).decode()
            if request.headers.get("Authorization") != wanted:
                refused = plain(401, "")
                refused.headers["WWW-Authenticate"] = 'Basic realm="mesos-master-scheduler"'
                return refused
        return None

    def _redirect(self, request: web.Request) -> web.Response:
        return _redirection(f"//{self.leader_address or self.door.address}")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = await read_call(request)
        if not request.path.endswith("/api/v1/scheduler"):
            raise BadCall("Failed to validate master::Call: Expecting 'type' to be present")
        check_scheduler_call(call)
        stream_id = request.headers.get(STREAM_ID)
        master = self._master()
        if call["type"] == "SUBSCRIBE":
            if stream_id is not None:
                raise BadCall(f"Subscribe calls should not include the '{STREAM_ID}' header")
            check_accept(request)
            return await self._subscription(master, call, request)
        framework = _framework_of(master, call, stream_id)
        master.call(framework, call)
        return accepted()

    async def _subscription(self, master: Master, call: Json, request: web.Request) -> web.StreamResponse:
        stream = EventStream(request)
        master.subscribe(call["subscribe"], stream)
        try:
            return await stream.run({STREAM_ID: stream.stream_id})
        finally:
            for framework in list(master.ledger.frameworks.values()):
                master.disconnected(framework, stream)


def _framework_of(master: Master, call: Json, stream_id: str | None) -> Framework:
    framework_id = call["framework_id"]["value"]
    framework = master.ledger.frameworks.get(framework_id)
    if framework is None:
        raise BadCall("Framework cannot be found")
    if framework.stream is None or not framework.is_connected:
        raise BadCall("Framework is not subscribed", status=403)
    if stream_id is None:
        raise BadCall(f"All non-subscribe calls should include the '{STREAM_ID}' header")
    if stream_id != framework.stream.stream_id:
        raise BadCall(
            f"The stream ID '{stream_id}' included in this request didn't match the stream ID currently associated"
            f" with framework ID {framework_id}"
        )
    return framework


def _redirection(location: str) -> web.Response:
    return web.Response(status=307, headers={"Location": location})
