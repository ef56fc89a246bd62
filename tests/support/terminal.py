"""A real terminal in a test: a program in tmux, keys in, screen out. The tmux server is this test's own."""

from __future__ import annotations

import asyncio
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

TRY_S = 0.05


class Terminal:
    """One program in one tmux pane.

    Args:
        folder: for the socket of the tmux server.
        size: columns and lines.
    """

    def __init__(
        self, folder: Path, words: Sequence[str], *, size: tuple[int, int] = (120, 40),
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._socket = str(folder / "tmux")
        self._words = words
        self._size = size
        self._environment = dict(environment or {})
        self._code_file = folder / "exit-code"

    async def __aenter__(self) -> Terminal:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed: apt-get install tmux")
        line = f"{shlex.join(self._words)}; echo $? > {shlex.quote(str(self._code_file))}; exec cat"
        variables = [item for pair in self._environment.items() for item in ("-e", "=".join(pair))]
        columns, lines = self._size
        await self._tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            *variables,
            "-x",
            str(columns),
            "-y",
            str(lines),
            f"sh -c {shlex.quote(line)}",
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._tmux("kill-server")

    async def press(self, *keys: str) -> None:
        """Press keys by their tmux names: "Enter", "Escape", "C-p", "F1", "a"."""
        await self._tmux("send-keys", *keys)

    async def choose(self, key: str, choice: str) -> None:
        """Press a key that goes to another choice of a dialog, and wait until it looks as if one had gone there."""
        before = await self._looks_of(choice)
        await self.press(key)
        async with asyncio.timeout(60):
            while await self._looks_of(choice) == before:  # noqa: ASYNC110  # a terminal does not say that it changed
                await asyncio.sleep(TRY_S)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self._tmux("send-keys", "-l", text)

    async def resize(self, columns: int, lines: int) -> None:
        await self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    async def screen(self) -> list[str]:
        """Return the lines that are shown."""
        return (await self._tmux("capture-pane", "-p")).splitlines()

    async def _looks_of(self, text: str) -> list[str]:
        """Return the lines with a text, with their colours."""
        return [line for line in (await self._tmux("capture-pane", "-e", "-p")).splitlines() if text in line]

    async def until(self, condition: Callable[[list[str]], bool], within_s: float = 60.0) -> list[str]:
        """Return the screen once it meets the condition; AssertionError with the screen if it never does."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(within_s):
                while True:
                    lines = await self.screen()
                    if condition(lines):
                        return lines
                    await asyncio.sleep(TRY_S)  # a terminal does not say that it changed
        except TimeoutError:
            raise AssertionError("the terminal never showed it:\n" + "\n".join(lines)) from None

    async def shows(self, *texts: str, within_s: float = 60.0) -> list[str]:
        """Return the screen once it holds all the texts."""
        return await self.until(lambda lines: all(any(text in line for line in lines) for text in texts), within_s)

    async def ended(self, within_s: float = 60.0) -> int:
        """Return the exit code of the program once it is over."""
        await self.until(lambda _: self._code_file.exists() and bool(self._code_file.read_text().strip()), within_s)
        return int(self._code_file.read_text())

    async def _tmux(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "tmux", "-S", self._socket, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0 or words == ("kill-server",), f"tmux {words[0]}: {err.decode()}"
        return out.decode()
