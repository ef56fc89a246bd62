"""The example of docs/controllable-task.md is run as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from occ import DeviceEvent, TaskState

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0


@pytest.fixture
def example(tmp_path: Path) -> Path:
    text = (ROOT / "docs" / "controllable-task.md").read_text()
    task, test = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "counter.py"
    path.write_text(task)
    path.with_name("test_counter.py").write_text(test)
    return path


def test_the_example_is_as_short_as_promised(example: Path) -> None:
    statements = [line for line in example.read_text().splitlines() if line.strip()]
    assert len(statements) <= 20


async def test_the_tests_of_the_example_pass(example: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(example.parent)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_counter.py",
        cwd=example.parent, env=environment, stdout=-1,
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_S):
        said, _ = await process.communicate()
    assert process.returncode == 0 and b"2 passed" in said, said.decode()


async def test_the_example_goes_through_a_full_cycle(example: Path, launch, capfd: pytest.CaptureFixture[str]) -> None:
    task = await launch(str(example))
    events = aiter(task.client.event_stream())
    end_of_data = asyncio.create_task(anext(events))
    assert (await task.fire("CONFIGURE", {"limit": "5"})).ok
    for run in ("41", "42"):
        assert (await task.fire("START", {"runNumber": run})).ok
        async with asyncio.timeout(DEADLINE_S):
            assert await end_of_data is DeviceEvent.END_OF_STREAM
        sample = await anext(task.client.metrics())
        assert [(metric.name, metric.value) for metric in sample.metrics] == [("counter.count", 5.0)]
        end_of_data = asyncio.create_task(anext(events, None))
        assert (await task.fire("STOP")).ok
    assert (await task.fire("RESET")).ok
    assert (await task.fire("EXIT")).state is TaskState.DONE
    assert await task.exit_code() == 0
    assert await end_of_data is None
    assert capfd.readouterr().out == "run 41 begins\nrun 42 begins\n"
