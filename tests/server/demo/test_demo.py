"""``aliecs demo`` as people run it: real core, executors and tasks; a whole run, taken ports, Ctrl-C at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import socket
import struct
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.config.file import FileStore

pytestmark = pytest.mark.system

MOMENTS_S = [round(0.3 + 0.45 * number, 2) for number in range(11)]
"""When signals come: within a demo whose run takes four seconds, in steps that are no part of anything in it."""


class Shell:
    """A demo in a folder of its own, in a process group of its own like in a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "aliecs"), "demo", "--var", "run_time=2s", *arguments,
            cwd=self.folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, process_group=0,
        )  # fmt: skip

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110  # files of another process
                await asyncio.sleep(0.02)

    async def end(self) -> tuple[int, str, str]:
        assert self.process is not None
        async with asyncio.timeout(250):
            output, messages = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, output.decode(), messages.decode()

    def left(self) -> dict[int, str]:
        """Return the processes that know of the folder, by command line, argument, environment or working directory."""
        mark, found = os.fsencode(self.folder), {}
        for process in Path("/proc").iterdir():
            if not process.name.isdecimal() or int(process.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes()
                place = os.fsencode(os.readlink(process / "cwd"))
                if mark in command or mark in (process / "environ").read_bytes() or place.startswith(mark):
                    found[int(process.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def has_a_run(self) -> bool:
        """Tell whether a run has begun."""
        configuration = self.folder / ".aliecs" / "configuration.yaml"
        return configuration.exists() and "run_number" in configuration.read_text()

    def ports(self) -> list[int]:
        """Return the ports on which this demo's cores served."""
        log = self.folder / ".aliecs" / "core.log"
        text = log.read_text() if log.exists() else ""
        return [int(number) for number in re.findall(r"serving address=\S+ port=(\d+)", text)]


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    made = Shell(tmp_path)
    yield made
    if made.process is not None and made.process.returncode is None:
        made.process.kill()
    for pid in made.left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_whole_run_without_a_terminal_ends_well_and_leaves_nothing(shell: Shell) -> None:
    await shell.start()
    code, output, messages = await shell.end()
    assert code == 0, output + messages
    steps = {line.split()[0]: line.split() for line in output.splitlines()[1:-1]}
    states = {name: words[1] for name, words in steps.items() if name != "sleep"}
    assert states["create"] == "CONFIGURED"
    assert states["start"] == "RUNNING"
    assert states["stop"] == "CONFIGURED"
    assert states["reset"] == "DEPLOYED"
    assert states["destroy"] == "DONE"
    assert "16/16" in steps["create"]
    assert output.splitlines()[-1].startswith("ok: ")
    (header,) = (shell.folder / ".aliecs" / "runs").iterdir()
    assert [line.partition(":")[0] for line in header.read_text().splitlines()] == [
        "environment", "run_type", "hosts", "begin", "end",
    ]  # fmt: skip
    assert FileStore(shell.folder / ".aliecs" / "configuration.yaml").get("o2/runtime/run_number") == "1"
    assert shell.left() == {}
    assert not any(map(is_listening, shell.ports()))


async def test_a_second_demo_in_the_same_folder_is_refused_and_the_first_goes_on(shell: Shell) -> None:
    await shell.start()
    first = shell.process
    await shell.until(shell.ports)
    await shell.start()
    code, _, messages = await shell.end()
    assert code == 1
    assert "a core already runs on" in messages
    assert "--state" in messages
    shell.process = first
    code, output, _ = await shell.end()
    assert code == 0, output


async def test_a_taken_port_is_no_obstacle(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        await shell.start("--port", str(taken.getsockname()[1]))
        code, output, messages = await shell.end()
    assert code == 0, output + messages
    assert re.search(r"port \d+ is taken, using \d+", messages)


async def test_a_failing_task_fails_the_demo_and_is_named_with_its_host(shell: Shell) -> None:
    script = shell.folder / "failing.aliecs"
    script.write_text(
        "on-error cleanup\n"
        "id = env create readout-demo -e fail_host=flp003 -e fail_on=START --yes -o id\n"
        "env start $id --yes\n"
        "cleanup:\n  env destroy $id --force --yes\n"
    )
    await shell.start("--script", str(script))
    code, output, messages = await shell.end()
    assert code == 7, output + messages
    assert "flp003" in output + messages
    assert "stfbuilder" in output + messages
    assert shell.left() == {}


@pytest.mark.parametrize(
    ("after_s", "number", "code"),
    [(moment_s, signal.SIGINT, 130) for moment_s in MOMENTS_S]
    + [(2.0, signal.SIGTERM, 143), (4.0, signal.SIGTERM, 143)],
)
async def test_a_signal_at_any_moment_leaves_nothing(
    shell: Shell, after_s: float, number: signal.Signals, code: int
) -> None:
    await shell.start("--var", "run_time=4s")  # however fast the machine, it is under way at every moment tried
    await asyncio.sleep(after_s)
    assert shell.process is not None
    shell.process.send_signal(number)
    ended, output, messages = await shell.end()
    assert shell.left() == {}
    assert not any(map(is_listening, shell.ports()))
    had_begun = (shell.folder / ".aliecs").exists()
    # 1, or by the signal itself: Python was still starting.
    assert ended == code or (ended in (1, -number) and not had_begun), output + messages


async def test_ctrl_c_twice_ends_at_once_and_the_next_demo_starts_as_if_nothing_had_been(shell: Shell) -> None:
    await shell.start()
    await shell.until(shell.has_a_run)
    assert shell.process is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        shell.process.send_signal(number)
    code, _, _ = await shell.end()
    assert code > 128
    assert shell.left() == {}
    await shell.start()
    code, output, messages = await shell.end()
    assert code == 0, output + messages


async def test_a_killed_launcher_leaves_nothing_for_long(shell: Shell) -> None:
    await shell.start()
    await shell.until(shell.has_a_run)
    assert shell.process is not None
    shell.process.kill()
    await shell.end()
    deadline = time.monotonic() + 60
    while left := shell.left():
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.1)


async def test_on_a_terminal_the_screen_opens_on_the_core_and_q_ends_it_all(shell: Shell) -> None:
    terminal, inside = os.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "aliecs"), "demo", cwd=shell.folder, env=os.environ | {"TERM": "xterm-256color"},
        stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
    )  # fmt: skip
    shell.process = process
    os.close(inside)
    seen, changed = bytearray(), asyncio.Event()

    def read() -> None:
        with contextlib.suppress(OSError):  # the last user of the terminal has gone
            seen.extend(os.read(terminal, 65536))
        changed.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, read)
    try:
        async with asyncio.timeout(200):
            while not shell.ports() or f":{shell.ports()[0]}".encode() not in seen:
                await changed.wait()
                changed.clear()
            os.write(terminal, b"q")
            assert await process.wait() == 0, seen.decode(errors="replace")
    finally:
        loop.remove_reader(terminal)
        os.close(terminal)
    assert shell.left() == {}
    assert not any(map(is_listening, shell.ports()))
