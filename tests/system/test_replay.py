"""What was decided in a real run is decided again, twice, in other processes: environments and executors alike."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from facility import Facility


def replayed(module: str, files: list[Path]) -> bytes:
    """Replay in a process of its own; it fails if an instruction differs from the recorded one."""
    command = [sys.executable, "-P", "-m", module, *map(str, files)]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


async def test_recorded_decisions_are_made_again(facility: Facility) -> None:
    environment = await facility.create("flow", ["flp001", "flp002"])
    await facility.ask(environment.id, "START_ACTIVITY")
    sink = await facility.task("sink", "flp002")
    os.kill(int(sink.pid), signal.SIGKILL)
    key = ("environment", environment.id)
    await facility.watch_until(lambda seen: key in seen and seen[key].state == "ERROR")
    await facility.destroy(environment.id)
    await facility.stop(drain=True)
    environments = sorted(facility.recordings.glob("environment-*.jsonl"))
    executors = sorted(facility.recordings.glob("flp*.jsonl"))
    assert len(environments) == 1 and len(executors) == 2
    for module, files in (("server.environment.recording", environments), ("executor.recording", executors)):
        first, second = replayed(module, files), replayed(module, files)
        assert first == second and first.count(b"\n") > 20
