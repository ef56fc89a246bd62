"""A small HTTP server on loopback for what tasks write: ``GET /files/download?path=<task id>/stdout``.

The path is that of Mesos agents (core.md 1.8), so that ``sandboxStdout`` is read by the same clients.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from occ.errors import ConfigError


class LogServer:
    """Serves the files below one folder, nothing else.

    Args:
        folder: has a folder for each task.
        address: where to listen; loopback unless the files may be seen by all.
        port: 0 takes a free one.
        close_s: how long downloads in progress are waited for at the end.
    """

    def __init__(self, folder: Path, *, address: str = "127.0.0.1", port: int = 0, close_s: float = 1.0) -> None:
        self._folder = folder
        self._address = address
        self._port = port
        self._close_s = close_s
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the port is in use.
        """
        application = web.Application()
        application.router.add_get("/files/download", self._download)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=self._close_s)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(f"logs cannot be served on {self._address}:{self._port}: {error.strerror}") from error
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def url(self, task_id: str, stream: str = "stdout") -> str:
        """Return where a stream of a task is read, whether there is anything yet or not."""
        return f"http://{self._address}:{self._port}/files/download?path={quote(f'{task_id}/{stream}')}"

    async def _download(self, request: web.Request) -> web.StreamResponse:
        asked = request.query.get("path", "")
        path = await asyncio.to_thread(self._find, asked)
        if path is None:
            raise web.HTTPNotFound(text=f"no file {asked!r}\n")
        return web.FileResponse(
            path, headers={"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
        )

    def _find(self, asked: str) -> Path | None:
        """Return the file, None if there is none or it is not below the folder, links followed."""
        if not asked or "\0" in asked:
            return None
        folder = self._folder.resolve()
        path = (folder / asked).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
