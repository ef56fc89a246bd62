"""What tasks write: read in parts from real servers, and made into lines that cannot drive a terminal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.task_output import (
    BEHIND_BYTES,
    LINE_LETTERS,
    TAIL_BYTES,
    OutputError,
    OutputLines,
    read_piece,
    read_piece_aside,
    safe,
    stream_url,
)
from server.deploy.logs import LogServer

NASTY = b"\x1b[31mred\x1b[0m [bold]no markup[/bold] \x1b]0;title\x07\ttab \x07bell\x9b2J \xff\xfe \xe6\x97\xa5\xe6\x9c\xac\r\n"


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[LogServer]:
    server = LogServer(tmp_path)
    await server.start()
    yield server
    await server.close()


def write(folder: Path, data: bytes) -> None:
    (folder / "t1").mkdir(exist_ok=True)
    (folder / "t1" / "stdout").write_bytes(data)


async def piece(logs: LogServer, offset: int | None) -> tuple[bytes, int, bool]:
    one = await read_piece_aside(logs.url("t1"), offset, deadline_s=60)
    return one.data, one.end, one.is_anew


async def test_the_tail_is_read_then_what_follows(logs: LogServer, tmp_path: Path) -> None:
    write(tmp_path, b"")
    assert await piece(logs, None) == (b"", 0, False)
    write(tmp_path, b"x" * 10 + b"y" * TAIL_BYTES)
    assert await piece(logs, None) == (b"y" * TAIL_BYTES, 10 + TAIL_BYTES, False)
    assert await piece(logs, 10 + TAIL_BYTES) == (b"", 10 + TAIL_BYTES, False)
    write(tmp_path, b"x" * 10 + b"y" * TAIL_BYTES + b"new\n")
    assert await piece(logs, 10 + TAIL_BYTES) == (b"new\n", 14 + TAIL_BYTES, False)


async def test_a_file_that_became_shorter_is_read_anew(logs: LogServer, tmp_path: Path) -> None:
    write(tmp_path, b"again\n")
    assert await piece(logs, 1000) == (b"", 6, True)


async def test_who_is_far_behind_leaves_out_what_is_in_between(logs: LogServer, tmp_path: Path) -> None:
    write(tmp_path, b"z" * (BEHIND_BYTES + 100))
    data, end, is_anew = await piece(logs, 10)
    assert (data, end, is_anew) == (b"", BEHIND_BYTES + 100 - TAIL_BYTES, True)


async def test_what_cannot_be_read_is_told_with_its_reason(logs: LogServer) -> None:
    with pytest.raises(OutputError, match="404"):
        await piece(logs, None)
    for url, reason in (
        ("", "not an address"), ("file:///etc/passwd", "not an address"), ("http://127.0.0.1:1/x", "refused"),
    ):  # fmt: skip
        with pytest.raises(OutputError, match=reason):
            read_piece(url, None, deadline_s=60)


async def test_a_host_that_does_not_answer_costs_no_more_than_the_deadline() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OutputError, match=r"did not answer within 0\.2 s"):
            await read_piece_aside(f"http://127.0.0.1:{port}/x", None, deadline_s=0.2)


@contextmanager
def whole_server(content: list[bytes]) -> Iterator[str]:
    """A server that knows no ranges."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content[0])))
            self.end_headers()
            self.wfile.write(content[0])

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/files/download?path=/a/stdout"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_server_that_gives_no_parts_is_read_all_the_same() -> None:
    content = [b"a" * 100_000]
    with whole_server(content) as url:
        first = read_piece(url, None, deadline_s=60)
        assert (len(first.data), first.end, first.size) == (TAIL_BYTES, 100_000, 100_000)
        assert read_piece(url, 100_000, deadline_s=60).data == b""
        content[0] += b"more\n"
        assert read_piece(url, 100_000, deadline_s=60).data == b"more\n"
        content[0] = b"anew\n"
        again = read_piece(url, 100_005, deadline_s=60)
        assert again.is_anew and again.data == b"anew\n"


def test_the_other_stream_stands_beside_the_first() -> None:
    assert stream_url("http://h:1/files/download?path=t/stdout", "stderr") == "http://h:1/files/download?path=t/stderr"
    assert stream_url("http://h/logs", "stderr") == "" == stream_url("", "stderr")


def test_escapes_and_control_characters_are_taken_out() -> None:
    lines = OutputLines()
    lines.feed(NASTY)
    (serial,) = lines.serials
    line = lines.line(serial)
    assert line.isprintable() and line.startswith("red [bold]no markup[/bold]") and line.endswith("日本")
    assert "title" not in line and "31m" not in line
    assert safe("10%\r50%\r100%\r") == "100%" and safe("a\tb") == "a       b" and safe("\x1b") == ""


def test_lines_are_bounded_and_old_ones_go() -> None:
    lines = OutputLines(kept_lines=3)
    lines.feed(b"one\ntwo\nthree\nfour\nbegun")
    assert [lines.line(serial) for serial in lines.serials] == ["two", "three", "four", "begun"]
    assert lines.serials == range(1, 5) and lines.line(0) == ""
    lines.feed(b" and ended\n")
    assert [lines.line(serial) for serial in lines.serials] == ["three", "four", "begun and ended"]


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    lines = OutputLines()
    for _ in range(100):
        lines.feed(b"x" * 100_000)
    assert len(lines.line(0)) == LINE_LETTERS and lines.serials == range(0, 1)


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_any_bytes_in_any_parts_become_lines_that_are_safe(parts: list[bytes]) -> None:
    lines, at_once = OutputLines(), OutputLines()
    for part in parts:
        lines.feed(part)
    at_once.feed(b"".join(parts))
    shown = [lines.line(serial) for serial in lines.serials]
    assert shown == [at_once.line(serial) for serial in at_once.serials]
    assert all(line.isprintable() for line in shown)
