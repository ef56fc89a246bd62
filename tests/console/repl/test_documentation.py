"""Every example of the prompt's guide runs as it stands there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from fake_core import FakeCore
from patience import PATIENT

GUIDE = Path(__file__).parents[3] / "docs" / "prompt.md"


def examples() -> list[str]:
    chapter = GUIDE.read_text()
    match = re.search(r"```\n(.*?)```", chapter, re.DOTALL)
    assert match is not None
    return match[1].splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.aliecs").write_text("sleep ${time:-9s}\nenv ls\n")
    return tmp_path


async def test_every_example_of_the_prompt_runs(core: FakeCore, folder: Path) -> None:
    core.add("other-demo", state="CONFIGURED")
    core.add(state="CONFIGURED")
    lines = examples()
    assert len(lines) >= 12
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "console", "--endpoint", core.endpoint, "repl", cwd=folder,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | PATIENT,
    )  # fmt: skip
    assert process.stdin is not None
    for line in lines:
        process.stdin.write(f"{line}\n".encode())
        if "&" in line.partition("#")[0]:
            await asyncio.wait_for(core.held.wait(), 60)  # as a person, who sees it begin
    process.stdin.write_eof()
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0 and "next:" not in err.decode(), err.decode()
    assert "[1] start --yes: done" in err.decode()
    assert len(json.loads((folder / "environments.json").read_text())) <= 3
    assert len(core.environments) == 3 and b"| rows with a value" in out
