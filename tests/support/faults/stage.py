"""A facility with hosts for victims and bystanders, its deadlines short, and the gate of its tasks."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from facility import Facility

from faults.gate import Gate
from faults.trial import BYSTANDER, CROWDED, Phase, Trial

TRANSITION_S = 5.0
MARGIN_S = 2.0
"""What the core waits longer than tasks may take."""
AT_A_TIME = 4
LEASE_S = 5.0
SETTINGS = {
    "transitionTimeout": f"{TRANSITION_S:g}s",
    "configureTimeout": f"{TRANSITION_S:g}s",
    "deployTimeout": "40s",
    "heartbeat": "300ms",
    "silent": "1500ms",
    "lease": f"{LEASE_S:g}s",
}
"""Of the core."""
REPOSITORY = Path(__file__).resolve().parents[2] / "system" / "faults" / "repository"
HOSTS = {f"flp{number:03}": phase for number, phase in enumerate(Phase, 1)}


class Stage:
    """A running facility and its gate."""

    def __init__(self, facility: Facility, gate: Gate) -> None:
        self.facility = facility
        self.gate = gate

    def trials(self, *, alone: bool = False, **variables: str) -> list[Trial]:
        """Return one trial for each phase, on a host of its own if it shall be ``alone``."""
        return [self.trial(phase, host if alone else CROWDED, **variables) for host, phase in HOSTS.items()]

    async def reach(self, trials: Sequence[Trial]) -> None:
        """Bring all trials into their phases: what takes long before what is held up, whose deadlines run."""
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
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    **settings: str,
) -> AsyncIterator[Stage]:
    """Run a facility; at its end nothing of it may be left.

    Args:
        environment: of the core, and so of all that it starts.
        prefix: put before the command that starts the core.
        settings: of the core, in the place of ours.
    """
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
                folder, folder / "repository", records=False, prefix=prefix, **SETTINGS | settings
            ) as facility:
                yield Stage(facility, gate)
