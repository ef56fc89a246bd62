"""A task is killed or stopped, in every phase of the life of its environment; all phases at once, one environment each."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from faults.death import bury, kill
from faults.stage import MARGIN_S, SLOW_S, TRANSITION_S, Stage, staged
from faults.table import Row, note
from faults.trial import HELD, Phase, Trial

KILL_S = 25.0
"""A task that does not answer is ended after 5 s for an answer, 2 s of SIGTERM and 3 s of SIGINT."""
DEPLOY_S = 12.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    settings = {"lease": "60s", "silent": "10s", "killTimeout": f"{KILL_S:g}s"}
    async with staged(tmp_path_factory.mktemp("tasks"), **settings) as one:
        yield one


async def test_a_killed_task_is_told_at_once_and_nothing_of_its_environment_is_left(stage: Stage) -> None:
    trials = stage.trials()
    await stage.reach(trials)
    await asyncio.gather(*(killed(trial) for trial in trials))


KILLED = {
    Phase.DEPLOY: ("ended before its control port", "gone"),
    Phase.CONFIGURE: ("ended during CONFIGURE: killed by signal 9", "gone"),
    Phase.DESTROY: ("2 tasks ended", "gone"),
}
"""Part of the answer, and the state of the environment; ERROR in all other phases."""


async def killed(trial: Trial) -> None:
    death = await kill(trial, trial.pid, KILLED)
    if death.task is not None:
        assert "signal 9" in death.task.error
        assert trial.host in death.fault and "signal 9" in death.fault
    await bury(trial, death, "task")


async def test_a_task_that_is_stopped_or_deaf_costs_no_command_its_answer_and_goes_on_when_it_can(stage: Stage) -> None:
    brief = {Phase.DEPLOY: {"deploy_timeout": f"{DEPLOY_S:g}s"}}
    trials = [stage.trial(phase, **brief.get(phase, {})) for phase in Phase]
    stubborn = stage.trial(Phase.DESTROY, victim_class="stubborn")
    await stage.reach([*trials, stubborn])
    await asyncio.gather(*(stopped(trial) for trial in trials), deaf(stubborn))


STOPPED = {
    Phase.DEPLOY: ("has not come up", DEPLOY_S + KILL_S),
    Phase.CONFIGURE: ("CONFIGURE timed out", TRANSITION_S + KILL_S),
    Phase.CONFIGURED: ("ERROR", TRANSITION_S),
    Phase.START: ("ERROR", TRANSITION_S),
    Phase.RUNNING: ("ERROR", 2 * TRANSITION_S),
    Phase.STOP: ("ERROR", 2 * TRANSITION_S),
    Phase.RESET: ("ERROR", TRANSITION_S),
    Phase.DEPLOYED: ("ERROR", TRANSITION_S),
    Phase.DESTROY: ("2 tasks ended", KILL_S),
}
"""Part of the answer to the command that is under way or comes next, and its deadline; STOP is tried again by GO_ERROR."""


async def stopped(trial: Trial) -> None:
    began_s = time.monotonic()
    os.kill(trial.pid, signal.SIGSTOP)
    trial.release()
    if trial.phase not in HELD:
        trial.ask_next()
    wanted, limit_s = STOPPED[trial.phase]
    answer = await trial.answer()
    after_s = time.monotonic() - began_s
    assert wanted in answer.text and after_s < limit_s + MARGIN_S + SLOW_S, f"{trial.phase}: {answer} {after_s:.1f} s"
    store = await trial.seen()
    fault = trial.fault(store)
    state = trial.state(store)
    row = Row("task stopped", trial.phase, f"{answer.text}, after {after_s:.0f} s", f"{state}. {fault}")
    if state == "ERROR":
        assert trial.host in fault and "timed out" in fault
        os.kill(trial.pid, signal.SIGCONT)
        await trial.is_true()
        task = trial.task(await trial.seen(), trial.host)
        assert task is not None
        ended = await trial.destroy()
        assert ended.text == "2 tasks ended" and ended.after_s < SLOW_S
        row = Row(row.fault, row.phase, row.answer, row.seen, f"let go on: task {task.state}; {ended.text}")
    await trial.leaves_nothing()
    note(row)


async def deaf(trial: Trial) -> None:
    """Wait for the end of a task that neither leaves by itself nor listens to SIGTERM and SIGINT."""
    answer = await trial.answer()
    assert answer.text == "2 tasks ended" and answer.after_s < KILL_S + SLOW_S, str(answer)
    await trial.leaves_nothing()
    told = f"{answer.text}, after {answer.after_s:.0f} s"
    note(Row("task ignores SIGTERM and SIGINT, and EXIT hangs", trial.phase, told, "gone", "ended by SIGKILL"))
