"""A whole run on a real core of which only AliECS's own surface is left, by a script."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from facility import Facility
from stock_core import StockCore

RUN = """
id = env create flow --hosts flp001 --yes -o id
wait $id --state CONFIGURED --timeout 60s
start $id --yes
expect env.state == RUNNING
stop $id --confirm @run
env destroy $id --yes
"""
FAILING = "id = env create flow --hosts flp001 -e source_fail_on=START --yes -o id\nstart $id --yes\n"


async def run(endpoint: str, script: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "aliecs"), "--endpoint", endpoint, "--script", "-",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"XDG_CONFIG_HOME": "/nonexistent"},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(script.encode()), 120)
    return process.returncode or 0, out.decode()


async def test_a_script_takes_an_environment_through_a_run(facility: Facility) -> None:
    async with StockCore(f"127.0.0.1:{facility.port}") as stock:
        code, said = await run(stock.endpoint, RUN)
        assert code == 0, said
        assert "/aliecs.live.v1.Live/Watch" in stock.calls and "Subscribe" not in stock.calls


async def test_a_transition_that_fails_is_not_taken_for_one_that_worked(facility: Facility) -> None:
    async with StockCore(f"127.0.0.1:{facility.port}") as stock:
        code, said = await run(stock.endpoint, FAILING)
        assert code == 7 and "ERROR" in said, said


async def test_a_plan_is_not_to_be_had_there(facility: Facility) -> None:
    async with StockCore(f"127.0.0.1:{facility.port}") as stock:
        code, said = await run(stock.endpoint, "env plan flow --hosts flp001\n")
        assert code == 11, said
        assert "cannot plan: it has only AliECS's own interface" in said


async def test_experts_are_told_that_there_is_no_access_for_them(facility: Facility) -> None:
    lines = (
        "host ls", "host show flp001", "host drain flp001 --yes", "host undrain flp001", "host restart flp001 --yes",
        "task tail t1", "task transition t1 STOP --yes", "task kill t1 --confirm t1",
    )  # fmt: skip
    async with StockCore(f"127.0.0.1:{facility.port}") as stock:
        code, said = await run(stock.endpoint, "\n".join(("on-error continue", *lines)))
        assert code == 8, said
        assert (
            said.count("gives experts no access: it has only AliECS's own interface") == len(lines) + 1
        )  # and the sum
