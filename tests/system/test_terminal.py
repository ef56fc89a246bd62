"""The screen in a real terminal on a real core."""

from __future__ import annotations

import sys
from pathlib import Path

from facility import Facility
from terminal import Terminal


def console_on(facility: Facility) -> list[str]:
    return [str(Path(sys.executable).parent / "aliecs"), "--endpoint", f"127.0.0.1:{facility.port}"]


async def test_the_screen_opens_in_a_terminal_follows_a_run_and_closes(facility: Facility, tmp_path: Path) -> None:
    async with Terminal(tmp_path, console_on(facility), environment={"XDG_CONFIG_HOME": str(tmp_path)}) as terminal:
        await terminal.shows("no environments")
        created = await facility.create("flow", ["flp001"])
        await terminal.shows(created.id, "CFG")
        await facility.ask(created.id, "START_ACTIVITY")
        await terminal.shows("● RUN")
        await terminal.resize(60, 15)
        await terminal.shows("terminal too small", "60x15")
        await terminal.resize(80, 24)
        await terminal.shows(created.id)
        await terminal.press("q")
        assert await terminal.ended() == 0


async def test_a_whole_run_is_driven_from_the_keyboard(facility: Facility, tmp_path: Path) -> None:
    async with Terminal(tmp_path, console_on(facility), environment={"XDG_CONFIG_HOME": str(tmp_path)}) as terminal:
        await terminal.shows("no environments")
        await terminal.until(lambda lines: any("●" in line and "OBSERVE" in line for line in lines))
        await terminal.press("A")
        await terminal.shows("Arm this console")
        await terminal.press("Enter")
        await terminal.shows("ARMED 15m")

        await terminal.press(":")
        await terminal.type("env create -w flow --hosts flp001,flp002 ")
        await terminal.press("Enter")
        await terminal.shows("Creating an environment of flow", "flp001 flp002", "The core takes the hosts", "Cancel")
        await terminal.choose("Right", "Cancel")
        await terminal.press("Enter")
        lines = await terminal.until(lambda lines: any("◑ CFG" in line for line in lines))
        environment_id = next(line for line in lines if "◑ CFG" in line).split()[3]

        await terminal.press("s")
        await terminal.shows(f"START_ACTIVITY of {environment_id}", "A new run begins", "[ Start the run ]")
        await terminal.choose("Right", "Start the run")
        await terminal.press("Enter")
        lines = await terminal.until(lambda lines: any(" ● RUN" in line or "▸● RUN" in line for line in lines))
        run = next(line for line in lines if "● RUN" in line).split()[2]
        await terminal.until(lambda lines: any("B/s" in line for line in lines))

        await terminal.press("c")
        await terminal.shows("env configure: not possible now", "CONFIGURE needs DEPLOYED")
        await terminal.press("s")
        await terminal.shows(f"Run {run} ends for good", "Type ")
        await terminal.type(run[-3:])
        await terminal.press("Enter")
        await terminal.until(
            lambda lines: any("◑ CFG" in line for line in lines) and not any("Type " in it for it in lines)
        )

        await terminal.press("r")
        await terminal.shows(f"RESET of {environment_id}", "[ Reset ]")
        await terminal.press("Enter")
        await terminal.until(lambda lines: any("◔ DEP" in line for line in lines))

        await terminal.press("d")
        await terminal.shows(f"Destroying {environment_id}", "SHUTDOWN", f"Type {environment_id[:4]}")
        await terminal.type(environment_id[:4])
        await terminal.press("Enter")
        await terminal.shows("no environments", f"{environment_id} is gone")

        await terminal.press("C-q")
        await terminal.shows("This console is armed.")
        await terminal.press("Enter")
        assert await terminal.ended() == 0
    assert await facility.tasks() == []
