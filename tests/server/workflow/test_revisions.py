"""Branches and tags, and what a pattern means among them."""

from __future__ import annotations

import pytest

from server.api.errors import CoreError
from server.workflow.revisions import HEADS, REMOTE_HEADS, Refs, read_refs

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
REFS = Refs({"main": ONE, "dev/a": TWO, "dev/b": TWO}, {"v1.0": THREE, "v1.1": ONE, "main": TWO})


def _branch(commit: str) -> str:
    return f"commit {commit}   refs/remotes/origin/"


def test_refs_are_read_by_their_short_names_and_tags_by_what_they_point_to() -> None:
    told = (
        f"{_branch(ONE)}main\n{_branch(ONE)}HEAD\n{_branch(TWO)}x/y\n"
        f"tag {ONE} commit {THREE} refs/tags/v1\ncommit {TWO}   refs/tags/light\ncommit {ONE}   refs/notes/x\n"
    )
    refs = read_refs(told, (REMOTE_HEADS,))
    assert refs == Refs({"main": ONE, "x/y": TWO}, {"v1": THREE, "light": TWO})


def test_names_that_look_like_options_or_cannot_be_shown_are_left_out() -> None:
    names = ("--upload-pack=x", "-b", "a\u202eb", "a\x9bb", "a\u2028b", "a\x85b", "fine")
    told = "".join(f"{_branch(ONE)}{name}\n" for name in names)
    assert read_refs(told, (REMOTE_HEADS,)) == Refs({"fine": ONE})


def test_what_names_no_commit_is_left_out() -> None:
    told = f"tag {ONE} blob {TWO} refs/tags/key\ntree {ONE}   refs/tags/files\ntag {ONE} tag {TWO} refs/tags/twice\n"
    assert read_refs(told, (REMOTE_HEADS,)) == Refs({}, {"twice": TWO})


def test_own_branches_are_stronger_than_those_of_the_origin() -> None:
    told = f"commit {ONE}   refs/heads/main\n{_branch(TWO)}main\n{_branch(THREE)}other\n"
    assert read_refs(told, (HEADS, REMOTE_HEADS)).branches == {"main": ONE, "other": THREE}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("main", ["main"]),
        ("*", ["main", "dev/a", "dev/b", "v1.0", "v1.1"]),
        ("dev*", ["dev/a", "dev/b"]),
        ("v1.?", ["v1.0", "v1.1"]),
        ("v1.[1-9]", ["v1.1"]),
        ("{dev/b,v1.0}", ["dev/b", "v1.0"]),
        ("V1*", []),
        (ONE, [ONE]),
        ("", []),
    ],
)
def test_a_pattern_means_branches_and_tags(pattern: str, found: list[str]) -> None:
    assert REFS.match(pattern) == found


def test_only_branches_or_only_tags_can_be_asked_for() -> None:
    assert REFS.match("*", tags=False) == ["main", "dev/a", "dev/b"]
    assert REFS.match("*", branches=False) == ["v1.0", "v1.1", "main"]
    assert REFS.find("main") == ONE, "a branch is stronger than a tag"
    assert REFS.listed == ("main",)


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(CoreError, match="bad pattern"):
        REFS.match("[")
