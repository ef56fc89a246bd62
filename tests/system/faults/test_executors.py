"""An executor is stopped or killed, in every phase of the life of an environment; all phases at once, one host each."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from faults.death import bury, kill
from faults.stage import LEASE_S, MARGIN_S, SLOW_S, TRANSITION_S, Stage, staged
from faults.table import Row, note
from faults.trial import HELD, Phase, Trial

from console.store import Store

KILL_S = 15.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("executors"), killTimeout=f"{KILL_S:g}s") as one:
        yield one


async def test_a_stopped_executor_is_told_silent_and_goes_on_where_it_was_with_all_its_tasks(stage: Stage) -> None:
    trials = stage.trials(alone=True)
    await stage.reach(trials)
    await asyncio.gather(*(stopped(trial) for trial in trials))


IN_TIME = (Phase.DEPLOY, Phase.RUNNING, Phase.DEPLOYED)
"""Phases in which the executor goes on before the command has taken too long."""
STOPPED = {
    Phase.DEPLOY: ("CONFIGURED", "CONFIGURED"),
    Phase.CONFIGURE: ("no answer from host", "gone"),
    Phase.CONFIGURED: ("ERROR", "ERROR"),
    Phase.START: ("ERROR", "ERROR"),
    Phase.RUNNING: ("CONFIGURED", "CONFIGURED"),
    Phase.STOP: ("ERROR", "ERROR"),
    Phase.RESET: ("ERROR", "ERROR"),
    Phase.DEPLOYED: ("CONFIGURED", "CONFIGURED"),
    Phase.DESTROY: (f"could not kill some tasks within {KILL_S:g} s: task", "gone"),
}
"""Part of the answer to the command that is under way or comes next, and the state of the environment then."""
LIMITS = {
    Phase.CONFIGURE: TRANSITION_S + KILL_S, Phase.STOP: 2 * (TRANSITION_S + MARGIN_S), Phase.DESTROY: KILL_S,
}  # fmt: skip


async def stopped(trial: Trial) -> None:
    began_s = time.monotonic()
    os.kill(trial.executor_pid, signal.SIGSTOP)
    try:
        trial.release()
        store = await trial.seen(lambda store: executor_state(store, trial) == "SILENT")
        silent_s = time.monotonic() - began_s
        asked_s = time.monotonic()
        if trial.phase not in HELD:
            trial.ask_next()
        if trial.phase in IN_TIME:
            os.kill(trial.executor_pid, signal.SIGCONT)
        answer = await trial.answer()
        after_s = time.monotonic() - asked_s
        wanted, state = STOPPED[trial.phase]
        limit_s = LIMITS.get(trial.phase, TRANSITION_S) + 2 * MARGIN_S + SLOW_S
        assert wanted in answer.text and after_s < limit_s, f"{trial.phase}: {answer} {after_s:.1f} s"
        store = await trial.seen()
        assert trial.state(store) == state
        fault = trial.fault(store)
        if state == "ERROR":
            assert f"no answer from host {trial.host}" in fault
        if trial.phase not in IN_TIME:
            await trial.waits(began_s + LEASE_S + 1.0)  # the core's words wait in its socket: its lease goes on
    finally:
        os.kill(trial.executor_pid, signal.SIGCONT)
    await trial.seen(lambda store: executor_state(store, trial) == "ATTACHED")
    await trial.is_true()
    task = trial.task(await trial.seen(), trial.host)
    row = Row(
        "executor stopped",
        trial.phase,
        f"{answer.text}{'' if trial.phase in IN_TIME else f', after {after_s:.0f} s'}",
        f"host silent after {silent_s:.0f} s; {state}. {fault}",
        f"let go on: task {task.state}" if task else "let go on: it ends its tasks",
    )
    if state != "gone":
        ended = await trial.destroy()
        assert ended.text == "2 tasks ended"
    await trial.leaves_nothing()
    note(row)


def executor_state(store: Store, trial: Trial) -> str:
    return store.hosts[trial.host].executor_state


async def test_a_killed_executor_takes_its_tasks_along_and_the_next_one_takes_its_place(stage: Stage) -> None:
    trials = stage.trials(alone=True)
    await stage.reach(trials)
    await asyncio.gather(*(killed(trial) for trial in trials))
    again = stage.trial(Phase.CONFIGURED, trials[0].host)
    await again.reach()
    assert (await again.destroy()).text == "2 tasks ended"


KILLED = {
    Phase.DEPLOY: ("workflow failed while deploying", "gone"),
    Phase.CONFIGURE: ("could not complete for critical tasks", "gone"),
    Phase.DESTROY: ("2 tasks ended", "gone"),
}
"""Part of the answer, and the state of the environment; ERROR in all other phases."""


async def killed(trial: Trial) -> None:
    death = await kill(trial, trial.executor_pid, KILLED)
    told = f"on host {trial.host} was killed"
    if death.answer is not None:
        assert death.state == "ERROR" or trial.phase is Phase.DESTROY or told in death.answer.text
    if death.task is not None:
        assert f"{told} by signal 9" in death.fault
    await bury(trial, death, "executor")
