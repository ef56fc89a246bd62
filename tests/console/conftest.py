"""A fake core per test, and the console's command line in this process against it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from fake_core import FakeCore
from patience import PATIENT


@dataclass(frozen=True)
class Ended:
    """How a console ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Ended]]


@pytest.fixture
async def core() -> AsyncIterator[FakeCore]:
    """Return a running fake core."""
    one = FakeCore()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def aliecs(core: FakeCore) -> Run:
    """Return a function that runs the real program against the core, as a process of its own."""

    async def run(*words: str, stdin: str = "") -> Ended:
        process = await start(core, *words)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        return Ended(process.returncode or 0, out.decode(), err.decode())

    return run


@pytest.fixture
def start_aliecs(core: FakeCore) -> Callable[..., Awaitable[asyncio.subprocess.Process]]:
    """Return a function that starts the program and leaves it running."""

    async def begin(*words: str) -> asyncio.subprocess.Process:
        return await start(core, *words)

    return begin


async def start(core: FakeCore, *words: str) -> asyncio.subprocess.Process:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ALIECS_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "console", *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=environment | PATIENT
        | {"ALIECS_CONSOLE_ENDPOINT": core.endpoint, "XDG_CONFIG_HOME": "/nonexistent", "TZ": "UTC"},
    )  # fmt: skip
