"""Every verb that the screen offers, given by keys and lines to a real core in the same loop."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from embedded import EmbeddedCore
from screen import app_on, arm, screen_of, shows, told, types, until
from textual.events import Paste
from textual.pilot import Pilot

from console.command import SCREEN
from console.commands import commands_of
from console.session import Timings
from console.tui.app import ConsoleApp
from console.tui.dialogs.base import Dialog
from console.tui.dialogs.reading import Reading
from console.tui.widgets.command_line import CommandLine

HERE = Path(__file__).resolve().parent
SIZE = (120, 40)
PATIENT = Timings(stale_s=60.0)
"""Core and screen share a loop here: what holds it up for some seconds must not refuse a key."""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedCore]:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}:/usr/local/bin:/usr/bin:/bin")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    shutil.copytree(repository, tmp_path / "other")
    async with EmbeddedCore(tmp_path, repository, monkeypatch) as one:
        yield one


async def to_the_right(pilot: Pilot[int]) -> None:
    """Go to the next choice of a dialog."""
    before = pilot.app.focused
    await pilot.press("right")
    await until(pilot, lambda _: pilot.app.focused is not before)


class Shift:
    """Somebody at the screen, who gives lines and answers questions."""

    def __init__(self, pilot: Pilot[int], app: ConsoleApp) -> None:
        self.pilot = pilot
        self.app = app
        self.given: set[str] = set()

    async def give(self, line: str) -> None:
        """Paste a line behind ``:``."""
        self.given.add(max((one.name for one in commands_of(SCREEN) if line.startswith(one.name)), key=len))
        self.app.clear_notifications()
        await self.pilot.press("colon")
        await until(self.pilot, lambda _: isinstance(self.app.screen, CommandLine))
        self.app.post_message(Paste(line))
        await self.pilot.press("enter")

    async def reads(self, line: str, *texts: str) -> None:
        """Give a question and read its answer."""
        await self.give(line)
        await shows(self.pilot, *texts)
        assert isinstance(self.app.screen, Reading), screen_of(self.app)
        await self.pilot.press("escape")
        await until(self.pilot, lambda _: not isinstance(self.app.screen, Dialog))

    async def acts(self, line: str, question: str, answer: list[str], *told_then: str) -> str:
        """Give an act, answer its question, and return what is told when it is done."""
        await self.give(line)
        await shows(self.pilot, question)
        for keys in answer:
            if keys.startswith("'"):
                await types(self.pilot, keys[1:])
            elif keys == "right":
                await to_the_right(self.pilot)
            else:
                await self.pilot.press(keys)
        return await told(self.pilot, *told_then)

    async def creates(self, host: str) -> str:
        """Create an environment, which is the selected one then, and return its id."""
        told = await self.acts(
            f"env create -w flow --hosts {host}",
            "The core takes the hosts",
            ["right", "enter"],
            "env create",
            "CONFIGURED",
        )
        made = told.split()[2]
        await until(self.pilot, lambda _: self.app.environment_id == made)
        return made

    def task_on(self, host: str) -> str:
        """Return the id of a task of the selected environment."""
        tasks = self.app.session.store.tasks(self.app.environment_id)
        return next(one.task_id for one in tasks if one.host == host)


async def test_every_question_of_the_screen_is_answered_by_a_real_core(core: EmbeddedCore, tmp_path: Path) -> None:
    app = app_on(core.endpoint, timings=PATIENT)
    async with app.run_test(size=SIZE) as pilot:
        shift = Shift(pilot, app)
        await shows(pilot, "no environments")
        await shift.reads("info", "instance", "core endpoint")
        await shift.reads("services", "testplugin", "READY")
        await shift.reads("hosts", "flp001", "flp004")
        await shift.reads("templ ls", "flow", "A source and a sink on every host")
        await shift.reads("templ vars flow", "rate_hz", "Messages per second")
        await shift.reads("env plan -w flow --hosts flp002", "env plan", "flp002")
        await shift.reads("repo ls", str(tmp_path / "repository"), "YES")
        await shift.reads("whoami", "shifter@control", "no, observing")
        await shift.give("env ls")
        await told(pilot, "no environments running")
        await shift.give("help")
        await shows(pilot, "Keys and verbs")
        await pilot.press("escape")
        await shift.give("arm 10m")
        await until(pilot, lambda lines: "ARMED 10m" in lines[0])
        await shift.give("disarm")
        await until(pilot, lambda lines: "OBSERVE" in lines[0])
        await arm(pilot)
        one = await shift.creates("flp001")
        await shift.give("use @last")
        await told(pilot, "use: the screens are about")
        await shift.give(f"use {one}")
        await until(pilot, lambda _: app.environment_id == one)

        await shift.reads("env ls", one, "CONFIGURED")
        await shift.reads("env show -t -w --vars", "state:", "rate_hz", "source")
        await shift.reads("role query", "role path: flow.host-flp001")
        await shift.reads("role tree", "host-flp001", "sink")
        await shift.reads("task ls", "source", "flp001")
        task = shift.task_on("flp001")
        await shift.reads(f"task show {task}", "command:", "flp001")
        await shift.reads("host ls", "flp001", "ATTACHED")
        await shift.reads("host show flp003", "executor:", "NONE")
        await shift.give(f"task tail {task}")
        await until(pilot, lambda _: app.shown_tab == "task")
        await pilot.press("1")
        await shift.reads("events", one, "CONFIGURED")
        await shift.reads(f"explain {one}", one)
        await shift.give("env wait -s CONFIGURED")
        await told(pilot, f"env wait: {one} is CONFIGURED")
        await shift.give("env watch")
        await until(pilot, lambda _: app.shown_tab == "events")
        await pilot.press("1")
        await shift.give("theme mono")
        await until(pilot, lambda _: app.theme == "mono")
        (tmp_path / "broken.jsonl").write_text("no recording\n")
        await shift.give(f"replay {tmp_path / 'broken.jsonl'}")
        await told(pilot, "not played", "broken.jsonl")
        await shift.give(f"record {tmp_path / 'seen.jsonl'}")
        await shows(pilot, "REC 0:0")
        await shift.give("quit")
        await shows(pilot, "This console is armed.")
        await pilot.press("enter")
        await until(pilot, lambda _: app.return_code is not None)
    assert {one.name for one in commands_of(SCREEN) if not one.rpc} - shift.given == set()
    assert app.return_code == 0


async def test_every_act_of_the_screen_is_done_by_a_real_core(core: EmbeddedCore, tmp_path: Path) -> None:
    app = app_on(core.endpoint, timings=PATIENT)
    async with app.run_test(size=SIZE) as pilot:
        shift = Shift(pilot, app)
        await shows(pilot, "no environments")
        await arm(pilot)
        confirm = ["right", "enter"]
        one = await shift.creates("flp001")
        task = shift.task_on("flp001")
        await shift.acts("host drain flp003 --why dust", "No new task is placed", confirm, "host drain", "dust")
        await shift.acts("host undrain flp003", "host undrain flp003", ["enter"], "host undrain", "flp003")
        await shift.acts("host restart flp003", "Its process ends", ["'flp003", "enter"], "host restart", "ATTACHED")
        await shift.acts(f"task transition {task} RESET", "Only this task moves", confirm, "task transition", "STANDBY")
        await shift.acts(
            f"task transition {task} CONFIGURE", "Only this task moves", confirm, "task transition", "CONFIGURED"
        )

        await shift.give("env deploy")
        await told(pilot, "env deploy: not possible now", "DEPLOY needs STANDBY, the environment is CONFIGURED")
        await shift.acts("env reset", f"RESET of {one}", ["enter"], f"RESET of {one}: DEPLOYED")
        await shift.acts("env configure", f"CONFIGURE of {one}", ["enter"], f"CONFIGURE of {one}: CONFIGURED")
        await shift.acts("env start", "A new run begins", confirm, f"START_ACTIVITY of {one}: RUNNING, run 1")
        await shift.acts("env stop", "Run 1 ends for good", ["'1", "enter"], f"STOP_ACTIVITY of {one}: CONFIGURED")
        await shift.acts(
            "env control -e start", "A new run begins", confirm, f"START_ACTIVITY of {one}: RUNNING, run 2"
        )
        await shift.give("env destroy")
        await told(pilot, "is taking data in run 2: stop it first, or destroy it with -a")
        await shift.acts(
            "env destroy -a",
            "Run 2 is stopped first",
            [f"'{one}", "enter", "'shift ended", "enter"],
            f"{one} is gone",
        )
        other = await shift.creates("flp002")
        await shift.acts(
            "env destroy --keep-tasks",
            "running, without an environment.",
            [f"'{other[:4]}", "enter"],
            f"{other} is gone",
        )
        await until(pilot, lambda _: any(not it.locked for it in app.session.store.tasks()))
        left = next(it.task_id for it in app.session.store.tasks() if not it.locked)
        await shift.acts(f"task kill {left}", "Its process is killed", [f"'{left[:4]}", "enter"], "task kill", "DONE")
        await shift.acts(
            "task clean",
            "Killing every task",
            ["'all", "enter", "'idle tasks", "enter"],
            "task clean",
            "done",
        )

        await shift.acts(f"repo add {tmp_path / 'other'}", "repo add", ["enter"], "repo add: repository:")
        await shift.acts("repo refresh", "repo refresh", ["enter"], "repo refresh: refreshed: all")
        named = str(tmp_path / "other")
        await shift.acts(
            f"repo default {named}",
            "Making ",
            [f"'{named[:4]}", "enter"],
            "repo default: default:",
        )
        await shift.acts(
            "repo default-revision master", "the default revision", ["'mast", "enter"], "default revision: master"
        )
        await shift.acts(
            f"repo rm {named}",
            "can be used no more",
            [f"'{named}", "enter", "'not needed", "enter"],
            "repo rm: removed:",
        )
    assert {one.name for one in commands_of(SCREEN) if one.rpc} - shift.given == set()


async def test_a_creation_that_fails_says_where_and_why(core: EmbeddedCore) -> None:
    app = app_on(core.endpoint, timings=PATIENT)
    async with app.run_test(size=SIZE) as pilot:
        shift = Shift(pilot, app)
        await shows(pilot, "no environments")
        await arm(pilot)
        await shift.give("env create -w flow --hosts flp001,nowhere")
        await shows(pilot, "The core takes the hosts")
        await to_the_right(pilot)
        await pilot.press("enter")
        await shows(pilot, "failed", "nowhere", "Kind")
        await pilot.press("enter")
        await shift.give("env create -w nosuch")
        await shows(pilot, "The core takes the hosts")
        await to_the_right(pilot)
        await pilot.press("enter")
        await shows(pilot, "nosuch", "5 not found")
