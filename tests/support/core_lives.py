"""Lives of one real core in the loop of the test, on one state folder, with workflows that the test writes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from facility import CONFIGURATION, HOSTS, Facility

from server.core import Core
from server.environment.creation import Creation
from server.environment.runner import EnvironmentRunner
from server.environment.stimuli import AnyStimulus, Requester, encode
from server.journal import Journal
from server.journal import Stimulus as Journalled
from server.settings import load_settings

OPERATOR = Requester(name="shifter")
DEADLINE_S = 60.0
LEASE = "20s"
SINK = """\
name: sink
control: {mode: direct}
wants: {cpu: 0.01, memory: 16}
command: {shell: false, value: aliecs-occ, arguments: [sample, sink]}
"""
ECHO = """\
name: echo
control: {mode: basic}
wants: {cpu: 0.01, memory: 16}
command: {shell: true, value: echo done}
"""


class CoreLives:
    """One instance. Its last life must drain, so that nothing is left.

    Args:
        workflows: texts of workflow templates by name; their tasks may load ``sink`` and ``echo``.
        settings: of the core, by flag.
    """

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, workflows: Mapping[str, str], **settings: str
    ) -> None:
        repository, self.state = folder / "repository", folder / "state"
        (repository / "tasks").mkdir(parents=True)
        (repository / "workflows").mkdir()
        (repository / "tasks" / "sink.yaml").write_text(SINK)
        (repository / "tasks" / "echo.yaml").write_text(ECHO)
        for name, text in workflows.items():
            (repository / "workflows" / f"{name}.yaml").write_text(f"name: {name}\n{text}")
        self.state.mkdir()
        hosts = "".join(
            f'      {detector}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n' for host, detector in HOSTS.items()
        )
        (self.state / "configuration.yaml").write_text(CONFIGURATION + hosts)
        # For its instance id and for looking after processes.
        self._facility = Facility(folder, repository, lease=LEASE)
        monkeypatch.setenv("ALIECS_INSTANCE", self._facility.instance)
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        flags = {
            "coreWorkingDir": str(self.state), "defaultRepo": str(repository), "integrationPlugins": "testplugin",
            "goErrorDelay": "50ms", "lease": LEASE,
        }  # fmt: skip
        self._settings = load_settings([f"--{key}={value}" for key, value in (flags | settings).items()], {})

    @asynccontextmanager
    async def life(self, *, is_last: bool = True) -> AsyncIterator[Core]:
        """Run a core; the last one drains at its end, others detach."""
        try:
            async with Core(self._settings, self._facility.instance) as core:
                try:
                    yield core
                finally:
                    if is_last:
                        await core.drain()
        finally:
            if is_last:
                await self._facility.leaves_nothing()

    async def journal(self, environment_id: str, *stimuli: AnyStimulus) -> None:
        """Add what happened to an environment just before its core was killed, so that nothing came of it."""
        journal = await Journal.open(self.state / "journal.sqlite")
        await journal.append([Journalled(environment_id, encode(one)) for one in stimuli])
        await journal.close()


async def create(core: Core, template: str, **user_vars: str) -> EnvironmentRunner:
    return await core.environments.create(Creation(template, user_vars, OPERATOR))


async def destroy(core: Core, environment_id: str, *, force: bool = False) -> None:
    await core.environments.destroy(environment_id, OPERATOR, keep_tasks=False, allow_running=True, force=force)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds; what tells of it differs."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
