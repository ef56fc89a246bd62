"""The launcher, with a fake core and a shell for a console: exit codes, and that nothing is ever left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from free_ports import free_port

from server.demo.processes import of_instance
from server.demo.verb import build_parser, register

FAKE_CORE = Path(__file__).with_name("fake_core.py")
RANDOM = random.Random(20)

PROGRAM = """
import sys
from pathlib import Path
from server.demo.launcher import Launcher, Plan, Signals
state, manner, port, script, waits, mark = sys.argv[1:]
ready_s, drain_s = map(float, waits.split())
plan = Plan(
    state=Path(state), server=(sys.executable, {core!r}, "--manner", manner), console=("sh", "-c", script, "sh", "{{endpoint}}"),
    port=int(port), ready_s=ready_s, console_grace_s=120, drain_s=drain_s, kill_s=60,
)
with Signals() as signals:
    sys.stdout.write("started\\n")
    sys.stdout.flush()
    sys.exit(Launcher(plan, signals).run())
"""


class Demo:
    """One launcher under test, and the mark that all its processes inherit."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str, port: int) -> None:
        self.process = process
        self.mark = mark
        self.port = port

    async def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, output, messages."""
        async with asyncio.timeout(100):
            output, messages = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, output.decode(), messages.decode()

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            return (await self.process.stdout.readline()).decode().strip()

    def left(self) -> set[int]:
        return of_instance(self.mark)


class Demos:
    """Starts launchers and ends what a failing test leaves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Demo] = []

    async def start(
        self, script: str, *, manner: str = "good", port: int | None = None, ready_s: int = 60, drain_s: int = 60
    ) -> Demo:
        port = port or free_port()
        mark = f"LAUNCHER_TEST={os.getpid()}-{len(self._made)}-{time.monotonic_ns()}"
        name, _, value = mark.partition("=")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM.format(core=str(FAKE_CORE)), str(self._folder), manner, str(port), script,
            f"{ready_s} {drain_s}", mark,
            env=os.environ | {name: value}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        demo = Demo(process, mark, port)
        self._made.append(demo)
        assert await demo.line() == "started"
        return demo

    def clean(self) -> None:
        for demo in self._made:
            for pid in demo.left():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def demos(tmp_path: Path) -> AsyncIterator[Demos]:
    made = Demos(tmp_path)
    yield made
    made.clean()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("code", [0, 7])
async def test_the_exit_code_is_the_consoles_and_nothing_is_left(demos: Demos, code: int) -> None:
    demo = await demos.start(f"echo console at $1; exit {code}")
    ended, output, messages = await demo.end()
    assert ended == code
    assert output == f"console at 127.0.0.1:{demo.port}\n"
    assert messages == ""
    assert demo.left() == set()
    assert not is_listening(demo.port)


async def test_a_taken_port_is_passed_over_and_it_says_so(demos: Demos) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        demo = await demos.start("echo $1", port=first)
        code, output, messages = await demo.end()
    assert code == 0
    chosen = int(output.strip().rpartition(":")[2])
    assert chosen > first
    assert f"port {first} is taken, using {chosen}" in messages


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_lets_the_console_clean_up_and_ends_with_its_code(
    demos: Demos, number: signal.Signals, code: int
) -> None:
    demo = await demos.start("trap 'echo cleaned up; exit 5' INT TERM; echo ready; while :; do sleep 0.05; done")
    assert await demo.line() == "ready"
    demo.process.send_signal(number)
    ended, output, _ = await demo.end()
    assert ended == code
    assert output == "cleaned up\n"
    assert demo.left() == set()
    assert not is_listening(demo.port)


async def test_a_console_that_ignores_signals_is_killed_at_the_second(demos: Demos) -> None:
    demo = await demos.start("trap '' INT TERM; echo ready; while :; do sleep 0.05; done")
    assert await demo.line() == "ready"
    started = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    demo.process.send_signal(signal.SIGTERM)  # another one: two equal signals may arrive as one
    code, _, _ = await demo.end()
    assert code in (130, 143)  # whichever arrived first
    assert time.monotonic() - started < 60  # of the 120 s that a console has here
    assert demo.left() == set()


