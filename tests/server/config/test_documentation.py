"""The examples of docs/configuration-service.md give what is printed there."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from configuration_service import serving

from server.config.file import FileStore
from server.config.stored import StoreConfiguration

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration-service.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
async def test_the_examples_for_curl_give_what_the_page_says(tmp_path: Path) -> None:
    text = PAGE.read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    examples = [part.partition("\n") for block in blocks for part in block.split("$ ")[1:]]
    assert len(examples) >= 10
    file = tmp_path / "configuration.yaml"
    file.write_text(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    async with serving(StoreConfiguration(FileStore(file), deadline_s=60)) as served:
        for command, _, printed in examples:
            assert command.startswith("curl ")
            given = command.replace("http://127.0.0.1:32188", served.url).replace("curl ", "curl -sS -m 10 ", 1)
            process = await asyncio.create_subprocess_shell(given, stdout=asyncio.subprocess.PIPE)
            said, _ = await asyncio.wait_for(process.communicate(), 60)
            assert (process.returncode, said.decode().removesuffix("\n")) == (0, printed.removesuffix("\n")), command
