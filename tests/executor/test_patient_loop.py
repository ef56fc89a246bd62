"""The clock of a process that was stopped: deadlines that passed meanwhile are given again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, os, sys, time
from executor.api.patient_loop import PatientLoop, tell_pauses

def ready():
    print("ready", flush=True)
    until = time.process_time() + float(sys.argv[1])
    while time.process_time() < until:
        pass

async def main():
    loop = asyncio.get_running_loop()
    pauses = []
    tell_pauses(pauses.append)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    loop.call_later(0.1, ready)
    began = time.monotonic()
    try:
        async with asyncio.timeout(1.5):
            said = (await reader.readline()).decode().strip()
    except TimeoutError:
        said = "timed out"
    print(said, len(pauses), time.monotonic() - began > 2.0, flush=True)

with asyncio.Runner(loop_factory=PatientLoop) as runner:
    runner.run(main())
"""


def run(*, answers: bool, busy_s: float = 0.0) -> str:
    """Stop a process that waits one and a half seconds for an answer, for two seconds; return what it says afterwards.

    Args:
        busy_s: it works for so long as it is stopped.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(busy_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.2)
        os.kill(process.pid, signal.SIGCONT)
        if answers:
            process.stdin.write("answer\n")
            process.stdin.flush()
        return process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()


def test_what_was_waited_for_before_a_pause_has_its_time_after_it() -> None:
    assert run(answers=True) == "answer 1 True"


def test_a_pause_in_the_midst_of_work_counts_too() -> None:
    assert run(answers=True, busy_s=0.3) == "answer 1 True"


def test_a_deadline_comes_all_the_same() -> None:
    assert run(answers=False) == "timed out 1 True"
