"""The log server over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from occ.errors import ConfigError
from server.deploy.logs import LogServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LogServer]:
    (tmp_path / "tasks" / "t1").mkdir(parents=True)
    (tmp_path / "tasks" / "t1" / "stdout").write_text("hällo\n")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "tasks" / "t1" / "link").symlink_to(tmp_path / "secret")
    server = LogServer(tmp_path / "tasks")
    await server.start()
    yield server
    await server.close()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_the_output_of_a_task_is_served_as_text(server: LogServer) -> None:
    assert await get(server.url("t1")) == (200, "hällo\n")


async def test_output_that_is_not_there_is_not_found(server: LogServer) -> None:
    status, text = await get(server.url("t1", "stderr"))
    assert (status, text) == (404, "no file 't1/stderr'\n")


@pytest.mark.parametrize("path", ["../secret", "t1/../../secret", "/etc/passwd", "t1/link", "", "t1", "t1/a\0b"])
async def test_nothing_outside_the_folder_of_tasks_is_served(server: LogServer, path: str) -> None:
    url = server.url("t1").split("?")[0]
    async with aiohttp.ClientSession() as session, session.get(url, params={"path": path}) as answer:
        assert answer.status == 404
        assert "secret\n" not in await answer.text()


async def test_a_port_in_use_is_refused_in_words(server: LogServer, tmp_path: Path) -> None:
    port = int(server.url("x").split(":")[2].split("/")[0])
    with pytest.raises(ConfigError, match=f"logs cannot be served on 127.0.0.1:{port}"):
        await LogServer(tmp_path, port=port).start()


async def ranged(url: str, wanted: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Range": wanted}) as answer:
        return answer.status, answer.headers.get("Content-Range", ""), await answer.text()


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ("bytes=12-", (206, "bytes 12-19/20", "ccc\nddd\n")),
        ("bytes=13-16", (206, "bytes 13-16/20", "cc\nd")),
        ("bytes=-5", (206, "bytes 15-19/20", "\nddd\n")),
        ("bytes=-500", (206, "bytes 8-19/20", "bbb\nccc\nddd\n")),
        ("bytes=0-", (206, "bytes 8-19/20", "bbb\nccc\nddd\n")),
        ("bytes=20-", (416, "bytes */20", "")),
        ("bytes=900-", (416, "bytes */20", "")),
        ("bytes=0-3", (416, "bytes */20", "")),
        ("lines=2", (200, "", "bbb\nccc\nddd\n")),
    ],
)
async def test_ranges_count_from_the_very_beginning_of_turned_output(
    server: LogServer, tmp_path: Path, wanted: str, answer: tuple[int, str, str]
) -> None:
    folder = tmp_path / "tasks" / "t2"
    folder.mkdir()
    for name, text in (("stdout.2", "bbb\n"), ("stdout.1", "ccc\n"), ("stdout", "ddd\n"), ("stdout.turns", "4 8")):
        (folder / name).write_text(text)
    assert await ranged(server.url("t2"), wanted) == answer


async def test_long_output_comes_whole(server: LogServer, tmp_path: Path) -> None:
    text = "".join(f"{number}\n" for number in range(200_000))
    (tmp_path / "tasks" / "t1" / "stdout.1").write_text(text)
    assert await get(server.url("t1")) == (200, f"{text}hällo\n")
