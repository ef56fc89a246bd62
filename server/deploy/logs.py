"""A small HTTP server on loopback for what tasks write: ``GET /files/download?path=<task id>/stdout``.

The path is that of Mesos agents (core.md 1.8), so that ``sandboxStdout`` is read by the same clients. Output that was turned
into several files is one text here, whose ranges go on counting whatever becomes of the files.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from executor.api.output import KeptOutput
from occ.errors import ConfigError

_PIECE_BYTES = 256 * 1024
"""Read and sent at once."""


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
        name = task_id if task_id.isalnum() else quote(task_id)  # our own ids need no quoting, and it takes its time
        return f"http://{self._address}:{self._port}/files/download?path={name}/{stream}"

    async def _download(self, request: web.Request) -> web.StreamResponse:
        asked = request.query.get("path", "")
        kept = await asyncio.to_thread(self._open, asked)
        if kept is None:
            raise web.HTTPNotFound(text=f"no file {asked!r}\n")
        try:
            return await _answer(request, kept)
        finally:
            kept.close()

    def _open(self, asked: str) -> KeptOutput | None:
        path = self._find(asked)
        try:
            return KeptOutput(path) if path else None
        except FileNotFoundError:
            return None

    def _find(self, asked: str) -> Path | None:
        """Return the file, None if it is not below the folder, links followed."""
        if not asked or "\0" in asked:
            return None
        folder = self._folder.resolve()
        path = (folder / asked).resolve()
        return path if path.is_relative_to(folder) else None


async def _answer(request: web.Request, kept: KeptOutput) -> web.StreamResponse:
    """Send all that is kept, or the range that was asked for as far as it is kept."""
    headers = {
        "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "Accept-Ranges": "bytes"
    }  # fmt: skip
    begin, end, status = kept.first, kept.end, 200
    if (asked := _range(request, kept)) is not None:
        begin, end = asked
        if begin >= end:
            headers["Content-Range"] = f"bytes */{kept.end}"
            return web.Response(status=416, headers=headers)
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{kept.end}"
        status = 206
    answer = web.StreamResponse(status=status, headers=headers)
    answer.content_length = end - begin
    await answer.prepare(request)
    while begin < end and request.method != "HEAD":
        piece = await asyncio.to_thread(kept.read, begin, min(_PIECE_BYTES, end - begin))
        if not piece:
            break  # shortened by somebody else: the client sees that less comes than was said
        await answer.write(piece)
        begin += len(piece)
    return answer


def _range(request: web.Request, kept: KeptOutput) -> tuple[int, int] | None:
    """Return what of a text is asked for, None for all of it; a range that makes no sense is none (RFC 9110, 14.2)."""
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None and asked.stop is None:
        return None
    begin = kept.end + asked.start if asked.start is not None and asked.start < 0 else asked.start or 0
    return max(kept.first, begin), kept.end if asked.stop is None else min(asked.stop, kept.end)
