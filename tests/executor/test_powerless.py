"""An executor that may not signal its own tasks, or cannot: what it asked for is answered, and it ends all the same."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, os, signal, sys
from pathlib import Path
from executor.api.messages import ControlMode, TaskSpec
from executor.folders import TaskFolders
from executor.process import Processes

async def main():
    processes = Processes(TaskFolders(Path(sys.argv[1])), "i1", 1000, print)
    spec = TaskSpec(task_id="t1", environment_id="e", class_name="c", mode=ControlMode.HOOK, value="sleep",
                    arguments=("60",), user="nobody")
    pid = processes.spawn(spec).pid
    while "\\nUid:\\t0" in Path(f"/proc/{pid}/status").read_text():
        await asyncio.sleep(0.01)
    processes.signal("t1", signal.SIGTERM, pid)
    processes.signal("t1", signal.SIGKILL, pid)
    processes.close()
    print("closed", pid, os.path.exists(f"/proc/{pid}"))

asyncio.run(main())
"""


def test_signals_that_are_not_allowed_stop_neither_the_ladder_nor_the_end_of_the_executor(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, with setpriv, can start tasks of others and have no power over them")
    os.chown(tmp_path, pwd.getpwnam("nobody").pw_uid, -1)
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o001 == 0 and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o001)
    powerless = ["setpriv", "--inh-caps", "-kill", "--bounding-set", "-kill"]
    done = subprocess.run(
        [*powerless, sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    word, pid, was_there = done.stdout.split()
    assert (word, was_there) == ("closed", "True")
    assert "is still there after SIGKILL" in done.stderr
    os.kill(int(pid), signal.SIGKILL)
