"""What a type checker says to the author of a task: nothing to one that is right, the place to one that is not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RIGHT = """
from __future__ import annotations

import argparse
from collections.abc import Iterable

import occ
from occ import CONTINUE, END, AsyncInstance, Device, DeviceEvent, Instance, Metric, OccClient, Properties, Settings
from occ import TaskEvent, TaskState
from occ.errors import RefusedError
from occ.testing import AsyncBench, Bench


class Plain(Device):
    limit = 3

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=3)

    def take_options(self, options: argparse.Namespace) -> None:
        self.limit = options.limit

    def configure(self, properties: Properties) -> None:
        self.rate = properties.get_float("rate", 1.0)
        for name, channel in properties.find("chans") or ():
            self.addresses = {name: channel.get("0.address")}
        if "bad" in properties:
            raise RefusedError("bad")

    def start(self) -> int:
        return 1 if self.run_number else 0

    def iterate_running(self) -> int:
        return END if self.limit else CONTINUE

    def metrics(self) -> Iterable[Metric]:
        yield Metric("rate", self.rate, "B/s")


class Loop(Device):
    async def configure(self, properties: Properties) -> None:
        self.port = properties.get_int("port", 0)

    async def iterate_running(self) -> int | None:
        return END


def test_plain() -> None:
    with Bench(Plain()) as bench:
        ok: bool = bench.configure({"rate": "2"}).ok
        bench.wait_for_event(DeviceEvent.END_OF_STREAM)
        assert ok and bench.states == [TaskState.CONFIGURED] and bench.metrics()["rate"] == 2


async def test_loop() -> None:
    async with AsyncBench(Loop(), over_port=True) as bench:
        state: TaskState = (await bench.start(1)).state
        async with OccClient(f"127.0.0.1:{bench.port}") as client:
            assert (await client.get_state(1.0)).state is state


def beside() -> bool:
    with Instance(Plain(), Settings(port=0)) as instance:
        return instance.request(TaskEvent.PAUSE).ok and instance.wait(1.0)


async def awaited() -> int:
    async with AsyncInstance(Loop()) as instance:
        await instance.request(TaskEvent.PAUSE)
    return await occ.serve(Loop(), Settings(port=0))


if __name__ == "__main__":
    Plain.main()
"""
WRONG = """
from occ import Device, Properties
from occ.testing import Bench


class Wrong(Device):
    def configure(self, properties: dict[str, str]) -> None: ...
    def start(self) -> str: ...
    async def stop(self) -> str: ...


def test() -> None:
    Bench(Wrong()).configure({"limit": 5})
"""
FOUND = {7: "override", 8: "override", 9: "override", 13: "dict-item"}
DEADLINE_S = 240.0


def test_a_strict_type_checker_takes_what_is_right_and_finds_what_is_not(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(RIGHT)
    wrong.write_text(WRONG)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", right, wrong],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    errors = re.findall(r"^(\w+)\.py:(\d+): error: .*\[([\w-]+)\]$", checked.stdout, re.MULTILINE)
    assert {name for name, _, _ in errors} == {"wrong"}, checked.stdout + checked.stderr
    assert {int(line): kind for _, line, kind in errors if kind != "empty-body"} == FOUND, checked.stdout
