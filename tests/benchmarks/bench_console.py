"""G13: what a command line costs before it does anything, against importing grpc.aio and the stubs in the same run."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from facility import Facility

HERE = Path(__file__).resolve().parent
ROUNDS = 15


def spent_ms(*command: str) -> float:
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
    }  # as users have it
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=30, env=environment)
    return (time.perf_counter() - began) * 1000


@pytest.mark.timeout(300)
async def test_start_up_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "repository"
    shutil.copytree(HERE / "repository", repository)
    aliecs = str(scripts / "aliecs")
    imports = "import grpc.aio, server.api.o2control_pb2_grpc, server.api.live_pb2_grpc"
    async with Facility(tmp_path, repository, records=False) as facility:
        asked = {
            "python -c pass": (sys.executable, "-c", "pass"),
            "import grpc.aio and stubs": (sys.executable, "-P", "-c", imports),
            "aliecs --help": (aliecs, "--help"),
            "aliecs env ls": (aliecs, "--endpoint", f"127.0.0.1:{facility.port}", "env", "ls"),
            'aliecs -c "env ls"': (aliecs, "--endpoint", f"127.0.0.1:{facility.port}", "-c", "env ls"),
        }
        times: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(ROUNDS):
            for name, command in asked.items():
                times[name].append(spent_ms(*command))
        floor = times["import grpc.aio and stubs"]
        print()
        for name, found in times.items():
            ratio = statistics.median(one / base for one, base in zip(found, floor, strict=True))
            print(f"{name:28s} median {statistics.median(found):6.1f} ms  {ratio:.2f} x importing grpc.aio and stubs")
