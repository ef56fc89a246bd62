"""A facility with hosts for victims and bystanders, its deadlines short, and the gate of its tasks."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from facility import Facility

from faults.gate import Gate
from faults.trial import ATTEMPTS, BYSTANDER, CROWDED, Phase, Trial

TRANSITION_S = 8.0
MARGIN_S = 2.0
"""What the core waits longer than tasks may take."""
SLOW_S = 20.0
"""By how much an answer may be late where other things keep this machine busy; far less than a core's own deadlines."""
AT_A_TIME = 4
LEASE_S = 12.0
SETTINGS = {
    "deployTimeout": "90s",
    "heartbeat": "300ms",
    "silent": "1500ms",
    "lease": f"{LEASE_S:g}s",
}
"""Of the core."""
REPOSITORY = Path(__file__).resolve().parents[2] / "system" / "faults" / "repository"
HOSTS = {f"flp{number:03}": phase for number, phase in enumerate(Phase, 1)}


class Stage:
    """A running facility, its gate, and how long a transition may take there."""

    def __init__(self, facility: Facility, gate: Gate, limit_s: float) -> None:
        self.facility = facility
        self.gate = gate
        self.limit_s = limit_s

    def trials(self, *, alone: bool = False, **variables: str) -> list[Trial]:
        """Return one trial for each phase, on a host of its own if it shall be ``alone``."""
        return [self.trial(phase, host if alone else CROWDED, **variables) for host, phase in HOSTS.items()]

    async def reach(self, trials: Sequence[Trial]) -> None:
        """Bring all trials into their phases; again if the deadlines of those held up have half run out meanwhile."""
        for _ in range(ATTEMPTS):
            await self._begin(trials)
            if all(self._is_fresh(trial) for trial in trials):
                return
            await asyncio.gather(*(trial.leave() for trial in trials))
        raise AssertionError(f"not all phases were reached within {self.limit_s / 2:g} s in {ATTEMPTS} attempts")

    def _is_fresh(self, trial: Trial) -> bool:
        if trial.held_since_s is None:
            return True
        limit_s = self.limit_s if trial.phase is Phase.DEPLOY else self.limit_s / 2
        return time.monotonic() - trial.held_since_s < limit_s

    async def _begin(self, trials: Sequence[Trial]) -> None:
        """Do what takes long before what is held up, whose deadlines run."""
        turns = asyncio.Semaphore(AT_A_TIME)

        async def prepare(trial: Trial) -> None:
            async with turns:
                await trial.prepare()

        await asyncio.gather(*(prepare(trial) for trial in trials))
        first = [trial for trial in trials if trial.phase in (Phase.DEPLOY, Phase.CONFIGURE)]
        await asyncio.gather(*(trial.begin() for trial in first))
        await asyncio.gather(*(trial.begin() for trial in trials if trial not in first))

    def trial(self, phase: Phase, host: str = CROWDED, **variables: str) -> Trial:
        return Trial(self.facility, self.gate, host, phase, **variables)


@asynccontextmanager
async def staged(
    folder: Path,
    *,
    limit_s: float = TRANSITION_S,
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    **settings: str,
) -> AsyncIterator[Stage]:
    """Run a facility; at its end nothing of it may be left.

    Args:
        limit_s: for a transition.
        environment: of the core, and so of all that it starts.
        prefix: put before the command that starts the core.
        settings: of the core, in the place of ours.
    """
    limits = dict.fromkeys(("transitionTimeout", "configureTimeout"), f"{limit_s:g}s")
    shutil.copytree(REPOSITORY, folder / "repository")
    state = folder / "state"
    state.mkdir()
    hosts = "".join(f'      D{host[-2:]}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n' for host in (BYSTANDER, *HOSTS))
    (state / "configuration.yaml").write_text(
        "o2:\n  runtime: {aliecs: {defaults: {}, vars: {}}}\n  hardware:\n    detectors:\n" + hosts
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value)
        async with Gate(folder / "gate") as gate:
            async with Facility(
                folder, folder / "repository", records=False, prefix=prefix, **SETTINGS | limits | settings
            ) as facility:
                yield Stage(facility, gate, limit_s)
