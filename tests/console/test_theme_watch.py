"""A theme is read again when its file changes: real files, the kernel's own notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from console import themes
from console.theme_watch import watch_theme
from console.themes import Theme

DEADLINE_S = 60.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of themes, empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "aliecs" / "themes"
    made.mkdir(parents=True)
    return made


def text_of(name: str, accent: str) -> str:
    return f"name: {name}\nextends: dark\ncolours: {{accent: '{accent}'}}\n"


class Heard:
    """What a watcher said, one after the other."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[Theme | str] = asyncio.Queue()

    async def listen(self, name: str) -> None:
        async for found in watch_theme(name):
            self._said.put_nowait(found)

    async def theme(self) -> Theme:
        found = await asyncio.wait_for(self._said.get(), DEADLINE_S)
        assert isinstance(found, Theme), found
        return found

    async def problem(self) -> str:
        found = await asyncio.wait_for(self._said.get(), DEADLINE_S)
        assert isinstance(found, str), found
        return found

    def is_silent(self) -> bool:
        return self._said.empty()


@asynccontextmanager
async def watching(name: str) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(heard.listen(name))
    await asyncio.sleep(0)  # up to the first wait: from here on nothing is missed
    yield heard
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_changed_file_gives_the_theme_anew(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text(text_of("mine", "#111111"))
    async with watching("mine") as heard:
        file.write_text(text_of("mine", "#222222"))
        assert (await heard.theme()).colours.accent == "#222222"
        with file.open("a") as more:
            more.write("states: {RUNNING: {underline: true}}\n")
        assert (await heard.theme()).states["RUNNING"].underline


async def test_what_changed_since_it_was_read_and_before_it_is_watched_counts_too(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text(text_of("mine", "#111111"))
    used = themes.read("mine")
    file.write_text(text_of("mine", "#222222"))
    async with asyncio.timeout(DEADLINE_S):
        found = await anext(watch_theme("mine", used))
    assert isinstance(found, Theme) and found.colours.accent == "#222222"


async def test_a_broken_file_is_told_and_a_mended_one_is_used(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text(text_of("mine", "#111111"))
    async with watching("mine") as heard:
        file.write_text(text_of("mine", "#22"))
        problem = await heard.problem()
        assert f"{file}:3:11: colours.accent: expected a colour" in problem and problem.endswith("the one before stays")
        file.write_text(text_of("mine", "#333333"))
        assert (await heard.theme()).colours.accent == "#333333"


async def test_a_deleted_file_is_told_and_a_new_one_is_used(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text(text_of("mine", "#111111"))
    async with watching("mine") as heard:
        file.unlink()
        assert "theme mine: no such theme" in await heard.problem()
        file.write_text(text_of("mine", "#444444"))
        assert (await heard.theme()).colours.accent == "#444444"


async def test_a_file_that_is_replaced_as_editors_do_it_counts_once(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text(text_of("mine", "#111111"))
    async with watching("mine") as heard:
        file.rename(folder / "mine.yaml~")
        new = folder / ".mine.swp"
        new.write_text(text_of("mine", "#555555"))
        os.replace(new, file)
        assert (await heard.theme()).colours.accent == "#555555"
        assert heard.is_silent()


async def test_a_change_of_what_a_theme_extends_is_seen(folder: Path) -> None:
    base = folder / "base.yaml"
    base.write_text(text_of("base", "#111111"))
    (folder / "mine.yaml").write_text("name: mine\nextends: base\n")
    async with watching("mine") as heard:
        base.write_text(text_of("base", "#666666"))
        assert (await heard.theme()).colours.accent == "#666666"


async def test_a_file_behind_a_link_is_watched_where_it_is(folder: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "mine.yaml"
    real.parent.mkdir()
    real.write_text(text_of("mine", "#111111"))
    (folder / "mine.yaml").symlink_to(real)
    async with watching("mine") as heard:
        real.write_text(text_of("mine", "#777777"))
        assert (await heard.theme()).colours.accent == "#777777"


async def test_other_files_and_changes_that_change_nothing_are_passed_over(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text(text_of("mine", "#111111"))
    async with watching("mine") as heard:
        (folder / "notes.txt").write_text("not a theme")
        (folder / "other.yaml").write_text(text_of("other", "#888888"))
        file.write_text("# a remark\n" + text_of("mine", "#111111"))
        file.write_text(text_of("mine", "#999999"))
        assert (await heard.theme()).colours.accent == "#999999"
        assert heard.is_silent()


async def test_a_theme_that_is_broken_at_first_is_given_when_it_is_mended(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text("name: mine\n")
    assert themes.load("mine").problem
    async with watching("mine") as heard:
        file.write_text(text_of("mine", "#123456"))
        assert (await heard.theme()).colours.accent == "#123456"


async def test_nothing_stays_open_when_nobody_watches_any_more(folder: Path) -> None:
    (folder / "mine.yaml").write_text(text_of("mine", "#111111"))
    before = watches()
    async with watching("mine"):
        assert watches() == before + 1
    assert watches() == before


def watches() -> int:
    """Return how many descriptors of this process watch files; other ones may come and go in its threads."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += "inotify" in os.readlink(f"/proc/self/fd/{name}")
    return count
