"""The standard streams of the command line: full disks, closed streams, readers that went away."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from fake_core import FakeCore
from patience import PATIENT


async def run(core: FakeCore, line: str) -> tuple[int, str]:
    """Return the exit code and the errors of a line of a shell, in which ``aliecs`` is the program."""
    line = line.replace("aliecs", f"{sys.executable} -P -m console --endpoint {core.endpoint}")
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", line, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ | PATIENT | {"XDG_CONFIG_HOME": "/nonexistent"},
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, err.decode()


@pytest.mark.parametrize("words", ["env ls", "--help", "-c 'env ls'"])
async def test_output_that_finds_no_room_is_an_error_in_words(core: FakeCore, words: str) -> None:
    core.add(state="CONFIGURED")
    assert await run(core, f"aliecs {words} >/dev/full") == (1, "cannot write the output: No space left on device\n")


async def test_an_address_that_is_none_and_a_name_that_nobody_knows_are_told_apart_from_a_core_that_is_away(
    core: FakeCore,
) -> None:
    await core.stop()
    code, err = await run(core, "aliecs --endpoint here env ls")
    assert (code, err) == (2, "endpoint 'here'\n  next:  HOST:PORT, or unix:/PATH\n")
    code, err = await run(core, "aliecs --endpoint no.such.host.invalid:1 env ls")
    assert code == 3 and "no core at no.such.host.invalid:1: this name is not known here" in err
    code, err = await run(core, "aliecs env ls")
    assert code == 3 and f"no core at {core.endpoint}: it refuses connections" in err


async def test_closed_streams_and_readers_that_went_away_are_no_error(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    line = "aliecs env ls >&- && aliecs env ls >&- 2>&- <&- && aliecs --help | true && aliecs task ls -E all | head -1"
    assert await run(core, f"set -o pipefail; {line}") == (0, "")
