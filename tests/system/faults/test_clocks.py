"""The wall clock of core, executors and tasks is set by hours, within every transition and between them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from faults.fake_clock import COMPILER, MISSING, FakeClock
from faults.stage import SLOW_S, Stage, staged
from faults.table import Row, note
from faults.trial import HELD, REACHED_NEXT, Phase, Trial

from console.store import Store

HOURS = 3.0
IS_LONG = os.environ.get("ALIECS_FAULTS") == "all"
LIMIT_S = 45.0
"""Nothing takes so long, not even the start of another core on a busy machine."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not COMPILER, reason=MISSING),
]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> FakeClock:
    return FakeClock(tmp_path_factory.mktemp("clock"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> AsyncIterator[Stage]:
    settings = {"lease": "60s", "silent": "10s"}
    folder = tmp_path_factory.mktemp("clocks")
    async with staged(folder, limit_s=LIMIT_S, environment=clock.variables, **settings) as one:
        yield one


@pytest.mark.parametrize("hours", [HOURS, -HOURS] if IS_LONG else [-HOURS])
async def test_a_clock_that_is_set_changes_no_command_and_no_duration(
    stage: Stage, clock: FakeClock, hours: float
) -> None:
    clock.set(0.0)
    began_s = time.monotonic()
    trials = stage.trials()
    await stage.reach(trials)
    clock.set(hours)
    await asyncio.gather(*(jumped(trial, began_s) for trial in trials))
    for trial in trials:
        note(
            Row(
                f"clock set by {hours:+g} h",
                trial.phase,
                REACHED_NEXT[trial.phase],
                "durations as they are",
                "goes on",
            )
        )
        await trial.leaves_nothing()


async def jumped(trial: Trial, began_s: float) -> None:
    asked_s = time.monotonic()
    trial.release()
    if trial.phase not in HELD:
        trial.ask_next()
    answer = await trial.answer()
    assert answer.text == REACHED_NEXT[trial.phase], f"{trial.phase}: {answer}"
    assert time.monotonic() - asked_s < LIMIT_S + SLOW_S
    store = await trial.seen()
    if trial.phase is not Phase.DESTROY:
        check_times(trial, store, at_most_s=time.monotonic() - began_s)
        await trial.is_true()
        assert {host.executor_state for host in store.hosts.values()} <= {"ATTACHED", "NONE"}
        await trial.destroy()


def check_times(trial: Trial, store: Store, *, at_most_s: float) -> None:
    """Check that nothing took less than no time, or more than there was."""
    environment, history = store.environment(trial.environment_id), store.history(trial.environment_id)
    assert environment is not None and history is not None
    last_ms = environment.created_ms
    for record in history.transitions:
        assert last_ms <= record.started_ms <= record.ended_ms, f"{trial.phase}: {record.event}"
        last_ms = record.ended_ms
        for step in record.steps:
            assert record.started_ms <= step.started_ms <= step.ended_ms <= record.ended_ms or not step.started_ms
    assert last_ms - environment.created_ms <= 1000 * at_most_s
    assert environment.state_since_ms <= last_ms
    variables = store.variables(trial.environment_id)
    assert variables is not None
    run = [variables.user_vars.get(f"run_{name}_time_ms") or 0 for name in RUN]
    times = [int(one) for one in run if one]
    assert times == sorted(times) and all(environment.created_ms <= one <= last_ms for one in times)


RUN = ("start", "start_completion", "end", "end_completion")


async def test_a_core_that_comes_back_with_its_clock_set_back_makes_no_time_go_backwards(
    stage: Stage, clock: FakeClock
) -> None:
    clock.set(0.0)
    trials = [stage.trial(phase) for phase in (Phase.RUNNING, Phase.STOP)]
    began_s = time.monotonic()
    await stage.reach(trials)
    core = stage.facility.process
    assert core
    core.kill()
    await trials[1].answer()
    await stage.facility.stop(drain=False)
    clock.set(-HOURS)
    await stage.facility.start()
    trials[1].release()
    trials[0].ask_next()
    assert (await trials[0].answer()).text == "CONFIGURED"
    for trial in trials:
        store = await trial.seen(lambda store, trial=trial: trial.state(store) == "CONFIGURED")  # type: ignore[misc]
        check_times(trial, store, at_most_s=time.monotonic() - began_s)
        await trial.is_true()
        assert (await trial.destroy()).text == "2 tasks ended"
        await trial.leaves_nothing()
    note(
        Row(f"core killed, clock set by {-HOURS:g} h, core back", "in RUNNING", "", "no time goes backwards", "goes on")
    )
