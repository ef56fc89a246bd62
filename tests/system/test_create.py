"""An environment made in the screen New, on a real core with real executors and tasks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from create_pilot import form_of
from facility import Facility
from screen import app_on, shows, until

from console import draft

DEMO = Path(__file__).resolve().parents[2] / "server" / "demo"


@pytest.fixture
async def facility(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Facility]:
    """Return a running facility with the workflows of the demo."""
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    repository = tmp_path / "repository"
    for folder in ("workflows", "tasks"):
        shutil.copytree(DEMO / folder, repository / folder)
    async with Facility(tmp_path, repository) as one:
        yield one


async def test_the_demo_is_made_on_two_hosts_with_a_changed_variable(facility: Facility) -> None:
    app = app_on(f"127.0.0.1:{facility.port}")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "no environments")
        await pilot.press("7")
        await shows(pilot, "readout-demo", "Readout, time frame building")
        await pilot.press("enter")
        await shows(pilot, "flp004", "4 hosts", "named by the template")
        await pilot.press("G", "space", "k", "space")
        await until(pilot, lambda lines: "2 hosts" in lines[3])
        await pilot.press("greater_than_sign")
        await until(pilot, lambda _: form_of(app).step == 3)
        await pilot.press("slash")
        await pilot.press(*"rate_hz", "enter")
        await until(pilot, lambda lines: any("▸" in line and "Message rate" in line for line in lines))
        await pilot.press("left", "left", "left", "left", "left", "escape", "greater_than_sign")
        await shows(pilot, "Differs from readout-demo", "50 → 25", "Message rate")
        await until(pilot, lambda _: not app.session.refusal())
        app.arm()
        await pilot.press("enter")
        await shows(pilot, "Creating an environment of readout-demo")
        before = app.focused
        await pilot.press("right")
        await until(pilot, lambda _: app.focused is not before)
        await pilot.press("enter")
        await until(pilot, lambda lines: app.shown_tab == "environment")
        made = app.environment_id
        store = app.session.store

        def is_there(lines: list[str]) -> bool:
            environment = store.environment(made)
            return environment is not None and environment.state == "CONFIGURED" and environment.transition is None

        await until(pilot, is_there, 60.0)
        environment = store.environment(made)
        assert environment is not None and environment.hosts == 2
        assert dict(environment.user_vars)["rate_hz"] == "25" and environment.detectors
        assert all(task.state == "CONFIGURED" for task in store.tasks(made) if task.critical)
        await until(pilot, lambda lines: not draft.path_of(f"127.0.0.1:{facility.port}").exists())
        await pilot.press("7")
        await shows(pilot, "no template chosen yet")
        await pilot.press("enter")
        await shows(pilot, f"in use by {made}")
    await facility.destroy(made)
