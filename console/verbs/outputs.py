"""The verb that prints what a task wrote, as the core relays it from the task's host."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from console import resolve
from console.exit_codes import usage
from console.results import Context, Result
from console.table import render_line
from console.task_output import OutputLines
from server.api.model_ops import OutputPart

_KEPT_LINES = 1 << 17
"""More than one part can have."""


async def tail(context: Context) -> Result:
    """Write the last lines, and with --follow those that come, until the task ends or the time is over."""
    args = context.args
    lines, offset = _number(args.lines, "--lines"), _number(args.offset, "--offset") if args.offset else None
    stream = "stderr" if args.stderr else "stdout"
    task_id = await resolve.task_id(context.session, args.task)
    parts = context.session.client.expert.output(task_id, stream, offset=offset, lines=lines, follow=args.follow)
    written = _Written(context)
    try:
        async with asyncio.timeout(args.timeout), aclosing(parts):
            async for part in parts:
                written.take(part)
    except TimeoutError:
        if args.timeout is None:
            raise
    written.end()
    return Result()


class _Written:
    """Writes parts as lines that are safe to show; an incomplete line waits for its rest. Programs get the parts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lines = OutputLines(kept_lines=_KEPT_LINES)
        self._shown = 0
        self._end: int | None = None

    def take(self, part: OutputPart) -> None:
        if self._end is not None and part.offset < self._end:
            self._lines.note("-- the output was begun anew --")
        self._end = part.offset + len(part.data)
        if self._context.output in ("json", "ndjson"):
            text = part.data.decode(errors="replace")
            self._context.emit(render_line({"offset": part.offset, "size": part.size, "text": text}))
            return
        self._lines.feed(part.data)
        stop = self._lines.serials.stop
        self._write(stop if not part.data or part.data.endswith(b"\n") else stop - 1)

    def end(self) -> None:
        """Write what waits."""
        self._write(self._lines.serials.stop)

    def _write(self, stop: int) -> None:
        if stop > self._shown:
            self._context.emit("".join(f"{self._lines.line(serial)}\n" for serial in range(self._shown, stop)))
            self._shown = stop


def _number(text: str, option: str) -> int:
    if not text.isdecimal():
        raise usage(f"{option} {text}: not a number")
    return int(text)
