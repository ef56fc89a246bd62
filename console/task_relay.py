"""What a task wrote, relayed by the core (aliecs.ops.v1), for where its address cannot be reached: task_output.py."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from console.task_output import PIECE_BYTES, OutputError, Piece
from server.api.client import Client
from server.api.errors import AliecsError

TAIL_LINES = 1000
"""Of what is there already so many are read."""


async def relayed_piece(client: Client, task_id: str, stream: str, offset: int | None, *, deadline_s: float) -> Piece:
    """Read what follows ``offset``, or the last lines for None; about PIECE_BYTES at most, the rest with the next call.

    Raises:
        OutputError: it cannot be read, with the reason.
    """
    begin, data, size = None, b"", 0
    lines = TAIL_LINES if offset is None else 0
    try:
        async with (
            asyncio.timeout(deadline_s),
            aclosing(client.expert.output(task_id, stream, offset=offset, lines=lines)) as parts,
        ):
            async for part in parts:
                if begin is None or part.offset != begin + len(data):  # the first, or it was begun anew meanwhile
                    begin, data = part.offset, b""
                data, size = data + part.data, part.size
                if len(data) >= PIECE_BYTES:
                    break
    except TimeoutError:
        raise OutputError(f"the core did not relay it within {deadline_s:g} s") from None
    except AliecsError as error:
        raise OutputError(error.message, hint=error.hint) from error
    return Piece(data, begin or 0, size, is_anew=offset is not None and begin != offset)
