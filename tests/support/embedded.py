"""A real core in the loop of the test, with real executors and tasks as processes below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from facility import CONFIGURATION, HOSTS, Facility

from server.core import Core
from server.serve import ControlServer
from server.settings import load_settings


class EmbeddedCore:
    """A core that shares the event loop with what talks to it; an async context manager that leaves nothing behind."""

    def __init__(self, folder: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._facility = Facility(folder, repository)  # for its instance id and for looking after processes
        monkeypatch.setenv("ALIECS_INSTANCE", self._facility.instance)
        state = folder / "state"
        state.mkdir()
        store = CONFIGURATION + "".join(
            f'      {detector}: {{flps: {{{host}: {{cards: "{{}}"}}}}}}\n' for host, detector in HOSTS.items()
        )
        (state / "configuration.yaml").write_text(store)
        flags = {
            "controlPort": "0", "bindAddress": "127.0.0.1", "coreWorkingDir": str(state), "defaultRepo": str(repository),
            "integrationPlugins": "testplugin", "goErrorDelay": "50ms",
        }  # fmt: skip
        settings = load_settings([f"--{key}={value}" for key, value in flags.items()], {})
        self.core = Core(settings, self._facility.instance)
        self.server: ControlServer

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    async def __aenter__(self) -> EmbeddedCore:
        await self.core.__aenter__()
        self.server = ControlServer(self.core, "127.0.0.1", 0)
        await self.server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.core.drain()
        await self.server.stop(1.0)
        await self.core.__aexit__(*error)
        await self._facility.leaves_nothing()