async def test_a_core_that_does_not_start_is_shown_with_its_last_words(demos: Demos) -> None:
    demo = await demos.start("echo never", manner="broken")
    code, output, messages = await demo.end()
    assert code == 1
    assert output == ""
    assert "the core ended with exit code 3 before it was ready" in messages
    assert "core: journal is broken" in messages
    assert demo.left() == set()


async def test_a_core_that_never_gets_ready_is_given_up(demos: Demos) -> None:
    demo = await demos.start("echo never", manner="mute", ready_s=3)
    code, output, messages = await demo.end()
    assert code == 1
    assert output == ""
    assert "not ready within 3 s" in messages
    assert demo.left() == set()
    assert not is_listening(demo.port)


IS_A_ZOMBIE = 'cat $(printf "/proc/%s/status " $(cat /proc/$PPID/task/$PPID/children)) 2>/dev/null | grep -q "State:.Z"'
"""Whether a child of the launcher has ended, asked by the console."""


async def test_what_a_dying_core_leaves_is_killed_and_reported(demos: Demos) -> None:
    demo = await demos.start(f"until {IS_A_ZOMBIE}; do sleep 0.05; done; exit 0", manner="dying")
    code, _, messages = await demo.end()
    assert code == 1
    assert "the core ended early, with exit code 4" in messages
    assert "killed what was left" in messages
    assert "sleep (" in messages
    assert demo.left() == set()


async def test_a_core_that_does_not_drain_is_killed_with_all_it_started(demos: Demos) -> None:
    demo = await demos.start("exit 0", manner="stubborn", drain_s=2)
    code, _, messages = await demo.end()
    assert code == 1
    assert "did not end within 2 s" in messages
    assert demo.left() == set()
    assert not is_listening(demo.port)


async def test_children_of_the_console_do_not_outlive_the_demo(demos: Demos) -> None:
    demo = await demos.start("setsid sleep 603 >/dev/null 2>&1 & exit 0")
    code, _, messages = await demo.end()
    assert code == 1
    assert "killed what was left" in messages
    assert demo.left() == set()


async def test_a_killed_launcher_takes_core_and_console_with_it(demos: Demos) -> None:
    demo = await demos.start("echo ready; exec sleep 604")
    assert await demo.line() == "ready"
    descriptors = [os.pidfd_open(pid) for pid in demo.left() - {demo.process.pid}]
    demo.process.kill()
    await demo.end()
    for descriptor in descriptors:
        await readable(descriptor)
        os.close(descriptor)
    async with asyncio.timeout(60):
        while demo.left():  # noqa: ASYNC110  # a shell that we saw may have started its child after that
            await asyncio.sleep(0.02)


async def readable(descriptor: int) -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, done.set)
    try:
        async with asyncio.timeout(60):
            await done.wait()
    finally:
        loop.remove_reader(descriptor)


def moments() -> Iterator[float]:
    for _ in range(20):
        yield RANDOM.uniform(0, 0.8)


@pytest.mark.parametrize("after_s", [round(moment, 3) for moment in moments()])
async def test_ctrl_c_at_any_moment_leaves_no_process_and_no_port(demos: Demos, after_s: float) -> None:
    demo = await demos.start("exec sleep 600")
    await asyncio.sleep(after_s)
    demo.process.send_signal(signal.SIGINT)
    code, _, _ = await demo.end()
    assert code == 130
    assert demo.left() == set()
    assert not is_listening(demo.port)


def test_the_verb_registers_under_its_name_and_checks_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    added: list[str] = []
    register(lambda name, help, run: added.append(name))
    assert added == ["demo"]
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["--port", "0"])
    assert caught.value.code == 2
    assert "1 to 65535" in capsys.readouterr().err
