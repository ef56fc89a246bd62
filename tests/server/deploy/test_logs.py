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
