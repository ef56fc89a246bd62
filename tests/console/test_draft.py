"""The unfinished creation on disk: nothing typed is lost, and nobody else reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import draft
from console.draft import Draft


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_draft_comes_back_as_it_was_saved() -> None:
    one = Draft(endpoint="core:1", repo="r", template="t", revision="v", changed={"hosts": '["é"]'}, step=3)
    assert draft.save(one) == ""
    found, problem = draft.load("core:1")
    assert problem == "" and found is not None and found.saved_ms > 0
    assert (found.repo, found.template, found.changed, found.step) == ("r", "t", {"hosts": '["é"]'}, 3)
    assert draft.load("core:2") == (None, "")


def test_a_draft_is_readable_by_its_owner_only() -> None:
    draft.save(Draft(endpoint="core:1", template="t"))
    path = draft.path_of("core:1")
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o077 == 0
    assert [one.name for one in path.parent.iterdir()] == ["core_1.json"]


def test_an_empty_draft_leaves_no_file() -> None:
    assert draft.save(Draft(endpoint="core:1")) == ""
    draft.save(Draft(endpoint="core:1", changed={"a": "b"}))
    draft.save(Draft(endpoint="core:1"))
    assert not draft.path_of("core:1").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "truncated"),
        ('{"template": 5}', "Expected `str`, got `int` - at `$.template`"),
        ('{"colour": "red"}', "unknown field `colour`"),
        ('{"version": 9}', "is version 9, not 1"),
        ("\udcff", "is passed over"),
    ],
)
def test_a_broken_draft_is_named_and_passed_over(text: str, why: str) -> None:
    path = draft.path_of("core:1")
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    found, problem = draft.load("core:1")
    assert found is None and str(path) in problem and why in problem


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aliecs").write_text("in the way")
    assert "draft not saved" in draft.save(Draft(endpoint="core:1", template="t"))


def test_an_endpoint_of_any_form_makes_a_file_name() -> None:
    assert draft.path_of("unix:/run/core.sock").name == "unix_run_core.sock.json"
