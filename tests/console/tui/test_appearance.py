"""How the screen looks as somebody asked for it: themes while it runs, no colour, only ASCII, no motion."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import struct
import sys
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fake_core import FakeCore
from screen import app_on, closed, row_with, shows, told, until
from textual.screen import ModalScreen

from console import keymap
from console.keymap import Keymap
from console.settings import Settings
from console.tui.bindings import known

Run = Callable[..., Awaitable[Any]]
COLOUR = re.compile(rb"\x1b\[[0-9;:]*?(?:(?<=[\[;])(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?=[;:m]))[0-9;:]*m")
"""An escape sequence that chooses a colour, and not the terminal's own (39, 49)."""
ALTERNATE_SCREEN = b"\x1b[?1049h"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of themes, empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "aliecs" / "themes"
    made.mkdir(parents=True)
    return made


async def test_a_theme_is_used_at_once_when_its_file_changes(core: FakeCore, folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text("name: mine\nextends: dark\n")
    app = app_on(core.endpoint, Settings(theme="mine"))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await shows(pilot, "OBSERVE")
        assert app.looks.theme.colours.background == "#0f1419"
        file.write_text("name: mine\nextends: light\ncolours: {background: '#eeeeee'}\n")
        await until(pilot, lambda _: app.screen.styles.background.hex == "#EEEEEE")
        assert app.looks.theme.colours.background == "#eeeeee" and not app.current_theme.dark
        file.write_text("name: mine\nextends: light\ncolours: {background: '#eee'\n")
        await shows(pilot, "YAML:")
        assert app.looks.theme.colours.background == "#eeeeee"
        file.unlink()
        await shows(pilot, "such")
        assert app.screen.styles.background.hex == "#EEEEEE"
        file.write_text("name: mine\nextends: light\ncolours: {background: '#dddddd'}\n")
        await until(pilot, lambda _: app.screen.styles.background.hex == "#DDDDDD")


async def test_a_broken_theme_is_told_and_the_screen_opens_all_the_same(core: FakeCore, folder: Path) -> None:
    (folder / "mine.yaml").write_text("name: mine\nextends: dark\ncolours: {accent: blau}\n")
    app = app_on(core.endpoint, Settings(theme="mine"))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await shows(pilot, "OBSERVE")
        await shows(pilot, "colours.accent:")
        assert app.looks.theme.name == "dark"
        (folder / "mine.yaml").write_text("name: mine\nextends: dark\ncolours: {accent: '#aabbcc'}\n")
        await until(pilot, lambda _: app.looks.theme.name == "mine")


async def test_only_ascii_is_drawn_where_that_is_asked_for(core: FakeCore) -> None:
    one = core.add(state="RUNNING")
    core.fault(one.id, "flp002", "RUNNING")
    core.add(state="CONFIGURED")
    app = app_on(core.endpoint, Settings(ascii=True))
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await shows(pilot, "OBSERVE", "ERR")
        opened = [
            *((tab.key, "OBSERVE") for tab in app.tabs), ("1", "First fault"), ("question_mark", "Keys and verbs"),
            ("ctrl+p", "What can be done"), ("A", "Arm this console"), ("enter", "ARMED"), ("d", "Destroying"),
            ("y", "copied"), ("colon,e", "explain"), ("slash,x", "no row"),
        ]  # fmt: skip
        for keys, text in opened:
            if keys != "enter" and isinstance(app.screen, ModalScreen):
                await pilot.press("escape")
                await closed(pilot)
            await pilot.press(*keys.split(","))
            tab = next((tab.name for tab in app.tabs if tab.key == keys), app.shown_tab)
            await until(pilot, lambda _, tab=tab: app.shown_tab == tab)  # type: ignore[misc]
            drawn = "".join(await shows(pilot, text))
            assert drawn.isascii(), (keys, sorted({letter for letter in drawn if not letter.isascii()}))


async def test_nothing_moves_where_that_is_asked_for(core: FakeCore) -> None:
    still = app_on(core.endpoint, Settings(reduced_motion=True))
    assert still.animation_level == "none"
    assert still.looks.spinner(0) == still.looks.spinner(1)
    lively = app_on(core.endpoint)
    assert lively.looks.spinner(0) != lively.looks.spinner(1)
    for app in (still, lively):
        await app.session.close()


async def sent_by_the_screen(core: FakeCore, *words: str, until: bytes = b"CFG", **variables: str) -> bytes:
    """Return what the program sends to a terminal until its screen shows that, and after q."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ALIECS_", "NO_COLOR", "TEXTUAL"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "console", *words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env=clean | {"ALIECS_CONSOLE_ENDPOINT": core.endpoint, "XDG_CONFIG_HOME": "/nonexistent", "TERM": "xterm-256color",
                     "COLORTERM": "truecolor"} | variables,
    )  # fmt: skip
    os.close(slave)
    loop, seen, stirred = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def take() -> None:
        try:
            seen.extend(os.read(master, 65536))
        except OSError:  # the other end is closed
            loop.remove_reader(master)
        stirred.set()

    loop.add_reader(master, take)
    try:
        async with asyncio.timeout(60):
            while until not in seen.partition(ALTERNATE_SCREEN)[2]:
                await stirred.wait()
                stirred.clear()
            os.write(master, b"q")
            assert await process.wait() == 0, bytes(seen).decode(errors="replace")
        return bytes(seen)
    finally:
        loop.remove_reader(master)
        os.close(master)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_no_color_is_taken_at_its_word(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    assert COLOUR.search(await sent_by_the_screen(core))
    assert not COLOUR.search(await sent_by_the_screen(core, NO_COLOR="1"))
    assert not COLOUR.search(await sent_by_the_screen(core, "--nocolor"))
    assert COLOUR.search(await sent_by_the_screen(core, "--theme", "light", NO_COLOR="1"))


async def test_a_dumb_terminal_is_sent_neither_colour_nor_signs(core: FakeCore) -> None:
    core.add(state="CONFIGURED")
    sent = await sent_by_the_screen(core, TERM="dumb")
    assert not COLOUR.search(sent) and sent.decode().isascii()


async def test_broken_settings_are_told_on_the_screen(core: FakeCore, tmp_path: Path) -> None:
    core.add(state="CONFIGURED")
    file = tmp_path / "settings.toml"
    file.write_text("theem = 1\n")
    assert await sent_by_the_screen(core, "--config", str(file), until=b"theem")


async def test_keys_of_the_user_work_and_are_shown_and_wrong_ones_are_told(core: FakeCore, folder: Path) -> None:
    file = folder.parent / "keys.toml"
    file.write_text(
        'list.down = "ctrl+n"\napp.tasks = "f9"\napp.theme = "ctrl+t"\nenv.start = ["f5", "x"]\napp.quite = "f1"\n'
    )
    first, second = core.add("first", state="CONFIGURED"), core.add("second", state="CONFIGURED")
    app = app_on(core.endpoint)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, second.id, "f9")
        await told(pilot, "app.quite:")
        assert app.environment_id == first.id
        await pilot.press("ctrl+n")
        await until(pilot, lambda _: app.environment_id == second.id)
        await pilot.press("k", "j")
        await until(pilot, lambda _: app.environment_id == first.id)
        await pilot.press("f9")
        await until(pilot, lambda _: app.shown_tab == "tasks")
        assert app.theme == "dark"
        await pilot.press("ctrl+t")
        await until(pilot, lambda _: app.theme == "light")
        await pilot.press("question_mark")
        lines = await shows(pilot, "Keys and verbs", "^n")
        assert any("^n" in line.split() and "down" in line.split() for line in lines)
        await pilot.press("escape")
        await closed(pilot)
        await pilot.press("ctrl+p")
        lines = await until(pilot, lambda lines: any("env start" in line for line in lines))
        assert row_with(lines, "env start").split()[-2:] == ["f5", "│"]


async def test_the_printed_file_of_keys_names_every_binding_and_changes_nothing(aliecs: Run, folder: Path) -> None:
    printed = (await aliecs("keys")).out
    file = folder.parent / "keys.toml"
    file.write_text(printed)
    assert keymap.load(known) == Keymap()
    file.write_text(re.sub("(?m)^# (?=.* = )", "", printed))
    found = keymap.load(known)
    assert set(found.keys) >= {name for names in known().values() for name in names}
    assert found.problems == ()


def test_every_binding_of_the_screen_has_a_name_for_the_file_of_keys() -> None:
    assert {"list.down", "app.quit", "env.destroy"} <= {name for names in known().values() for name in names}
    for context, names in known().items():
        assert all(re.fullmatch(r"[a-z_]+\.[a-z_-]+", name) for name in names), context
