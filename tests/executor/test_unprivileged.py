"""An executor that is nobody: what it may not do is refused or left out, and told; all else goes on."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from executor.api.messages import Phase

USER = "nobody"
TERMINATED = 2
"""Type of the event of a hook's end."""
REFUSAL = "cannot build the command: only root can switch to user 'root', this executor is 'nobody'"


def _become_nobody() -> list[str]:
    """Return a command that becomes another one as nobody, one that can read our interpreter wherever that is."""
    user = pwd.getpwnam(USER)
    switch = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    reading = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, with setpriv, can start an executor as somebody else")
    for become in (switch, [*switch, *reading]):
        if subprocess.run([*become, sys.executable, "-c", ""], capture_output=True, timeout=60).returncode == 0:
            return become
    pytest.skip("nobody can read the interpreter of these tests")


@pytest.fixture
def nobody(core: Any, host: Any) -> Iterator[Any]:
    """A host whose executor is nobody."""
    become = _become_nobody()
    folder = Path(tempfile.mkdtemp(prefix="aliecs-nobody-"))
    os.chown(folder, pwd.getpwnam(USER).pw_uid, pwd.getpwnam(USER).pw_gid)
    core.path.parent.chmod(0o755)
    core.path.chmod(0o777)
    host.folder = folder
    host.start(through=become)
    yield host
    host.end()
    shutil.rmtree(folder)


def _ended(core: Any, task_id: str) -> list[Any]:
    return [one for one in core.task_reports(task_id) if one.exit_code is not None]


async def test_limits_that_may_not_be_enforced_are_told_of_each_task_and_once_in_the_log(
    core: Any, nobody: Any, spec: Any
) -> None:
    limits = {"cpu_limit": 1.0, "memory_limit_mb": 100.0}
    await core.launch(*(spec(task_id, mode="hook", value="true", **limits) for task_id in ("h1", "h2")))
    await core.trigger("h1", "h2")
    for task_id in ("h1", "h2"):
        report = await core.until(partial(_ended, core, task_id))
        cpu, memory = report[0].limits.split("; ")
        assert report[0].exit_code == 0
        assert cpu.startswith("cpu 1 not enforced: ")
        assert memory.startswith("memory 100 MB not enforced: ")
    log = (nobody.folder / "executor.log").read_text()
    assert [log.count(f"{name} limits are not enforced: ") for name in ("cpu", "memory")] == [1, 1]


async def test_another_user_is_refused_before_anything_is_started(core: Any, nobody: Any, spec: Any) -> None:
    other = {"mode": "hook", "shell": True}
    await core.launch(
        spec("t1", user="root"),
        spec("h1", value="touch started", user="root", **other),
        spec("h2", value="id -un", user=USER, **other),
    )
    report = await core.phase("t1", Phase.ENDED)
    assert (report.final_status, report.error, report.pid) == ("TASK_FAILED", REFUSAL, 0)
    assert [result.error for result in (await core.trigger("h1")).results] == [REFUSAL]
    assert not (nobody.folder / "tasks/h1/started").exists()
    # who it is already needs no switch
    await core.trigger("h2")
    assert (await core.event("h2", TERMINATED)).termination.stdout == f"{USER}\n"
