"""The HTTP server of the configuration service: its port, limits and errors (workflows-config.md 9.11). Routes: routes.py."""

from __future__ import annotations

import asyncio
import logging
import os

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from occ.errors import AliecsError, LinkError
from server.config.routes import BadRequestError, Routes
from server.config.stored import StoreConfiguration

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
"""For a client to send its request, for its answer to be found and taken, and between two requests."""
MAX_LINE_BYTES = 64 * 1024
"""Of a request's first line, which holds the variables of a template, and of one header."""
MAX_BODY_BYTES = 64 * 1024
"""No route reads a body."""


class HttpServer:
    """Serves one configuration on one port.

    Args:
        configuration: what is asked.
        address: where to listen.
        port: 0 takes a free one.
        setting: that gives the port, for the hint.
        timeout_s: see TIMEOUT_S.
    """

    def __init__(
        self,
        configuration: StoreConfiguration,
        *,
        address: str,
        port: int,
        setting: str = "httpListenPort",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.port = port
        self._address = address
        self._setting = setting
        self._timeout_s = timeout_s
        self._routes = Routes(configuration)
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            LinkError: the port is taken.
        """
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY_BYTES)
        for route in self._routes.all:
            for end in ("", "/") if route.slash else ("",):
                application.router.add_route(route.method, route.path + end, route.handler)
        for path in ("/docs", "/docs/{rest:.*}"):
            application.router.add_get(path, self._docs)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_connections,
            keepalive_timeout=self._timeout_s,
            lingering_time=self._timeout_s,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connection, self._address, self.port)
        except OSError as error:
            await self.stop()
            raise LinkError(
                f"port {self.port} on {self._address} cannot be listened on: {os.strerror(error.errno or 0)}",
                hint=f"give another one with --{self._setting}, or 0 for any free one",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and hang up."""
        if self._server:
            self._server.close()
            self._server = None
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()

    def _connection(self) -> web.RequestHandler:
        """Return the protocol of a new connection, and hang up if it does not bring a request in time."""
        assert self._runner and self._runner.server
        connection = self._runner.server()
        loop = asyncio.get_running_loop()
        self._silent[connection] = loop.call_later(self._timeout_s, self._drop, connection)
        return connection

    def _drop(self, connection: web.RequestHandler) -> None:
        del self._silent[connection]
        connection.force_close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer within the time, errors as lines of text, and hand the answer over within the time too."""
        if timer := self._silent.pop(request.protocol, None):
            timer.cancel()
        response: web.StreamResponse = _line(500, f"no answer within {self._timeout_s:g} s")
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._answer(request, handler)
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            log.warning("request took too long path=%s timeout_s=%g", request.path, self._timeout_s)
            if response.prepared and request.transport:
                request.transport.abort()  # it does not take its answer
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            answer = _line(error.status, f"{error.status} {error.reason}")
            answer.headers.update({name: error.headers[name] for name in error.headers if name == "Allow"})
            return answer
        except BadRequestError as error:
            return _line(400, error.message)
        except AliecsError as error:
            return _line(500, error.message)
        except Exception:
            log.exception("a request failed unexpectedly path=%s", request.path)
            return _line(500, "internal error of the configuration service; its log says more")

    async def _docs(self, request: web.Request) -> web.Response:
        return web.Response(text=self._routes.page(), content_type="text/html")


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a failure is worth a line in the log: one of the other side is not, whoever knocks at the port."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, ConnectionError))


_connections = logging.getLogger(f"{__name__}.connections")
_connections.addFilter(_is_ours)


def _line(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")
