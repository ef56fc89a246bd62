"""Which recordings there are: the user's own, newest first, then the shipped ones; and where a new one goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.recordings import find, known, new_path
from server.api.errors import ConfigError


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder, names in ((own, ("20260102", "20260103", "story")), (shipped, ("calm", "story"))):
        folder.mkdir()
        for name in names:
            (folder / f"{name}.jsonl").touch()
    monkeypatch.setattr("console.recordings.SHIPPED_FOLDERS", (tmp_path / "none", shipped))
    return own, shipped


def test_the_users_own_come_first_the_newest_on_top_and_hide_shipped_ones_of_the_same_name(
    folders: tuple[Path, Path],
) -> None:
    own, shipped = folders
    assert list(known(str(own))) == ["story", "20260103", "20260102", "calm"]
    assert known(str(own))["story"].parent == own and known()["story"].parent == shipped
    assert list(known(str(own / "missing"))) == ["calm", "story"]


def test_one_is_found_by_its_path_or_its_name(folders: tuple[Path, Path]) -> None:
    own, shipped = folders
    file = shipped / "calm.jsonl"
    assert find(str(file)) == file and find("calm") == file and find("calm.jsonl", str(own)) == file
    assert find("20260102", str(own)).parent == own
    with pytest.raises(ConfigError, match=r"other: no such file") as caught:
        find("other", str(own))
    assert caught.value.hint == "there are story, 20260103, 20260102, calm"


def test_a_new_one_goes_to_the_users_folder_under_the_time_unless_it_is_named(tmp_path: Path) -> None:
    path = new_path(str(tmp_path))
    assert path.parent == tmp_path and path.suffix == ".jsonl" and path.stem[8] == "T"
    assert new_path(str(tmp_path), "~/seen.jsonl") == Path.home() / "seen.jsonl"
