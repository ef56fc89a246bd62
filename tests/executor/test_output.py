"""Parts of what tasks wrote, as an executor reads them."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from executor.api.messages import OutputPiece, Phase, ReadOutput
from executor.output import LIMIT_BYTES, read_output


def wrote(folder: Path, data: bytes, stream: str = "stdout") -> Path:
    (folder / "t1").mkdir(exist_ok=True)
    (folder / "t1" / stream).write_bytes(data)
    return folder


def read(folder: Path, **more: object) -> OutputPiece:
    return read_output(folder, ReadOutput(**{"request_id": "r", "task_id": "t1", "stream": "stdout"} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "data"),
    [(0, b""), (1, b"three\n"), (2, b"two\nthree\n"), (3, b"one\ntwo\nthree\n"), (99, b"one\ntwo\nthree\n")],
)
def test_the_last_lines_are_found_from_the_end(tmp_path: Path, lines: int, data: bytes) -> None:
    piece = read(wrote(tmp_path, b"one\ntwo\nthree\n"), lines=lines)
    assert (piece.data, piece.end, piece.size, piece.error) == (data, 14, 14, "")


def test_a_line_that_is_not_complete_is_a_line(tmp_path: Path) -> None:
    assert read(wrote(tmp_path, b"one\ntwo\nthr"), lines=2).data == b"two\nthr"


def test_a_part_begins_where_it_was_asked_for_and_is_no_longer_than_that(tmp_path: Path) -> None:
    folder = wrote(tmp_path, b"0123456789", "stderr")
    piece = read(folder, stream="stderr", offset=3, limit_bytes=4)
    assert (piece.offset, piece.data, piece.size) == (3, b"3456", 10)
    assert read(folder, stream="stderr", offset=10).data == b""
    assert len(read(wrote(tmp_path, bytes(LIMIT_BYTES + 5)), offset=0, limit_bytes=1 << 30).data) == LIMIT_BYTES


def test_an_output_that_became_shorter_is_read_from_its_beginning(tmp_path: Path) -> None:
    piece = read(wrote(tmp_path, b"new"), offset=10)
    assert (piece.offset, piece.data, piece.size) == (0, b"new", 3)


def test_output_in_several_files_is_one(tmp_path: Path) -> None:
    for name, data in (
        ("stdout.turns", b"5 100"),
        ("stdout.2", b"one\n"),
        ("stdout.1", b"two\n"),
        ("stdout", b"three\n"),
    ):
        wrote(tmp_path, data, name)
    last = read(tmp_path, lines=2)
    assert (last.offset, last.data, last.size) == (104, b"two\nthree\n", 114)
    assert read(tmp_path, offset=0, limit_bytes=6) == OutputPiece(request_id="r", offset=100, size=114, data=b"one\ntw")


@pytest.mark.parametrize("task_id", ["", "..", ".", "../t1", "t1/..", "/etc"])
def test_nothing_but_the_folders_of_tasks_is_read(tmp_path: Path, task_id: str) -> None:
    (tmp_path / "stdout").write_text("secret")
    (tmp_path / "tasks").mkdir()
    piece = read(tmp_path / "tasks", task_id=task_id, offset=0)
    assert (piece.data, bool(piece.error)) == (b"", True)


def test_what_a_task_put_in_the_place_of_its_output_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "tasks"
    (folder / "t1").mkdir(parents=True)
    (folder / "t1" / "stdout").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "t1" / "stderr")
    for stream in ("stdout", "stderr"):
        assert read(folder, stream=stream, offset=0).error == f"this host keeps no {stream} of task t1"


def test_links_in_a_circle_are_answered_like_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "t1").mkdir()
    (tmp_path / "t1" / "stdout").symlink_to("stdout")
    assert read(tmp_path).error == "this host keeps no stdout of task t1"


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    assert read(tmp_path, offset=0).error == "this host keeps no stdout of task t1"
    assert "no stream 'core'" in read(wrote(tmp_path, b""), stream="core").error


async def test_an_executor_answers_with_what_a_task_of_it_wrote(core, host, spec):
    host.start()
    await core.launch(spec("t1"))
    await core.phase("t1", Phase.ACTIVE)
    await core.transition("CONFIGURE", "STANDBY", "CONFIGURED", "t1", arguments={"key": "value"})
    async with asyncio.timeout(60):
        for number in count():  # what it wrote comes beside its answer, maybe later
            core.send(ReadOutput(request_id=f"r{number}", task_id="t1", stream="stdout", lines=1))
            (piece,) = await core.until(partial(answers, core, f"r{number}"))
            if piece.data:
                break
    assert (piece.data, piece.offset) == (b"key=value\n", 0)


def answers(core, request_id: str) -> list[OutputPiece]:
    return [one for one in core.reports if isinstance(one, OutputPiece) and one.request_id == request_id]
