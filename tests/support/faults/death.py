"""The death of a process that environments need, in any phase: what is told of it in time, and that nothing is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

from console.store import Store
from faults.stage import SLOW_S
from faults.table import Row, note
from faults.trial import HELD, Answer, Phase, Trial
from server.api.model import Task


@dataclass(frozen=True, slots=True)
class Death:
    """What a client was told of a death.

    Attributes:
        answer: of the command that was under way, None if there was none.
        state: of the environment since.
        task: on the host of the death; None if its environment is gone.
    """

    answer: Answer | None
    state: str
    fault: str
    task: Task | None


async def kill(trial: Trial, pid: int, told: Mapping[Phase, tuple[str, str]]) -> Death:
    """Kill a process, and check what is told of it.

    Args:
        told: part of the answer and the state of the environment, by phase; ERROR in all others.
    """
    began_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wanted, state = told.get(trial.phase, ("ERROR", "ERROR"))
    answer = await trial.answer() if trial.phase in HELD else None
    store: Store = await trial.seen(lambda store: trial.state(store) == state)
    after_s = time.monotonic() - began_s
    assert after_s < SLOW_S, f"{trial.phase}: {after_s:.1f} s"
    if answer is not None:
        assert wanted in answer.text, f"{trial.phase}: {answer}"
    task = trial.task(store, trial.host) if state == "ERROR" else None
    if state == "ERROR":
        assert task is not None and (task.state, task.status) == ("ERROR", "INACTIVE")
    return Death(answer, state, trial.fault(store), task)


async def bury(trial: Trial, death: Death, victim: str) -> None:
    """Check that states are true and a destroy leaves nothing, and note the row of the table."""
    await trial.is_true()
    ended = ""
    if death.state == "ERROR":
        ended = (await trial.destroy()).text
        assert ended == "2 tasks ended"
    await trial.leaves_nothing()
    answer = death.answer.text if death.answer else ""
    note(Row(f"{victim} killed", trial.phase, answer, f"{death.state}. {death.fault}", ended))
