"""Globs over role paths."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.globs import GlobError, name_matcher, path_matcher


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.**", "a.b.c", True),
        ("**", "a", True),
        ("a.?", "a.b", True),
        ("a?b", "a.b", False),
        ("host-flp00[12].*", "host-flp001.x", True),
        ("host-flp00[!12]", "host-flp001", False),
        ("host-flp00[1-3]", "host-flp003", True),
        ("a[!b]c", "a.c", False),
        ("a[-b]c", "a-c", True),
        ("{a,b}.c", "b.c", True),
        ("{a,b}.c", "c.c", False),
        ("", "", False),
        (r"a\*", "a*", True),
    ],
)
def test_a_pattern_matches_by_rule(pattern: str, path: str, expected: bool) -> None:
    assert path_matcher(pattern)(path) is expected


@pytest.mark.parametrize("pattern", ["[", "a.[b", "[z-a]", "[!]", "{a,b", "a\\", "[]"])
def test_what_is_no_glob_says_so(pattern: str) -> None:
    with pytest.raises(GlobError):
        path_matcher(pattern)


@given(st.text(alphabet="ab.*?[]{},\\!^-", max_size=12), st.text(alphabet="ab.", max_size=6))
@example("[?--]", "")
def test_any_text_matches_or_is_refused(pattern: str, path: str) -> None:
    try:
        assert path_matcher(pattern)(path) in (True, False)
    except GlobError:
        pass


@pytest.mark.parametrize("matcher", [name_matcher, path_matcher])
def test_no_pattern_takes_longer_than_its_text(matcher: Callable[[str], Callable[[str], bool]]) -> None:
    text = "readout-dataflow/host-flp001/data-distribution" * 4
    began = time.process_time()
    assert not matcher("*?" * 40 + "!")(text) and matcher("*?" * 40 + "*")(text)
    assert not matcher("{*a,a*,{?,??}*}" * 20 + "!")(text)
    assert time.process_time() - began < 2


def test_a_pattern_without_end_is_refused() -> None:
    with pytest.raises(GlobError, match="it has 1001 characters"):
        name_matcher("x" * 1001)
