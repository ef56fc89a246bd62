"""The prompt in this process, with keys from a pipe: what the keys do, without a terminal in between."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_core import FakeCore
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from console.parse import SESSION_ARGS
from console.repl.completer import LineCompleter, coloured, files
from console.repl.paint import Paints, style_of
from console.repl.person import Person
from console.session import Session, Timings
from console.settings import Settings
from console.themes import PLAIN, Paint, load
from server.api.client import Client, Deadlines
from server.api.errors import CoreError, Reason

PATIENT = Timings(snapshot_s=60.0, settle_s=60.0, stale_s=60.0, silence_s=120.0)


@pytest.fixture
async def keys(
    core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[PipeInput, Person, asyncio.Task[int]]]:
    """Return keys to press, the prompt, and its task."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    core.add(state="CONFIGURED")

    def open_session(endpoint: str) -> Session:
        return Session(Client(endpoint, deadlines=Deadlines(connect_s=60.0)), timings=PATIENT)

    given = argparse.Namespace(**{arg.name.strip("-").replace("-", "_"): None for arg in SESSION_ARGS})
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        person = Person(open_session(core.endpoint), Settings(arm_s=60), given, open_session)
        task = asyncio.create_task(person.run())
        yield pipe, person, task
        person.stop()
        await asyncio.wait_for(task, 60)
        await person.shell.close()


async def typed(person: Person, text: str) -> None:
    """Return once the line being edited is so."""
    buffer = person._editor.default_buffer
    changed = asyncio.Event()
    buffer.on_text_changed += lambda _: changed.set()
    async with asyncio.timeout(60):
        while buffer.text != text:
            changed.clear()
            await changed.wait()


async def test_tab_completes_and_enter_runs(core: FakeCore, keys: tuple[PipeInput, Person, asyncio.Task[int]]) -> None:
    pipe, person, _ = keys
    pipe.send_text("use @its")
    await typed(person, "use @its")
    pipe.send_text("\r")
    await until(lambda: person.shell.in_use == "2ab1CDEFgh")
    pipe.send_text("arm 300s\r")
    await until(lambda: person.shell.arming.is_armed)
    await until(lambda: not person.shell.session.refusal())  # the first prompt waits for the picture no longer than 1 s
    pipe.send_text("start")
    await typed(person, "start")
    pipe.send_text("\r")
    await until(lambda: person._open is not None and person._open is not person._editor)
    pipe.send_text("y\r")
    await until(lambda: core.environments["2ab1CDEFgh"].state == "RUNNING")


async def test_tab_inserts_what_all_candidates_share(
    core: FakeCore, keys: tuple[PipeInput, Person, asyncio.Task[int]]
) -> None:
    pipe, person, _ = keys
    await until(lambda: person._open is person._editor)
    pipe.send_text("env show 2a\t")
    await typed(person, "env show 2ab1CDEFgh")


async def test_typing_keeps_an_armed_operator_armed(
    core: FakeCore, keys: tuple[PipeInput, Person, asyncio.Task[int]]
) -> None:
    pipe, person, _ = keys
    touched = asyncio.Event()
    person.shell.arming.touch = touched.set  # type: ignore[method-assign]
    pipe.send_text("e")
    await asyncio.wait_for(touched.wait(), 60)


async def test_ctrl_d_leaves(keys: tuple[PipeInput, Person, asyncio.Task[int]]) -> None:
    pipe, person, task = keys
    await until(lambda: person._open is person._editor)
    pipe.send_text("\x04")
    assert await asyncio.wait_for(task, 60) == 0


async def test_a_line_that_comes_when_it_was_asked_to_end_is_not_run(
    core: FakeCore, keys: tuple[PipeInput, Person, asyncio.Task[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, person, task = keys
    await until(lambda: person._open is person._editor)

    async def entered(_: object) -> str:
        person.stop()
        return "env ls"

    monkeypatch.setattr(person, "_prompt", entered)
    await person._read_and_run()
    assert await asyncio.wait_for(task, 60) == 143 and "GetEnvironments" not in core.calls


async def test_what_is_fetched_for_completion_is_kept_for_a_while_and_an_error_offers_nothing(
    core: FakeCore, keys: tuple[PipeInput, Person, asyncio.Task[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.repl.completer.FETCH_S", 60.0)
    _, person, _ = keys
    completer = LineCompleter(person.shell)
    core.fail["ListRepos"] = CoreError(Reason.INTERNAL, "no")
    assert await completer._fetch("repos") == ()
    first = await completer._fetch("templates")
    assert first and await completer._fetch("templates") is first
    assert core.calls.count("GetWorkflowTemplates") == 1


async def until(condition: object) -> None:
    """Return once the condition holds."""
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.wait_for(asyncio.shield(_turn()), 60)


async def _turn() -> None:
    """Return a little later, when others had their turn."""
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    loop.call_later(0.01, later.set_result, None)
    await later


def test_files_are_offered_with_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.aliecs").touch()
    (tmp_path / ".hidden").touch()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    assert files("") == ("one.aliecs", "other/")
    assert files("o") == ("one.aliecs", "other/")
    assert files(f"{tmp_path}/on") == (f"{tmp_path}/one.aliecs",)
    assert files(".h") == (".hidden",)
    assert files("none/such") == ()


def test_verbs_and_options_have_their_colours_and_nothing_is_lost() -> None:
    paints = Paints(load("dark").theme)
    fragments = coloured("env start 2ab1 --timeout 3s | grep  x", paints)
    assert "".join(fragment[1] for fragment in fragments) == "env start 2ab1 --timeout 3s | grep  x"
    verb, option = paints.style("verb"), paints.style("option")
    assert [fragment[1] for fragment in fragments if fragment[0] == verb] == ["env", "start", "|"]
    assert [fragment[1] for fragment in fragments if fragment[0] == option] == ["--timeout"]
    assert not any(fragment[0] for fragment in coloured("nonsense 2ab1", paints))


@pytest.mark.parametrize(
    ("paint", "style"),
    [
        (Paint(fg="#ff0000", bg="#000000", bold=True), "fg:#ff0000 bg:#000000 bold"),
        (Paint(fg="ansi_bright_red", underline=True), "fg:ansibrightred underline"),
        (Paint(fg="ansi_white", bg="ansi_default", reverse=True, dim=True), "fg:ansigray bg:ansidefault reverse dim"),
        (Paint(fg="ansi_bright_white"), "fg:ansiwhite"),
        (Paint(), ""),
    ],
)
def test_paints_of_a_theme_are_said_in_the_words_of_the_prompt(paint: Paint, style: str) -> None:
    assert style_of(paint) == style


def test_every_state_has_sign_code_and_style_also_in_ascii() -> None:
    for theme in (PLAIN, load("mono").theme, load("light").theme):
        for ascii in (False, True):
            paints = Paints(theme, ascii=ascii)
            for state in ("RUNNING", "ERROR", "no such state"):
                sign, code, _ = paints.state(state)
                assert sign and code and (sign.isascii() or not ascii)
