"""Files of output: bounded, turned at the end of a line, read as one stream, patient with full disks."""

from __future__ import annotations

import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executor.api.output import KeptOutput, Turns, read_turns, write_turns
from executor.output_file import OutputFile, OutputLimits


@pytest.fixture
def open_output(tmp_path: Path) -> Iterator[Callable[..., OutputFile]]:
    made: list[OutputFile] = []

    def make(file_bytes: int = 0, kept_files: int = 2) -> OutputFile:
        made.append(OutputFile(tmp_path / "stdout", OutputLimits(file_bytes, kept_files)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".turns")}


def read_all(path: Path, offset: int | None = None) -> tuple[int, bytes]:
    kept = KeptOutput(path)
    try:
        at = kept.first if offset is None else offset
        begin, data = at, b""
        while piece := kept.read(at, 7):
            data += piece
            at += len(piece)
        assert at == kept.end
        return begin, data
    finally:
        kept.close()


def test_a_full_file_is_turned_at_the_end_of_a_line(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    open_output(10).write(b"one\ntwo\nthree\nfour\n")
    assert files(tmp_path) == {"stdout": b"four\n", "stdout.1": b"three\n", "stdout.2": b"one\ntwo\n"}
    assert read_all(tmp_path / "stdout") == (0, b"one\ntwo\nthree\nfour\n")


def test_a_line_longer_than_a_file_is_cut(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    open_output(4).write(b"123456789\n")
    assert files(tmp_path) == {"stdout": b"9\n", "stdout.1": b"5678", "stdout.2": b"1234"}


def test_the_oldest_goes_and_offsets_stay(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    output = open_output(4)
    for letter in b"abcdef":
        output.write(bytes([letter]) * 3 + b"\n")
    assert files(tmp_path) == {"stdout": b"fff\n", "stdout.1": b"eee\n", "stdout.2": b"ddd\n"}
    assert read_all(tmp_path / "stdout") == (12, b"ddd\neee\nfff\n")
    assert read_all(tmp_path / "stdout", 18) == (18, b"e\nfff\n")


def test_without_older_files_only_the_last_one_is_kept(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    open_output(4, kept_files=0).write(b"aaa\nbbb\nccc\n")
    assert files(tmp_path) == {"stdout": b"ccc\n"}
    assert read_all(tmp_path / "stdout") == (8, b"ccc\n")


def test_a_later_process_of_the_same_task_goes_on_where_the_files_stand(
    open_output: Callable[..., OutputFile], tmp_path: Path
) -> None:
    open_output(4, kept_files=1).write(b"aaa\nbbb\nccc\n")
    open_output(4, kept_files=1).write(b"ddd\n")
    assert read_all(tmp_path / "stdout") == (8, b"ccc\nddd\n")


def test_whoever_follows_while_files_are_turned_gets_every_byte_once(
    open_output: Callable[..., OutputFile], tmp_path: Path
) -> None:
    output = open_output(20_000, kept_files=20)
    lines = [b"%d\n" % number for number in range(50_000)]
    output.write(lines[0])
    writer = threading.Thread(target=lambda: [output.write(line) for line in lines[1:]])
    writer.start()
    got = b""
    while writer.is_alive() or len(got) < sum(map(len, lines)):
        kept = KeptOutput(tmp_path / "stdout")
        try:
            while piece := kept.read(len(got), 5000):
                got += piece
        finally:
            kept.close()
    writer.join()
    assert got == b"".join(lines)


def test_a_turn_that_takes_its_time_is_waited_for(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    path.write_bytes(b"aaa\n")
    write_turns(path, Turns(0, 0, is_under_way=True))
    path.rename(tmp_path / "stdout.1")
    read: list[tuple[int, bytes]] = []
    reader = threading.Thread(target=lambda: read.append(read_all(path)))
    reader.start()
    reader.join(0.3)
    assert reader.is_alive()
    path.write_bytes(b"bbb\n")
    write_turns(path, Turns(1, 0))
    reader.join(60)
    assert read == [(0, b"aaa\nbbb\n")]


def test_a_turn_that_was_never_completed_does_not_keep_readers_away(
    open_output: Callable[..., OutputFile], tmp_path: Path
) -> None:
    open_output(4).write(b"aaa\nbbb\n")
    write_turns(tmp_path / "stdout", Turns(1, 0, is_under_way=True))
    an_hour_ago = time.time() - 3600
    os.utime(tmp_path / "stdout.turns", (an_hour_ago, an_hour_ago))
    assert read_all(tmp_path / "stdout") == (0, b"aaa\nbbb\n")
    open_output(4).write(b"ccc\n")
    assert read_turns(tmp_path / "stdout") == Turns(2, 0)


@pytest.mark.parametrize("record", [b"9" * 5000 + b" 1", b"", b"x y", b"7", b"-1 5", b"\xff\xff"])
def test_a_record_that_makes_no_sense_counts_as_none(tmp_path: Path, record: bytes) -> None:
    (tmp_path / "stdout.turns").write_bytes(record)
    assert read_turns(tmp_path / "stdout") == Turns()


def test_a_record_that_is_no_file_keeps_nobody_waiting(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stdout.turns")
    output = open_output(file_bytes=10)
    worked = threading.Thread(
        target=lambda: (output.write(b"12345\n12345\n"), read_all(tmp_path / "stdout")), daemon=True
    )
    worked.start()
    worked.join(60)
    assert not worked.is_alive()
    assert read_all(tmp_path / "stdout") == (0, b"12345\n")  # who puts it there has no output turned
    assert output.lost_bytes == 6


def test_links_are_not_followed(open_output: Callable[..., OutputFile], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "stdout").symlink_to(secret)
    open_output().write(b"more")
    assert secret.read_bytes() == b"secret"
    with pytest.raises(FileNotFoundError):
        KeptOutput(tmp_path / "stdout")
    (tmp_path / "stdout").unlink()
    (tmp_path / "stdout").write_bytes(b"mine")
    (tmp_path / "stdout.1").symlink_to(secret)
    assert read_all(tmp_path / "stdout") == (0, b"mine")


def test_what_the_disk_does_not_take_is_dropped_with_one_notice(
    open_output: Callable[..., OutputFile], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    output = open_output()
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, limit[1]))
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                output.write(b"1234\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert len(caplog.records) == 1
    output.write(b"again\n")
    assert files(tmp_path)["stdout"] == b"1234\n1\n[executor] 9 bytes of output were lost here\nagain\n"
