"""``aliecs-occ`` from a shell's point of view."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

DEADLINE_S = 60.0


async def aliecs_occ(*arguments: str, stdin: str | bytes = "", **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "occ", *arguments, env=os.environ | environment, stdin=-1, stdout=-1, stderr=-1
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate(stdin.encode() if isinstance(stdin, str) else stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def sink(launch):
    return await launch("-m", "occ", "sample", "sink")


async def test_single_commands_print_what_happened_and_end_with_0(sink) -> None:
    address = sink.client.address
    assert await aliecs_occ("drive", address, "state") == (0, f"STANDBY pid {sink.process.pid}\n", "")
    assert await aliecs_occ("drive", address, "configure", "a=b", "c=d=e") == (
        0,
        "CONFIGURE: STANDBY -> CONFIGURED\n",
        "",
    )
    assert await aliecs_occ("drive", address, "start", "run=7") == (0, "START: CONFIGURED -> RUNNING\n", "")
    code, out, _ = await aliecs_occ("drive", address, "metrics", "--count", "1")
    assert code == 0 and "data.sink.bytes 0 B\n" in out


async def test_a_failed_transition_ends_with_7(sink) -> None:
    address = sink.client.address
    code, out, err = await aliecs_occ("drive", address, "configure", "fail_on=CONFIGURE")
    assert (code, out) == (7, "") and "CONFIGURE: STANDBY -> ERROR, failed (DEVICE_ERROR)" in err
    assert (await aliecs_occ("drive", address, "recover"))[0] == 0
    code, _, err = await aliecs_occ("drive", address, "transition", "START", "--from", "RUNNING")
    assert code == 7 and "state mismatch: source: RUNNING current: STANDBY" in err
    code, _, err = await aliecs_occ("drive", address, "transition", "PAUSE")
    assert code == 7 and "Unexpected error" in err


async def test_lines_of_a_pipe_are_carried_out_until_one_fails(sink) -> None:
    script = "# a comment\nconfigure 'a=b c'\n\nstart run=7\nconfigure\nstop\n"
    code, out, err = await aliecs_occ("drive", sink.client.address, stdin=script)
    assert code == 7
    assert out == "CONFIGURE: STANDBY -> CONFIGURED\nSTART: CONFIGURED -> RUNNING\n"
    assert "CONFIGURE: RUNNING -> RUNNING, failed" in err
    code, out, _ = await aliecs_occ("drive", sink.client.address, stdin="stop\nquit\nreset\n")
    assert (code, out) == (0, "STOP: RUNNING -> CONFIGURED\n")


@pytest.mark.parametrize("line", [b"configure a=\xff\n", b"\xff\n", b"# \xff\nconfigure 'a\n"], ids=repr)
async def test_lines_that_are_no_text_end_with_2(some_port: int, line: bytes) -> None:
    code, out, err = await aliecs_occ(
        "drive", f"127.0.0.1:{some_port}", stdin=line + b"quit\n", PYTHONIOENCODING="utf-8:strict"
    )
    assert (code, out) == (2, "") and "Traceback" not in err


async def test_who_reads_no_more_of_a_stream_ends_it_without_a_complaint(sink) -> None:
    await aliecs_occ("drive", sink.client.address, "configure")
    read, write = os.pipe()
    os.close(read)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "occ", "drive", sink.client.address, "metrics", stdout=write, stderr=-1
    )
    os.close(write)
    async with asyncio.timeout(DEADLINE_S):
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


async def test_the_state_stream_is_printed_as_it_comes(sink) -> None:
    watching = asyncio.create_task(aliecs_occ("drive", sink.client.address, "states", "--count", "1"))
    while not (await asyncio.wait([watching], timeout=0.1))[0]:  # until the watcher is there, nobody sees the changes
        assert (await sink.fire("CONFIGURE")).ok
        assert (await sink.fire("RESET")).ok
    assert (await watching)[:2] in [(0, "CONFIGURED\n"), (0, "STANDBY\n")]


async def test_a_stream_can_be_limited_in_time(sink) -> None:
    assert await aliecs_occ("drive", sink.client.address, "events", "--for", "0.1") == (0, "", "")


async def test_a_task_that_is_not_there_ends_with_3(some_port: int) -> None:
    code, _, err = await aliecs_occ("drive", f"127.0.0.1:{some_port}", "state")
    assert code == 3 and f"cannot reach the task at 127.0.0.1:{some_port}" in err


async def test_no_answer_in_time_ends_with_4(sink) -> None:
    code, _, err = await aliecs_occ(
        "drive", "--timeout", "0.2", sink.client.address, "configure", "delay_s.CONFIGURE=600"
    )
    assert code == 4 and "no answer within 0.2 s" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["drive", "127.0.0.1:1", "nonsense"],
        ["drive", "127.0.0.1:1", "START"],
        ["drive", "127.0.0.1:1", "configure", "no-value"],
        ["drive", "127.0.0.1:1", "transition"],
        ["drive", "127.0.0.1:1", "states", "--count", "0"],
        ["drive", "127.0.0.1:1", "state", "now"],
        ["drive", "nowhere", "state"],
        ["drive"],
        ["sample", "nothing"],
        ["run", "no_colon"],
        ["run", "no.such.module:Device"],
        ["run", "occ.device:Nothing"],
        ["run", "occ.states:TaskState"],
        [],
    ],
)
async def test_what_cannot_be_understood_ends_with_2(arguments: list[str]) -> None:
    code, out, err = await aliecs_occ(*arguments)
    assert (code, out) == (2, "") and err


async def test_a_device_class_is_run_by_its_import_path(launch, tmp_path) -> None:
    (tmp_path / "mine.py").write_text("from occ import Device\nclass Mine(Device):\n    pass\n")
    task = await launch("-m", "occ", "run", "mine:Mine", PYTHONPATH=str(tmp_path))
    assert (await task.fire("EXIT")).ok
    assert await task.exit_code() == 0


async def test_help_loads_no_grpc() -> None:
    code = "import sys; from occ.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: sys.exit('grpc' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0
