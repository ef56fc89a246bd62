"""One HTTP port of the double: what Mesos' endpoints have in common, and how its connections are made to fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from free_ports import free_port

from mesos.calls import BadCall
from mesos.terms import LOOPBACK, VERSION_PAGE, Json

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[[web.Request], web.Response]

JSON = "application/json"
LARGEST_CALL = 1 << 28
"""Bytes; ten thousand tasks fit into one call."""
LONGEST_HANG_S = 3600.0
ACCEPTED = (JSON, "application/*", "*/*")


class Door:
    """A port on loopback that stays the same however often it is closed and opened.

    Args:
        answer: for the POSTs, called with each that is not turned away here.
        pages: what GET returns, by path.
    """

    def __init__(self, answer: Answer, pages: dict[str, Page]) -> None:
        self.port = 0
        self.turned_away: Callable[[web.Request], web.Response | None] = lambda request: None
        """Asked first with each request; what it returns is the answer."""
        self._answer = answer
        self._pages: dict[str, Page] = {
            "/version": lambda request: page(VERSION_PAGE), "/health": lambda request: web.Response(), **pages,
        }  # fmt: skip
        self._runner: web.AppRunner | None = None
        self._busy: set[object] = set()
        self._answers = asyncio.Event()
        self._answers.set()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def is_open(self) -> bool:
        return self._runner is not None

    async def open(self) -> None:
        """Listen, at the first time on a free port: none of those that the kernel gives to others while this one is shut."""
        application = web.Application(client_max_size=LARGEST_CALL)
        application.router.add_route("*", "/{path:.*}", self._serve)
        application.on_response_prepare.append(_as_mesos_writes)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, keepalive_timeout=3600.0, shutdown_timeout=1.0
        )
        await self._runner.setup()
        self.port = self.port or free_port()
        site = web.TCPSite(self._runner, LOOPBACK, self.port, reuse_address=True)
        await site.start()

    async def close(self) -> None:
        """Listen no more and break every connection, as the death of the process does."""
        runner, self._runner = self._runner, None
        if runner is not None:
            for site in list(runner.sites):
                await site.stop()
            self._abort(runner, lambda handler: True)
            await runner.cleanup()

    def hang(self) -> None:
        """Take every call from now on and answer none, until ``go_on``; streams say on what they say."""
        self._answers.clear()

    def go_on(self) -> None:
        """Answer what waits, and all that comes."""
        self._answers.set()

    def cut_connections(self) -> int:
        """Break every connection, and go on listening; return how many there were."""
        return self._abort(self._runner, lambda handler: True) if self._runner is not None else 0

    def close_idle_connections(self) -> int:
        """Close what is kept alive without a request, without a word; return how many there were."""
        if self._runner is None:
            return 0
        return self._abort(self._runner, lambda handler: handler.transport not in self._busy)

    @staticmethod
    def _abort(runner: web.AppRunner, which: Callable[[RequestHandler], bool]) -> int:
        assert runner.server is not None
        transports = [handler.transport for handler in runner.server.connections if which(handler)]
        doomed = [transport for transport in transports if transport is not None and not transport.is_closing()]
        for transport in doomed:
            transport.abort()
        return len(doomed)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        self._busy.add(transport)
        try:
            await asyncio.wait_for(self._answers.wait(), LONGEST_HANG_S)
            response = await self._routed(request)
        except BadCall as refusal:
            response = plain(refusal.status, str(refusal))
        finally:
            self._busy.discard(transport)
        return response

    async def _routed(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.turned_away(request)) is not None:
            return refused
        path = request.path.removeprefix("/master")
        if path.startswith("/api/v1"):
            if request.method != "POST":
                text = f"405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{request.method}'."
                refused = plain(405, text)
                refused.headers["Allow"] = "POST"
                return refused
            return await self._answer(request)
        found = self._pages.get(path)
        return found(request) if found is not None else plain(404, "404 Not Found.")


async def _as_mesos_writes(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)
    if isinstance(response, web.Response) and response.body is None:
        response.headers.popall("Content-Type", None)


def plain(status: int, text: str) -> web.Response:
    """Return a refusal: a line of text, as Mesos gives."""
    return web.Response(status=status, text=text)


def page(content: Json) -> web.Response:
    """Return a page for scripts."""
    return web.Response(body=json.dumps(content).encode(), content_type=JSON)


def accepted() -> web.Response:
    """Return the answer to every call but a subscription."""
    return web.Response(status=202)


async def read_call(request: web.Request) -> Json:
    """Return the call in the body of ``request``; raise BadCall with the status that Mesos answers."""
    content_type = request.headers.get("Content-Type")
    if content_type is None:
        raise BadCall("Expecting 'Content-Type' to be present")
    if content_type.partition(";")[0].strip() != JSON:
        raise BadCall("Expecting 'Content-Type' of application/json or application/x-protobuf", status=415)
    body = (await request.read()).decode()
    try:
        call = json.loads(body)
    except json.JSONDecodeError as error:
        near = body[error.pos :].partition("\n")[0]
        raise BadCall(f"Failed to parse body into JSON: syntax error at line {error.lineno} near: {near}") from error
    if not isinstance(call, dict):
        raise BadCall("Failed to convert JSON into Call protobuf: Expecting a JSON object")
    return call


def check_accept(request: web.Request) -> None:
    """Raise BadCall where the subscriber does not take JSON."""
    wanted = [part.partition(";")[0].strip() for part in request.headers.get("Accept", "*/*").split(",")]
    if not any(part in ACCEPTED for part in wanted):
        raise BadCall("Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'", status=406)
