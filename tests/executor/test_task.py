"""How the end of a process reads."""

from __future__ import annotations

import pytest

from executor.task import describe_exit

LIMIT = "its memory limit of 40 MB"


@pytest.mark.parametrize(
    ("exit_code", "signal", "out_of_memory", "text"),
    [
        (3, None, "", "exit code 3"),
        (None, 11, "", "killed by signal 11 (SIGSEGV)"),
        (None, 9, LIMIT, "killed by its memory limit of 40 MB (signal 9)"),
        (137, None, LIMIT, "exit code 137; a process of it was killed by its memory limit of 40 MB"),
        (None, 6, LIMIT, "killed by signal 6 (SIGABRT); a process of it was killed by its memory limit of 40 MB"),
    ],
)
def test_an_end_is_told_with_its_cause(
    exit_code: int | None, signal: int | None, out_of_memory: str, text: str
) -> None:
    assert describe_exit(exit_code, signal, out_of_memory=out_of_memory) == text
    assert describe_exit(exit_code, signal, "bye", out_of_memory) == f"{text}; last line on stderr: bye"
