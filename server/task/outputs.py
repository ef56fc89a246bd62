"""What tasks wrote, asked of the executors that have it: one part at a time, so that a slow reader slows nobody else.

Where the files are: executor/output.py. Followers learn of a task's end from the roster.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from executor.api.messages import OutputPiece, ReadOutput
from server.api.errors import CoreError, Reason
from server.deploy.backend import Backend
from server.ids import new_id
from server.task.roster import Roster, TaskChange

PIECE_BYTES = 64 * 1024


class Outputs:
    """The outputs of all tasks.

    Args:
        answer_s: how long an executor may take for one part.
        look_s: between two looks at an output that had nothing new; the end of its task is seen at once.
    """

    def __init__(self, backend: Backend, roster: Roster, *, answer_s: float = 10.0, look_s: float = 0.3) -> None:
        self._backend = backend
        self._roster = roster
        self._answer_s = answer_s
        self._look_s = look_s
        self._asked: dict[str, asyncio.Future[OutputPiece]] = {}
        self._followers: dict[str, set[asyncio.Event]] = {}
        roster.listen(self._tasks_changed)

    async def read(
        self, task_id: str, stream: str, *, offset: int | None = None, lines: int = 0, follow: bool = False
    ) -> AsyncGenerator[OutputPiece]:
        """Yield what a task wrote, part by part, to the end of its output; with ``follow`` to the end of the task.

        A part that begins before the end of the one that came before says that the output was begun anew.

        Args:
            offset: where to begin; None: with the last ``lines``.

        Raises:
            CoreError: there is no such task or output, or its executor does not answer.
        """
        task = self._roster.get(task_id)
        if task is None:
            raise CoreError(Reason.TASK_NOT_FOUND, f"task {task_id} not found", hint="task ls lists them", task=task_id)
        changed = asyncio.Event()
        self._followers.setdefault(task_id, set()).add(changed)
        is_first = True
        try:
            while True:
                known = self._roster.get(task_id)
                is_over = not follow or known is None or known.ended
                piece = await self._ask(task.host, task_id, stream, offset, lines)
                if piece.data or is_first or (offset is not None and piece.offset < offset):
                    yield piece
                is_first, offset = False, piece.end
                if piece.end < piece.size:
                    continue
                if is_over:
                    return
                await self._wait(changed)
        finally:
            followers = self._followers[task_id]
            followers.discard(changed)
            if not followers:
                del self._followers[task_id]

    def took(self, piece: OutputPiece) -> None:
        """Take the answer of an executor; one that nobody waits for any more is dropped."""
        asked = self._asked.get(piece.request_id)
        if asked is not None and not asked.done():
            asked.set_result(piece)

    async def _ask(self, host: str, task_id: str, stream: str, offset: int | None, lines: int) -> OutputPiece:
        asked = ReadOutput(
            request_id=new_id(), task_id=task_id, stream=stream, offset=offset, lines=lines, limit_bytes=PIECE_BYTES
        )
        answer: asyncio.Future[OutputPiece] = asyncio.get_running_loop().create_future()
        self._asked[asked.request_id] = answer
        try:
            if not self._backend.send(host, asked):
                raise self._away(host, task_id, "is not attached")
            async with asyncio.timeout(self._answer_s):
                piece = await answer
        except TimeoutError:
            raise self._away(host, task_id, f"did not answer within {self._answer_s:g} s") from None
        finally:
            del self._asked[asked.request_id]
        if piece.error:
            raise CoreError(Reason.OUTPUT_MISSING, piece.error, task=task_id, host=host)
        return piece

    def _away(self, host: str, task_id: str, how: str) -> CoreError:
        return CoreError(
            Reason.EXECUTOR_AWAY, f"the executor on host {host}, which has the output of task {task_id}, {how}",
            hint="host ls shows the executors", task=task_id, host=host,
        )  # fmt: skip

    async def _wait(self, changed: asyncio.Event) -> None:
        """Return when the task has ended, or after a while."""
        try:
            async with asyncio.timeout(self._look_s):
                await changed.wait()
        except TimeoutError:
            return

    def _tasks_changed(self, changes: Sequence[TaskChange]) -> None:
        if not self._followers:
            return
        for before, after, _ in changes:
            if after is None or after.ended:
                for event in self._followers.get((after or before).task_id, ()):  # type: ignore[union-attr]  # one is there
                    event.set()
