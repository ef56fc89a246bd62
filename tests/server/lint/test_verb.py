"""The command ``aliecs lint``: what it prints, where it looks, how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.demo import facility
from server.lint.verb import run

TASK = "name: x\ncontrol: {mode: basic}\nwants: {cpu: 1, memory: 2}\ncommand: {value: 'run {{ m }}'}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for kind in ("workflows", "tasks"):
        (tmp_path / kind).mkdir()
    (tmp_path / "tasks" / "x.yaml").write_text(TASK)
    (tmp_path / "workflows" / "w.yaml").write_text(
        "name: !public w\nroles:\n  - name: 'a-{{ it }}'\n    for: {range: '{{ hosts }}', var: it}\n    task: {load: x}\n"
    )
    (tmp_path / "workflows" / "v.yaml").write_text(
        "name: !public v\nroles: [{name: a, enabled: off, task: {load: x}}]\n"
    )
    return tmp_path


def test_a_repository_is_told_by_line_column_and_rule(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(repository)]) == 1
    give = "(give it: -e {0}=…, or define it in the template)"
    assert capsys.readouterr().out.splitlines() == [
        "tasks/x.yaml:4:26: error [missing-variable] role w.a-?: command.value: unknown name m in {{ m }}, character 2 "
        + give.format("m"),
        "workflows/v.yaml:2:28: warning [enabled-word] role v.a is disabled, its enabled is 'off': only true and 1 enable",
        "workflows/w.yaml:4:22: error [missing-variable] role w.a-{{ it }}: unknown name hosts in {{ hosts }}, character 2 "
        + give.format("hosts"),
        "needed and not given: hosts, m",
        "2 errors, 1 warning, 0 infos",
    ]


def test_what_is_given_is_not_missing(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "given.yaml"
    given.write_text("hosts: [flp001, flp002]\n")
    words = [str(repository), "--defaults", str(given), "-e", "m=1"]
    assert run(words) == 0
    assert run([*words, "--strict"]) == 1
    assert run([*words, "--strict", "--workflow", "w"]) == 0
    assert run([str(repository / "workflows" / "w.yaml"), "-e", 'hosts=["a"]', "-e", "m=1", "--strict"]) == 0
    assert run([str(repository / "tasks" / "x.yaml"), "--strict"]) == 0
    assert capsys.readouterr().out.endswith("0 errors, 0 warnings, 0 infos\n")


def test_the_configuration_gives_variables_and_hosts(repository: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.yaml"
    store.write_text("o2: {runtime: {aliecs: {defaults: {m: '1'}, vars: {hosts: '[\"a\"]'}}}}\n")
    assert run([str(repository), "--config", f"file://{store}", "--workflow", "w", "--strict"]) == 1  # there is no host
    store.write_text(store.read_text() + "\n")
    assert run([str(repository), "--config", f"file://{store}", "--workflow", "w"]) == 0


def test_programs_get_one_document(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([str(repository), "--json", "--workflow", "w"])
    document = json.loads(capsys.readouterr().out)
    assert document["counts"] == {"error": 2, "warning": 0, "info": 0}
    assert document["missing"] == ["hosts", "m"]
    assert document["findings"][1] == {
        "severity": "error", "rule": "missing-variable", "file": "workflows/w.yaml", "line": 4, "column": 22,
        "role": "w.a-{{ it }}", "message": "unknown name hosts in {{ hosts }}, character 2",
        "hint": "give it: -e hosts=…, or define it in the template", "name": "hosts",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{nowhere}"], "neither a repository nor a template"),
        (["{repository}", "--workflow", "gone"], "no workflow template 'gone'"),
        (["{repository}", "-e", "hosts"], "name=value"),
        (["{repository}", "--defaults", "{nowhere}"], "cannot be read"),
        (["{repository}", "--config", "ftp://x"], "ftp"),
    ],
)
def test_what_it_cannot_look_at_is_told(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    filled = [word.format(repository=repository, nowhere=tmp_path / "nowhere") for word in words]
    assert run(filled) == 2
    assert said in capsys.readouterr().err


def test_nothing_is_written_while_it_looks(repository: Path, tmp_path: Path) -> None:
    store, dump = tmp_path / "store.yaml", tmp_path / "dump"
    store.write_text("o2: {}\n")
    text = (
        f"name: !public v\nvars: {{a: \"{{{{ util.Dump('x', '{dump}') }}}}\", b: \"{{{{ runtime.Set('c', 'k', 'v') }}}}\"}}\n"
        "roles: [{name: a, task: {load: x}}]\n"
    )
    (repository / "workflows" / "v.yaml").write_text(text)
    run([str(repository), "--workflow", "v", "--config", f"file://{store}"])
    assert not dump.exists()
    assert store.read_text() == "o2: {}\n"


def test_a_revision_is_looked_at_as_it_was(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    git = ("git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one"), ("tag", "v1")):
        subprocess.run((*git, *command), check=True, env=environment, timeout=60)
    (repository / "workflows" / "w.yaml").write_text("name: !public w\nroles: [{name: a, task: {load: gone}}]\n")
    assert run([str(repository), "-e", "m=1", "--workflow", "w"]) == 1
    assert f"no task template 'gone' in {repository} " in capsys.readouterr().out
    assert run([f"{repository}@v1", "-e", "m=1", "-e", 'hosts=["a"]', "--workflow", "w"]) == 0
    assert run([f"{repository}@v2", "--workflow", "w"]) == 2
    assert "no revision 'v2'" in capsys.readouterr().err


def test_the_console_has_the_verb(repository: Path) -> None:
    program = Path(sys.executable).parent / "aliecs"
    done = subprocess.run([program, "lint", repository], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "2 errors, 1 warning, 0 infos")


def test_the_templates_of_the_demo_have_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(Path(facility.__file__).parent)]) == 0
    assert "0 errors" in capsys.readouterr().out


def test_files_of_odd_names_and_kinds_are_told_of_in_lines_and_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("workflows", "tasks", "jit"):
        (tmp_path / kind).mkdir()
    (tmp_path / "workflows" / "large.yaml").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )
    (tmp_path / "workflows" / "new\nline.yaml").write_text("name: x\n")
    (tmp_path / "workflows" / "out.yaml").symlink_to("/etc/passwd")
    (tmp_path / "workflows" / "a.yaml").write_text("name: !public a\nroles: [{name: r, task: {load: gone}}]\n")
    os.close(os.open(os.fsencode(tmp_path / "workflows" / "bad") + b"\xff.yaml", os.O_CREAT))
    (tmp_path / "jit" / "its").write_bytes(b"o2 \xff")
    assert run([str(tmp_path), "--json"]) == 1
    found = {(one["file"], one["rule"]): one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert all(one["line"] and one["column"] for one in found.values())
    assert found["workflows/large.yaml", "bad-file"]["message"] == "a pointer of git LFS, not the file"
    assert found["jit/its", "bad-file"]["message"] == "is not UTF-8: invalid start byte at byte 3"
    assert found["workflows/a.yaml", "missing-task"]["severity"] == "error"
    assert ("workflows/bad\\udcff.yaml", "file-name") in found
    assert run([str(tmp_path)]) == 1
    lines = capsys.readouterr().out
    assert "workflows/new\\nline.yaml:1:" in lines and "workflows/out.yaml:1:1: error [bad-file]" in lines
    assert lines.count("[missing-task]") == 1
