"""Ends of environments in a real core: nothing is waited for in vain, and nothing is left, whenever the core is killed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from core_lives import DEADLINE_S, OPERATOR, CoreLives, create, destroy, until

from occ.errors import AliecsError
from server.clock import now_ms
from server.environment.stimuli import DestroyRequested

TASK = """
  - name: sink
    constraints: [{attribute: machine_id, value: flp001}]
    task: {load: sink}
"""
WORKFLOWS = {
    "one": f"roles:{TASK}",
    "calls": """
defaults: {testplugin_hang: "true"}
roles:
  - name: hangs
    call: {func: testplugin.Test(), trigger: before_CONFIGURE, await: after_EXIT, timeout: 60s}
""",
}


@pytest.fixture
def lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CoreLives:
    return CoreLives(tmp_path, monkeypatch, WORKFLOWS)


def force(environment_id: str) -> DestroyRequested:
    return DestroyRequested(at_ms=now_ms(), requester=OPERATOR, request_id=f"{environment_id}/lost", force=True)


async def test_neither_a_destroy_nor_the_core_waits_for_a_call_that_nobody_awaits(lives: CoreLives) -> None:
    async with asyncio.timeout(DEADLINE_S), lives.life() as core:
        runner = await create(core, "calls")
        await destroy(core, runner.environment.id)
        assert core.environments.all() == []


async def test_tasks_that_are_placed_after_their_environment_was_destroyed_are_ended(lives: CoreLives) -> None:
    async with lives.life() as core:
        creating = asyncio.create_task(create(core, "one"))
        await until(core.roster.all)
        (runner,) = core.environments.all()
        assert not runner.environment.tasks, "they are still being launched"
        await destroy(core, runner.environment.id, force=True)
        with pytest.raises(AliecsError, match="forced destroy"):
            await creating
        await until(lambda: not core.roster.all())


async def test_a_core_that_was_killed_as_it_released_tasks_ends_them_in_its_next_life(lives: CoreLives) -> None:
    async with lives.life(is_last=False) as core:
        environment_id = (await create(core, "one")).environment.id
    await lives.journal(environment_id, force(environment_id))
    async with lives.life() as core:
        await until(lambda: not core.environments.all())
        await until(lambda: not core.roster.all())


async def test_an_environment_that_was_gone_as_its_core_was_killed_is_forgotten(lives: CoreLives) -> None:
    async with lives.life(is_last=False) as core:
        environment_id = (await create(core, "calls")).environment.id
    await lives.journal(environment_id, force(environment_id))
    async with lives.life() as core:
        assert core.environments.all() == [] and core.environments.active_detectors() == []
        assert await core.journal.environments() == []


async def test_time_without_a_core_counts_for_no_deadline(lives: CoreLives) -> None:
    async with lives.life(is_last=False) as core:
        first = await create(core, "one")  # has the executor started
        creating = asyncio.create_task(create(core, "one", deploy_timeout="4s"))
        await until(lambda: any(one.environment.tasks for one in core.environments.all() if one is not first))
        began_s = time.monotonic()
    with pytest.raises(AliecsError, match="this core ends"):
        await creating
    await until(lambda: time.monotonic() - began_s > 4.5)
    async with lives.life() as core:
        await until(lambda: all(runner.environment.is_idle for runner in core.environments.all()))
        assert [runner.environment.state.value for runner in core.environments.all()] == ["CONFIGURED"] * 2


async def test_a_core_that_drains_begins_no_environment_any_more(lives: CoreLives) -> None:
    async with lives.life() as core:
        creating = asyncio.create_task(create(core, "one"))
        await asyncio.sleep(0)
        await core.drain()
        with pytest.raises(AliecsError, match="being drained"):
            await creating
        with pytest.raises(AliecsError, match="being drained"):
            await create(core, "one")
        assert core.environments.all() == [] and core.environments.active_detectors() == []
