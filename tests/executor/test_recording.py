"""What the runner recorded in a real run gives the same instructions when it is replayed elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from executor.api.messages import Phase, Shutdown
from executor.recording import Recorder
from executor.settings import Identity, Settings
from executor.stimuli import Started


async def replay(file: Path) -> tuple[int, bytes, bytes]:
    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "executor.recording", file], capture_output=True, check=False, timeout=60
        )

    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout, done.stderr


async def record(core, host, spec, folder: Path) -> Path:
    executor = host.start(environment={"ALIECS_RECORD_STIMULI": str(folder)})
    await core.launch(
        spec("t1", "--metrics"),
        spec("t2"),
        spec("h1", mode="hook", shell=True, value="echo hello"),
        spec("b1", mode="basic", value="no"),
    )
    for task_id in ("t1", "t2"):
        await core.phase(task_id, Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1", "t2", "h1", "b1")
    await core.transition("START", "CONFIGURED", "RUNNING", "t1", "t2", "h1", "b1", arguments={"runNumber": "1"})
    await core.trigger("h1")
    await core.event("h1", 2)
    os.kill(core.task_reports("t2")[0].pid, signal.SIGKILL)
    await core.phase("t2", Phase.ENDED)
    core.send(Shutdown(kill_tasks=True))
    assert await host.wait(executor) == 0
    return await asyncio.to_thread(lambda: next(folder.glob("*.jsonl")))


async def test_a_recorded_run_replayed_twice_in_other_processes_gives_identical_instructions(
    core, host, spec, tmp_path
):
    file = await record(core, host, spec, tmp_path / "stimuli")
    first, second = await asyncio.gather(replay(file), replay(file))
    assert first[0] == 0, first[2].decode()
    assert first == second
    assert first[1].count(b'"is":"CallOcc"') >= 4
    assert first[1].count(b'{"is":"Exit","code":0}\n') == 1  # last numbers may come after it


async def test_a_recording_that_was_changed_does_not_replay(core, host, spec, tmp_path):
    file = await record(core, host, spec, tmp_path / "stimuli")
    file.write_bytes(file.read_bytes().replace(b'"event":"START","destination"', b'"event":"STOP","destination"'))
    code, _, errors = await replay(file)
    assert code == 1
    assert b"differs at" in errors


def test_a_disk_that_takes_no_recording_is_told_once_and_stops_nobody(caplog):
    identity = Identity(executor_id="x", agent_id="a", host="h", pid=1, instance="i", version="0")
    recorder = Recorder(Path("/dev/full"), identity, Settings())
    for at_ms in range(3):
        recorder.write(Started(at_ms=at_ms), [])
    recorder.close()
    assert [record.getMessage() for record in caplog.records] == [
        "recording=/dev/full ends here error='No space left on device'"
    ]
