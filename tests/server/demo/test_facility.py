"""The demo facility: what is copied, what is kept, what is refused; and whether its templates load."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from occ.errors import ConfigError
from server.config import inventory
from server.config.file import FileStore
from server.config.services import StoreServices
from server.demo.facility import SHIPPED, prepare


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=some@where"]
    return subprocess.run(
        ["git", "-C", str(repository), *identity, *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_a_new_facility_has_a_clean_repository_with_one_commit(tmp_path: Path) -> None:
    facility = prepare(tmp_path / "state")
    assert git(facility.repository, "status", "--porcelain") == ""
    assert git(facility.repository, "rev-list", "--count", "HEAD") == "1"
    assert git(facility.repository, "log", "--format=%an") == "AliECS demo"
    for folder in ("workflows", "tasks"):
        shipped = {path.name: path.read_bytes() for path in (SHIPPED / folder).iterdir()}
        assert {path.name: path.read_bytes() for path in (facility.repository / folder).iterdir()} == shipped


def test_the_inventory_has_four_hosts_of_four_detectors(tmp_path: Path) -> None:
    store = FileStore(prepare(tmp_path).configuration)
    entries = inventory.host_entries(store)
    assert {entry.name: entry.detector for entry in entries} == {
        "flp001": "ITS", "flp002": "TPC", "flp003": "TOF", "flp004": "TST",
    }  # fmt: skip
    assert {entry.address for entry in entries} == {"127.0.0.1"}
    assert inventory.cru_cards(store, "flp003") == ["0103"]


def test_run_headers_go_to_the_state_folder(tmp_path: Path) -> None:
    facility = prepare(tmp_path / "state")
    assert StoreServices(FileStore(facility.configuration)).vars()["runs_directory"] == str(facility.runs)
    assert facility.runs.is_dir()


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    FileStore(first.configuration).put("o2/runtime/run_number", "41")
    head = git(first.repository, "rev-parse", "HEAD")
    assert prepare(tmp_path) == first
    assert git(first.repository, "rev-parse", "HEAD") == head
    assert FileStore(first.configuration).get("o2/runtime/run_number") == "41"


def test_what_people_changed_is_kept(tmp_path: Path) -> None:
    facility = prepare(tmp_path)
    edited = facility.repository / "tasks" / "readout.yaml"
    edited.write_text("mine")
    prepare(tmp_path)
    assert edited.read_text() == "mine"
    git(facility.repository, "commit", "--all", "--message", "mine")
    prepare(tmp_path)
    assert edited.read_text() == "mine"


def test_a_copy_of_older_templates_is_brought_up_to_date(tmp_path: Path) -> None:
    facility = prepare(tmp_path)
    old = facility.repository / "tasks" / "old.yaml"
    old.write_text("name: old\n")
    git(facility.repository, "add", "--all")
    git(facility.repository, "-c", "user.name=AliECS demo", "commit", "--quiet", "--message", "older")
    prepare(tmp_path)
    assert not old.exists()
    assert git(facility.repository, "status", "--porcelain") == ""


def test_a_copy_interrupted_before_its_first_commit_is_finished(tmp_path: Path) -> None:
    repository = tmp_path / "workflows-repo"
    repository.mkdir()
    git(repository, "init", "--quiet")
    (repository / "workflows").mkdir()
    (repository / "workflows" / "half.yaml").write_text("name: half\n")
    facility = prepare(tmp_path)
    assert not (facility.repository / "workflows" / "half.yaml").exists()
    assert git(facility.repository, "rev-list", "--count", "HEAD") == "1"


def test_a_git_environment_of_the_caller_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    facility = prepare(tmp_path / "state")
    monkeypatch.delenv("GIT_DIR")
    assert not (tmp_path / "elsewhere").exists()
    assert git(facility.repository, "rev-list", "--count", "HEAD") == "1"


def test_without_git_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is not installed"):
        prepare(tmp_path / "state")


def test_a_state_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be prepared.*--state"):
        prepare(tmp_path / "file" / "state")


def test_the_run_header_is_a_real_file(tmp_path: Path) -> None:
    environment = {"RUNS": str(tmp_path / "runs"), "RUN_TYPE": "COSMICS", "HOSTS": '["flp001"]', "ENVIRONMENT": "2abc"}
    for name in ("run-header", "run-trailer"):
        command = yaml.safe_load((SHIPPED / "tasks" / f"{name}.yaml").read_text())["command"]
        given = {item.partition("=")[0] for item in command["env"]}
        assert given <= set(environment)
        subprocess.run(["sh", "-c", command["value"]], env=os.environ | environment, check=True, timeout=60)
    file = tmp_path / "runs" / "2abc.header"
    lines = dict(line.split(": ", 1) for line in file.read_text().splitlines())
    assert lines["run_type"] == "COSMICS"
    assert lines["begin"] <= lines["end"]
    assert stat.S_ISREG(file.stat().st_mode)
