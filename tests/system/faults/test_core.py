"""The core is killed or stopped while one environment is in each phase of its life, all at the same time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from faults.stage import MARGIN_S, Stage, staged
from faults.table import Row, note
from faults.trial import HELD, REACHED, REACHED_NEXT, Phase, Trial

from console.store import Store

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT_S = 16.0
SILENT_S = 12.0
STOPPED_S = LIMIT_S + MARGIN_S + 1.0
"""Longer than any answer is waited for, and than an executor may be silent."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("core"), limit_s=LIMIT_S, lease="60s", silent=f"{SILENT_S:g}s") as one:
        yield one


async def test_a_killed_core_finds_all_environments_again_and_ends_what_it_had_begun(stage: Stage) -> None:
    trials = stage.trials()
    await stage.reach(trials)
    before = {trial.phase: trial.processes() for trial in trials}
    core = stage.facility.process
    assert core
    core.kill()
    answers = {trial.phase: (await trial.answer()).text if trial.phase in HELD else "" for trial in trials}
    await stage.facility.stop(drain=False)
    for trial in trials:
        trial.release()
    await stage.facility.start()
    await asyncio.gather(*(killed(trial, answers[trial.phase], set(before[trial.phase])) for trial in trials))


async def killed(trial: Trial, answer: str, before: set[int]) -> None:
    began_s = time.monotonic()
    assert answer.startswith("UNAVAILABLE") or trial.phase not in HELD, trial.phase
    wanted = REACHED[trial.phase]
    store = await trial.seen(lambda store: is_settled(store, trial) and trial.state(store) == wanted)
    after_s = time.monotonic() - began_s
    assert not trial.fault(store), trial.phase
    await trial.is_true()
    if wanted != "gone":
        assert set(trial.processes()) == before, "the same processes as before"
        ended = await trial.destroy()
        assert ended.text == "2 tasks ended"
    await trial.leaves_nothing()
    note(
        Row(
            "core killed",
            trial.phase,
            answer,
            f"{wanted}, as the core is back",
            f"{after_s:.0f} s",
        )
    )


async def test_a_core_that_was_stopped_for_longer_than_any_deadline_goes_on_as_if_nothing_had_been(
    stage: Stage,
) -> None:
    trials = stage.trials()
    await stage.reach(trials)
    assert stage.facility.process
    os.kill(stage.facility.process.pid, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        for trial in trials:
            trial.release()
            if trial.phase not in HELD:
                trial.ask_next()
        await trials[0].waits(began_s + STOPPED_S)
    finally:
        stage.facility.process.send_signal(signal.SIGCONT)
    await asyncio.gather(*(stopped(trial) for trial in trials))


async def stopped(trial: Trial) -> None:
    answer = await trial.answer()
    wanted = REACHED_NEXT[trial.phase]
    assert answer.text == wanted, f"{trial.phase}: {answer}"
    store = await trial.seen()
    assert not trial.fault(store)
    if trial.phase is not Phase.DESTROY:
        assert trial.state(store) == wanted
    assert {host.executor_state for host in store.hosts.values()} <= {"ATTACHED", "NONE"}
    await trial.is_true()
    if trial.phase is not Phase.DESTROY:
        assert (await trial.destroy()).text == "2 tasks ended"
    await trial.leaves_nothing()
    note(Row(f"core stopped for {STOPPED_S:g} s", trial.phase, answer.text, "all hosts attached", "goes on"))


def is_settled(store: Store, trial: Trial) -> bool:
    environment = store.environment(trial.environment_id)
    return environment is None or environment.transition is None
