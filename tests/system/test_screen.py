"""The screen on a real core that stops, dies and comes back."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from facility import Facility
from screen import QUICK, app_on, screen_of, shows, told, until

STOPPED_S = 10


def age_shown(lines: list[str]) -> float:
    """Return the age of the data as the header tells it, in seconds."""
    words = lines[0].split()
    return float(next(word for word in words if word[0].isdigit() and word.endswith("s")).removesuffix("s"))


async def test_a_core_that_is_stopped_is_seen_by_the_age_of_its_data_and_nothing_is_asked_of_it(
    facility: Facility,
) -> None:
    created = await facility.create("flow", ["flp001"])
    app = app_on(f"127.0.0.1:{facility.port}", timings=replace(QUICK, stale_s=5.0))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, created.id)
        assert facility.process
        os.kill(facility.process.pid, signal.SIGSTOP)
        try:
            lines = await shows(pilot, "STALE")
            assert 5 <= age_shown(lines) and "data is" in app.session.refusal()
            lines = await until(pilot, lambda lines: "STALE" in lines[0] and age_shown(lines) >= STOPPED_S - 1)
            assert created.id in "\n".join(lines)
            app.operator.submit(["env", "start", created.id])
            await told(pilot, "not possible now: data is")
        finally:
            os.kill(facility.process.pid, signal.SIGCONT)
        await until(pilot, lambda lines: "●" in lines[0] and "STALE" not in lines[0])
        await until(pilot, lambda _: app.session.refusal() == "")


async def test_a_core_that_is_killed_and_started_again_finds_the_same_selection_and_the_run(facility: Facility) -> None:
    await facility.create("flow", ["flp001"])
    second = await facility.create("flow", ["flp002"])
    await facility.ask(second.id, "START_ACTIVITY")
    app = app_on(f"127.0.0.1:{facility.port}")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "◑ CFG", "● RUN")  # the rows; the events tell of both environments before
        await pilot.press("j")
        await until(pilot, lambda _: app.environment_id == second.id)
        await facility.kill()
        lines = await until(pilot, lambda lines: "LINK LOST" in lines[0])
        assert any(line.startswith("▸") and second.id in line and "RUN" in line for line in lines)
        assert app.session.refusal().startswith("the link is lost")
        await facility.start()
        await until(pilot, lambda lines: "●" in lines[0])
        lines = screen_of(app)
        assert any(line.startswith("▸") and second.id in line and "RUN" in line for line in lines), lines
        assert app.environment_id == second.id
