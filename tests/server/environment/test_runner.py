"""Ends of environments in a real core: nothing is waited for in vain, and nothing is left, whenever the core is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from core_lives import DEADLINE_S, OPERATOR, SINK, CoreLives, create, destroy, until

from occ.errors import AliecsError
from server import clock
from server.clock import now_ms
from server.environment.stimuli import DestroyRequested

TASK = """
  - name: sink
    constraints: [{attribute: machine_id, value: flp001}]
    task: {load: sink}
"""
WORKFLOWS = {
    "one": f"roles:{TASK}",
    "waits": f"roles:{TASK.replace('load: sink', 'load: waiting')}",
    "calls": """
defaults: {testplugin_hang: "true"}
roles:
  - name: hangs
    call: {func: testplugin.Test(), trigger: before_CONFIGURE, await: after_EXIT, timeout: 600s}
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


async def test_time_without_a_core_counts_for_no_deadline(
    lives: CoreLives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_begin = tmp_path / "may begin"
    command = f"while [ ! -e '{may_begin}' ]; do sleep 0.1; done; exec aliecs-occ sample sink"
    waiting = SINK.replace(
        "shell: false, value: aliecs-occ, arguments: [sample, sink]", f'shell: true, value: "{command}"'
    )
    (tmp_path / "repository" / "tasks" / "waiting.yaml").write_text(waiting.replace("name: sink", "name: waiting"))
    async with lives.life(is_last=False) as core:
        creating = asyncio.create_task(create(core, "waits", deploy_timeout="60s"))
        await until(lambda: any(one.environment.tasks for one in core.environments.all()))
    with pytest.raises(AliecsError, match="this core ends"):
        await creating
    monkeypatch.setattr(clock._CLOCK, "_offset_ns", clock._CLOCK._offset_ns + 600 * 1_000_000_000)
    async with lives.life() as core:
        may_begin.touch()
        (runner,) = core.environments.all()
        await until(lambda: runner.environment.is_idle)
        assert runner.environment.state.value == "CONFIGURED"


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
