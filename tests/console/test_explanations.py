"""Messages, signals and exit codes are explained in words, with the next step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fake_core import FakeCore

from console.explanations import explanations
from server.api.errors import Reason

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "about", "means"),
    [
        ("exit code 139", "exit code 139, SIGSEGV", "crashed"),
        ("9", "aliecs ended with 9", "not confirmed"),
        ("7", "aliecs ended with 7", "in ERROR"),
        ("critical task sink ended with exit code 127 on flp002", "exit code 127", "not found"),
        ("ended with exit code 3", "exit code 3", "ended itself"),
        ("killed by signal 9", "SIGKILL", "without a chance|killed at once"),
        ("killed by its memory limit of 40 MB (signal 9)", "killed by its memory limit of 40 MB", "limits.memory"),
        ("SIGABRT", "SIGABRT", "gave up"),
        ("START_ACTIVITY is in progress", "is in progress", "one transition at a time"),
        ("STOP_ACTIVITY needs RUNNING, the environment is CONFIGURED", "needs RUNNING", "does not begin"),
        ("env start: not done within 3 s, the outcome is unknown", "outcome is unknown", "goes on"),
        ("no core at 127.0.0.1:1: it refuses connections", "no core at", "cannot reach"),
        ("data is 7 s old", "data is 7 s old", "silent"),
        ("observing: arm first", "observing", "before you arm"),
        ("DETECTOR_IN_USE", "DETECTOR_IN_USE", "another environment"),
    ],
)
def test_what_is_known_is_said(text: str, about: str, means: str) -> None:
    found = explanations(text)
    assert any(one.about.startswith(about) and re.search(means, one.means) for one in found), found


def test_every_explanation_has_a_next_step() -> None:
    texts = [reason.value for reason in Reason] + [str(code) for code in range(256)] + ["signal 9", "signal 11"]
    for text in texts:
        for one in explanations(text):
            assert one.means and one.next, text


def test_of_what_says_nothing_nothing_is_known() -> None:
    assert explanations("hello") == [] and explanations("") == []


async def test_the_command_line_explains_too(core: FakeCore, aliecs: Run) -> None:
    one = core.add(state="RUNNING", run_number=7)
    core.fault(one.id, "flp002", "RUNNING")
    ended = await aliecs("explain", one.id)
    assert ended.code == 0
    for text in ("ERROR", "exit code 3", "aliecs task show", "possible:    env destroy"):
        assert text in ended.out, ended.out
    assert "SIGKILL" in (await aliecs("explain", "signal", "9")).out
    unknown = await aliecs("explain", "the", "meaning", "of", "life")
    assert unknown.code == 5 and "nothing is known" in unknown.err
    core.drop(one.id)
    assert (await aliecs("explain")).code == 2
