"""The clock of a process that was stopped: deadlines that passed meanwhile are given again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, os, signal, sys, threading, time
from executor.api.patient_loop import PatientLoop, tell_pauses

def stop():
    os.kill(os.getpid(), signal.SIGSTOP)

async def main():
    loop = asyncio.get_running_loop()
    pauses = []
    tell_pauses(pauses.append)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    if sys.argv[1] == "work":
        loop.call_later(0.1, stop)
    else:
        threading.Timer(0.1, stop).start()
    began = time.monotonic()
    try:
        async with asyncio.timeout(1.5):
            said = (await reader.readline()).decode().strip()
    except TimeoutError:
        said = "timed out"
    print(said, bool(pauses), time.monotonic() - began > 2.0, flush=True)

with asyncio.Runner(loop_factory=PatientLoop) as runner:
    runner.run(main())
"""


def run(*, answers: bool, within: str = "wait") -> str:
    """Stop a process that waits one and a half seconds for an answer, for two seconds; return what it says afterwards.

    Args:
        answers: the answer comes while it is stopped.
        within: its wait or its work.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, within], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        assert process.stdin and process.stdout
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.2)
        if answers:
            process.stdin.write("answer\n")
            process.stdin.flush()
        os.kill(process.pid, signal.SIGCONT)
        return process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()


def test_what_was_waited_for_before_a_pause_has_its_time_after_it() -> None:
    assert run(answers=True) == "answer True True"


def test_a_pause_in_the_midst_of_work_counts_too() -> None:
    assert run(answers=True, within="work") == "answer True True"


def test_a_deadline_comes_all_the_same() -> None:
    assert run(answers=False) == "timed out True True"
