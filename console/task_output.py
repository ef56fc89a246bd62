"""What a task wrote, read bit by bit over HTTP and made into lines that are safe to show. No widgets.

The address is that of Mesos agents (``/files/download?path=...``), which our core serves too. A part of the file is
asked for; a server that gives no parts sends it all, of which the known beginning is thrown away.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import http.client
import re
import threading
import time
from collections import deque
from typing import NamedTuple
from urllib.parse import urlsplit

from occ.errors import AliecsError

TAIL_BYTES = 64 * 1024
"""Of what is there already this much is read."""
PIECE_BYTES = 1024 * 1024
"""Read at once; the rest with the next call."""
BEHIND_BYTES = 4 * PIECE_BYTES
"""Who is further behind than that leaves out what is in between."""
WHOLE_BYTES = 16 * PIECE_BYTES
"""Longest file that is read from a server that gives no parts."""
LINE_LETTERS = 4000
"""Longest line that is kept; the rest of it is cut."""

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device control
    r"|\x1b[ -/]*[0-~]?"
)
_VARIATIONS = re.compile("[\ufe00-\ufe0f]")


class OutputError(AliecsError):
    """The output of a task cannot be read now."""


class Piece(NamedTuple):
    """A part of the file.

    Attributes:
        offset: where it begins.
        size: of the whole file as far as the server said, else up to the end of this piece.
        is_anew: what was read before is no part of the file any more.
    """

    data: bytes
    offset: int
    size: int
    is_anew: bool = False

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


def stream_url(stdout_url: str, stream: str) -> str:
    """Return where another stream of the same task is read, "" if that cannot be told."""
    head, found, tail = stdout_url.rpartition("stdout")
    return f"{head}{stream}" if found and not tail else ""


def read_piece(url: str, offset: int | None, *, deadline_s: float) -> Piece:
    """Read what follows ``offset``, or the tail for None. Blocks, so call it in a thread.

    Raises:
        OutputError: it cannot be read, with the reason.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OutputError(f"not an address that output is read from: {url or 'none'}")
    ends_at = time.monotonic() + deadline_s
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=deadline_s)
    wanted = f"bytes=-{TAIL_BYTES}" if offset is None else f"bytes={offset}-"
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        connection.request("GET", target, headers={"Range": wanted, "Accept-Encoding": "identity"})
        return _piece(connection, connection.getresponse(), offset, ends_at)
    except TimeoutError as error:
        raise OutputError(f"{parts.netloc} did not answer within {deadline_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise OutputError(f"{parts.netloc}: {reason}") from error
    finally:
        connection.close()


async def read_piece_aside(url: str, offset: int | None, *, deadline_s: float) -> Piece:
    """Read as ``read_piece`` does, in a thread that nothing waits for when the answer is not wanted any more.

    The loop's own threads would keep the program from ending until a silent host has used up its time.

    Raises:
        OutputError: it cannot be read, with the reason.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Piece] = loop.create_future()

    def settle(piece: Piece | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if piece is not None:
            outcome.set_result(piece)
        else:
            outcome.set_exception(error or OutputError("nothing was read"))

    def read() -> None:
        piece, failure = None, None
        try:
            piece = read_piece(url, offset, deadline_s=deadline_s)
        except Exception as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, piece, failure)

    threading.Thread(target=read, name="output", daemon=True).start()
    return await outcome


def _piece(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, offset: int | None, ends_at: float
) -> Piece:
    said = answer.headers.get("Content-Range", "")
    size = int(total) if (total := said.rpartition("/")[2]).isdecimal() else None
    if answer.status == 416 and size is not None:
        return Piece(b"", size, size, is_anew=offset is not None and size < offset)
    if answer.status == 206:
        begin = said.removeprefix("bytes ").partition("-")[0]
        at = int(begin) if begin.isdecimal() else (offset or 0)
        if offset is not None and size is not None and size - offset > BEHIND_BYTES:
            return Piece(b"", size - TAIL_BYTES, size, is_anew=True)
        data = _read(connection, answer, PIECE_BYTES, ends_at)
        is_gone = offset is not None and at > offset  # the beginning has been deleted meanwhile
        return Piece(data, at, size if size is not None else at + len(data), is_anew=is_gone)
    if answer.status == 200:
        return _part_of_whole(connection, answer, offset, ends_at)
    raise OutputError(
        f"the output is not there: {answer.status} {answer.reason}", hint="the host keeps none of this task"
    )


def _part_of_whole(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, offset: int | None, ends_at: float
) -> Piece:
    if answer.length is not None and answer.length > WHOLE_BYTES:
        raise OutputError(f"the server gives no parts of files, and all {answer.length} bytes are too many")
    if offset is not None and answer.length == offset:
        return Piece(b"", offset, offset)
    data = _read(connection, answer, WHOLE_BYTES, ends_at)
    if offset is not None and len(data) < offset:
        offset, is_anew = None, True
    else:
        is_anew = False
    at = max(0, len(data) - TAIL_BYTES) if offset is None else offset
    return Piece(data[at:], at, len(data), is_anew)


def _read(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, limit: int, ends_at: float
) -> bytes:
    parts: list[bytes] = []
    left = limit
    while left > 0:
        remaining_s = ends_at - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(remaining_s)
        part = answer.read1(min(left, 65536))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class OutputLines:
    """The last lines of a stream of bytes, safe to show: no escapes, no control characters, no endless lines.

    A line is named by its serial number, which rises; old ones go when there are too many.

    Args:
        kept_lines, kept_letters: how much is kept.
    """

    def __init__(self, *, kept_lines: int = 20_000, kept_letters: int = 2 * 1024 * 1024) -> None:
        self._kept_lines = kept_lines
        self._kept_letters = kept_letters
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._lines: deque[str] = deque()
        self._letters = 0
        self._first = 0
        self._begun = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def serials(self) -> range:
        """Serial numbers of the lines that are there, the one that is not yet complete with them."""
        return range(self._first, self._first + len(self._lines) + bool(self._begun))

    def line(self, serial: int) -> str:
        """Return a line, "" if it is not there."""
        at = serial - self._first
        if 0 <= at < len(self._lines):
            return self._lines[at]
        return safe(self._begun) if at == len(self._lines) else ""

    def feed(self, data: bytes) -> None:
        """Take in what follows."""
        *complete, begun = self._decoder.decode(data).split("\n")
        for text in complete:
            self._add(self._begun + text)
            self._begun = ""
        self._begun = (self._begun + begun)[: 2 * LINE_LETTERS]
        while len(self._lines) > self._kept_lines or self._letters > self._kept_letters:
            self._letters -= len(self._lines.popleft())
            self._first += 1

    def note(self, text: str) -> None:
        """Add a line of our own, after what is there."""
        if self._begun:
            self._add(self._begun)
            self._begun = ""
        self._add(text)

    def _add(self, text: str) -> None:
        line = safe(text)
        self._lines.append(line)
        self._letters += len(line)


def safe(text: str) -> str:
    """Return foreign text as one line that a terminal shows and does not obey."""
    text = text[: 2 * LINE_LETTERS]
    if not text.isprintable():
        text = _ESCAPES.sub("", text).rstrip("\r")
        text = text.rpartition("\r")[2].expandtabs(8)
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = _VARIATIONS.sub("", text)
    return text if len(text) <= LINE_LETTERS else f"{text[: LINE_LETTERS - 3]}..."
