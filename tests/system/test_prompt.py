"""The prompt on a real core: from nothing to a run and back, with a wait given up and a core killed on the way."""

from __future__ import annotations

import sys
from pathlib import Path

from facility import Facility
from pseudo_terminal import PseudoTerminal


async def prompts(terminal: PseudoTerminal, *texts: str) -> None:
    """Return once an empty prompt holds the texts."""
    await terminal.until(lambda it: it.last.endswith("❯") and all(text in it.last for text in texts))


async def test_a_whole_run_is_driven_from_the_prompt_through_the_death_of_the_core(
    facility: Facility, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    sink = facility.repository / "tasks" / "sink.yaml"
    waits = f"until [ -e {gate} ]; do sleep 0.1; done; exec aliecs-occ sample sink"
    text = sink.read_text().partition("command:")[0] + f'command: {{shell: true, value: "{waits}"}}\n'
    sink.write_text(text)
    words = [sys.executable, "-P", "-m", "console", "--endpoint", f"127.0.0.1:{facility.port}", "repl"]
    places = {name: str(tmp_path) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    async with PseudoTerminal(words, size=(120, 40), environment=places) as terminal:
        await prompts(terminal)
        terminal.press("arm\r")
        await prompts(terminal, "[armed 15m]")
        terminal.press("env create flow --hosts flp001\r")
        await terminal.shows("hosts: flp001", "[y/N]")
        terminal.press("y\r")
        await terminal.shows("STB  DEPLOY")
        terminal.press("\x03")
        await terminal.shows("no longer waiting; the core goes on with creating an environment of flow")
        gate.touch()
        await prompts(terminal, "◑CFG")
        terminal.press("start\r")
        await terminal.shows("A new run begins")
        await terminal.until(lambda it: "[y/N]" in it.last)
        terminal.press("y\r")
        await prompts(terminal, "●RUN")
        await facility.kill()
        await prompts(terminal, "✖ link lost", "●RUN")
        terminal.press("stop\r")
        await terminal.shows("env stop: the link is lost")
        await facility.start()
        await prompts(terminal, "●RUN")
        await terminal.until(lambda it: "link lost" not in it.last)
        terminal.press("stop\r")
        await terminal.shows("ends for good")
        await terminal.until(lambda it: it.last.startswith("type "))
        terminal.press(f"{terminal.last.split()[1].strip(',')}\r")
        await prompts(terminal, "◑CFG")
        terminal.press("env destroy\r")
        await terminal.shows("SHUTDOWN: the environment is reset and removed")
        await terminal.until(lambda it: it.last.startswith("type "))
        terminal.press(f"{terminal.last.split()[1]}\r")
        await terminal.shows("tasks killed")
        await prompts(terminal, "[armed 15m] ❯")
        terminal.press("env ls\r")
        await terminal.shows("no environments running")
        await terminal.until(lambda it: it.last.endswith("❯"))
        terminal.press("\x04")
        assert await terminal.ended() == 0
