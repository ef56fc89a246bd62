"""The command ``aliecs conf``: what it shows, what it writes and only when, how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from consul_agent import ConsulAgent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.config.open import open_store
from server.config.store import Store
from server.config.transfer import Plan, content
from server.config.tree import Folder, SnapshotStore
from server.config.verb import default_uri, run

ODD = {
    "o2/components/qc/ANY/any/base": "line {{ x }}\n\n  two\n",
    "o2/components/qc/PHYSICS/any/base": "physics",
    "o2/components/qc/ANY/any/sub/deep": '{"a": [1, 2]}',
    "o2/components/readoutcard/flp001/cru/0228/0": "{}",
    "o2/runtime/aliecs/defaults/number": "1.50",
    "o2/runtime/aliecs/vars/empty": "",
    "o2/runtime/aliecs/vars/blank": "  \t x ",
    "o2/runtime/run_number": "41",
    "o2/runtime/trg/ltu/file": "\x00\x07 bytes \udcff\udc80",
    "o2/hardware/flps/flp001/cards": '{"0": {"serial": "0228"}}',
    "o2/hardware/detectors/ITS/flps/flp001/cards": "é ☃\r\n",
    "o2/hardware/detectors/TPC/flps/flp 002/": "",
}
"""All of the key space, with what is easily lost on the way; the last one is a folder with nothing in it."""


@pytest.fixture(params=["file", "consul"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store that has ODD."""
    address = f"file://{tmp_path}/store.yaml"
    if request.param == "consul":
        agent: ConsulAgent = request.getfixturevalue("consul_agent")
        address = agent.uri
    fill(address)
    return address


def fill(uri: str, extra: dict[str, str] | None = None) -> None:
    with stored(uri) as store:
        assert Plan.of(ODD | (extra or {}), content(store)).carry_out(store) == []


def stored(uri: str) -> closing[Store]:
    return closing(open_store(uri))


def of(uri: str) -> dict[str, str]:
    with stored(uri) as store:
        return content(store)


@pytest.fixture
def said(capfdbinary: pytest.CaptureFixture[bytes]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Return a function that runs the verb and returns exit code, output and errors."""

    def conf(*words: str) -> tuple[int, str, str]:
        code = run([*map(str, words)])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode("utf-8", "surrogateescape"), err.decode()

    yield conf


Said = Callable[..., tuple[int, str, str]]


def test_components_entries_and_folders_are_listed(uri: str, said: Said) -> None:
    assert said("list", "--uri", uri) == (0, "qc\nreadoutcard\n", "")
    assert said("ls", "qc", "--uri", uri)[1].split() == ["ANY/any/base", "ANY/any/sub/deep", "PHYSICS/any/base"]
    assert said("l", "o2/runtime", "--uri", uri, "-o", "json")[1] != ""
    assert sorted(json.loads(said("l", "o2/runtime", "--uri", uri, "-o", "json")[1])) == ["aliecs", "run_number", "trg"]
    assert yaml.safe_load(said("list", "--uri", uri, "-o", "yaml")[1]) == ["qc", "readoutcard"]


def test_a_payload_is_shown_where_run_type_and_role_fit_best(uri: str, said: Said) -> None:
    assert said("show", "qc", "base", "--uri", uri) == (0, "line {{ x }}\n\n  two\n", "")
    assert said("show", "qc", "base", "-r", "physics", "-l", "flp001", "--uri", uri) == (
        0, "physics\n", "qc/PHYSICS/flp001/base is not there, qc/PHYSICS/any/base is\n",
    )  # fmt: skip
    assert said("s", "qc/ANY/any/base", "-s", "-e", "x=<1>", "--uri", uri)[1] == "line &lt;1&gt;\n\n  two\n"
    assert said("show", "o2/runtime/run_number", "--uri", uri)[1] == "41\n"
    assert said("show", "o2/runtime/trg/ltu/file", "--uri", uri)[1] == "\x00\x07 bytes \udcff\udc80\n"
    assert json.loads(said("show", "qc", "sub/deep", "-o", "json", "--uri", uri)[1]) == {
        "path": "qc/ANY/any/sub/deep", "payload": '{"a": [1, 2]}',
    }  # fmt: skip


def test_what_is_not_there_is_told_with_its_own_exit_code(uri: str, said: Said) -> None:
    for words in (
        ["show", "qc", "none"],
        ["show", "o2/none"],
        ["show", "o2/runtime"],
        ["list", "none"],
        ["list", "o2/none"],
        ["dump", "o2/none"],
        ["export", "none.yaml", "-k", "o2/none"],
    ):
        code, out, err = said(*words, "--uri", uri)
        assert (code, out) == (5, ""), words
        assert err.startswith(f"aliecs conf {words[0]}: ")
    assert said("show", "qc/nonsense", "--uri", uri)[0] == 2
    assert said("show", "qc", "base", "-s", "-e", "x", "--uri", uri)[0] == 2


def test_a_folder_is_dumped_as_one_document(uri: str, said: Said) -> None:
    assert json.loads(said("dump", "o2/runtime/aliecs", "-o", "json", "--uri", uri)[1]) == {
        "defaults": {"number": "1.50"}, "vars": {"empty": "", "blank": "  \t x "},
    }  # fmt: skip
    assert yaml.safe_load(said("d", "o2/hardware/detectors", "--uri", uri)[1]) == {
        "ITS": {"flps": {"flp001": {"cards": "é ☃\r\n"}}}, "TPC": {"flps": {"flp 002": {}}},
    }  # fmt: skip
    assert yaml.safe_load(said("dump", "o2/runtime/run_number", "--uri", uri)[1]) == {"run_number": "41"}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_what_is_exported_comes_back_as_it_was(uri: str, said: Said, tmp_path: Path, suffix: str) -> None:
    file, again = tmp_path / f"out.{suffix}", f"file://{tmp_path}/again.yaml"
    assert said("export", str(file), "--uri", uri) == (0, f"12 keys written to {file}\n", "")
    assert said("import", str(file), "--uri", again, "--yes")[0] == 0
    assert of(again) == of(uri) == ODD
    assert said("diff", again, "--uri", uri) == (0, "", "")


def test_a_migration_there_and_back_changes_nothing(consul_agent: ConsulAgent, said: Said, tmp_path: Path) -> None:
    first, back = f"file://{tmp_path}/first.yaml", f"file://{tmp_path}/back.json"
    fill(first)
    code, out, _ = said("migrate", first, consul_agent.uri, "--yes")
    assert code == 0
    assert out.splitlines()[-1] == f"12 keys written to {consul_agent.uri}"
    assert said("migrate", consul_agent.uri, back, "--yes")[0] == 0
    assert of(first) == of(consul_agent.uri) == of(back) == ODD
    assert said("migrate", first, consul_agent.uri) == (0, f"0 keys to write to {consul_agent.uri}\n", "")


NAMES = st.text(st.characters(max_codepoint=0x24F, exclude_characters="/"), min_size=1, max_size=6).filter(
    lambda name: name.isprintable() and name not in (".", "..")
)
TEXTS = st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))
TREES = st.dictionaries(
    NAMES, st.recursive(TEXTS, lambda deeper: st.dictionaries(NAMES, deeper, max_size=3)), min_size=1, max_size=3
)


@given(TREES)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_every_tree_comes_back_from_consul_and_from_both_forms_of_a_file(
    consul_agent: ConsulAgent, tmp_path_factory: pytest.TempPathFactory, tree: Folder
) -> None:
    consul_agent.clear()
    folder = tmp_path_factory.mktemp("trees")
    wanted = content(SnapshotStore("", {"o2": tree}))
    for uri in (consul_agent.uri, f"file://{folder}/c.yaml", f"file://{folder}/c.json"):
        with stored(uri) as store:
            assert Plan.of(wanted, content(store)).carry_out(store) == []
        assert of(uri) == wanted


def test_nothing_is_written_without_a_confirmation_or_in_a_dry_run(uri: str, said: Said, tmp_path: Path) -> None:
    target = f"file://{tmp_path}/target.yaml"
    code, out, err = said("migrate", uri, target)
    assert (code, len(out.splitlines())) == (9, 12)
    assert "needs a confirmation (add --yes)" in err
    code, out, _ = said("migrate", uri, target, "--dry-run")
    assert (code, out.splitlines()[-1]) == (0, f"12 keys to write to {target}")
    assert not (tmp_path / "target.yaml").exists()
    (tmp_path / "payload").write_text("x")
    assert said("import", "qc", "new", str(tmp_path / "payload"), "--uri", uri, "--dry-run")[0] == 0
    assert said("import", "qc", "new", str(tmp_path / "payload"), "--uri", uri)[0] == 9
    assert of(uri) == ODD


def test_a_migration_keeps_what_only_the_target_has_and_never_lowers_a_run_number(
    uri: str, said: Said, tmp_path: Path
) -> None:
    target = f"file://{tmp_path}/target.yaml"
    with stored(target) as store:
        store.put("o2/runtime/run_number", "100")
        store.put("o2/runtime/mine", "1")
        store.put("o2/runtime/aliecs/defaults/number", "2")
    code, out, _ = said("migrate", uri, target, "-k", "o2/runtime", "--yes")
    assert code == 0
    assert "o2/runtime/run_number stays 100: a run number is never lowered" in out
    assert "~ o2/runtime/aliecs/defaults/number" in out
    assert of(target) == {key: text for key, text in ODD.items() if key.startswith("o2/runtime/")} | {
        "o2/runtime/run_number": "100", "o2/runtime/mine": "1",
    }  # fmt: skip


def test_what_somebody_else_changed_in_the_meantime_is_left_alone(uri: str) -> None:
    plan = Plan.of(ODD | {"o2/runtime/run_number": "50", "o2/runtime/new": "1"}, of(uri))
    with stored(uri) as store:
        store.put("o2/runtime/run_number", "42")
        assert plan.carry_out(store) == ["o2/runtime/run_number"]
        assert store.get_tree("o2/runtime")["run_number"] == "42"
        assert store.get("o2/runtime/new") == "1"


def test_a_difference_is_shown_and_is_an_exit_code(uri: str, said: Said, tmp_path: Path) -> None:
    other = f"file://{tmp_path}/other.yaml"
    fill(other, {"o2/runtime/more": "1"})
    with stored(other) as store:
        store.put("o2/components/qc/ANY/any/base", "line {{ y }}\n\n  two\n")
        store.put("o2/runtime/run_number", "42")
        store.delete("o2/runtime/aliecs/vars/empty")
    code, out, _ = said("diff", other, "--uri", uri)
    assert code == 1
    assert out.splitlines() == [
        f"--- {uri}", f"+++ {other}", "~ o2/components/qc/ANY/any/base", "    @@ -1,2 +1,2 @@", "    -line {{ x }}",
        "    +line {{ y }}", "     ", "- o2/runtime/aliecs/vars/empty", "+ o2/runtime/more",
        "~ o2/runtime/run_number: '41' -> '42'",
    ]  # fmt: skip
    assert json.loads(said("diff", uri, other, "-k", "o2/runtime/run_number", "-o", "json")[1]) == [
        {"key": "o2/runtime/run_number", "before": "41", "after": "42"}
    ]
    assert yaml.safe_load(said("diff", uri, other, "-k", "o2/runtime/run_number", "-o", "yaml")[1]) == {
        "o2/runtime/run_number": {"before": "41", "after": "42"}
    }
    assert said("diff", uri, other, "-k", "o2/hardware") == (0, "", "")


def test_a_payload_is_imported_into_a_component_that_exists_or_is_said_to_be_new(
    uri: str, said: Said, tmp_path: Path
) -> None:
    file = tmp_path / "payload"
    file.write_bytes(b"new \xff payload\n")
    assert said("import", "qc", "base", str(file), "-r", "COSMICS", "--uri", uri, "--yes")[0] == 0
    assert said("import", "qc", "base", str(file), "-r", "COSMICS", "--uri", uri)[1:] == (
        "o2/components/qc/COSMICS/any/base has this payload already\n", "",
    )  # fmt: skip
    assert of(uri)["o2/components/qc/COSMICS/any/base"] == "new \udcff payload\n"
    assert "does not exist" in said("import", "other", "base", str(file), "--uri", uri, "--yes")[2]
    assert "exists already" in said("import", "qc", "base", str(file), "-n", "--uri", uri, "--yes")[2]
    assert said("i", "other", "base", str(file), "-n", "--uri", uri, "--yes")[0] == 0
    assert said("import", "qc", "base", str(tmp_path / "none"), "--uri", uri, "--yes")[0] == 2
    assert said("import", "qc", "base", "--uri", uri, "--yes")[0] == 2


def test_a_store_that_cannot_be_reached_has_its_own_exit_code(own_consul: ConsulAgent, said: Said) -> None:
    own_consul.kill()
    code, out, err = said("list", "--uri", own_consul.uri)
    assert (code, out) == (3, "")
    assert f"{own_consul.uri} cannot be reached" in err


def test_a_file_that_is_not_there_is_not_taken_for_an_empty_one(said: Said, tmp_path: Path) -> None:
    code, _, err = said("list", "--uri", f"file://{tmp_path}/none.yaml")
    assert code == 5
    assert "name it with --uri" in err


def test_the_store_is_that_of_the_core_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALIECS_CONFIGSERVICEURI", "ALIECS_COREWORKINGDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert default_uri() == "file:///var/lib/o2/aliecs/configuration.yaml"
    (tmp_path / ".aliecs").mkdir()
    (tmp_path / ".aliecs" / "configuration.yaml").touch()
    assert default_uri() == f"file://{tmp_path}/.aliecs/configuration.yaml"
    monkeypatch.setenv("ALIECS_COREWORKINGDIR", "/state")
    assert default_uri() == "file:///state/configuration.yaml"
    monkeypatch.setenv("ALIECS_CONFIGSERVICEURI", "consul://here:8500")
    assert default_uri() == "consul://here:8500"


def test_the_console_knows_the_verb(tmp_path: Path) -> None:
    fill(f"file://{tmp_path}/c.yaml")
    done = subprocess.run(
        [Path(sys.executable).parent / "aliecs", "conf", "list"], capture_output=True, text=True, timeout=120,
        env=os.environ | {"ALIECS_CONFIGSERVICEURI": f"file://{tmp_path}/c.yaml"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "qc\nreadoutcard\n", "")


def test_a_payload_is_imported_from_the_input(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/c.yaml"
    fill(uri)
    program = "import sys; from server.config.verb import run; sys.exit(run(sys.argv[1:]))"
    words = ["import", "qc", "piped", "-", "--uri", uri, "--yes"]
    done = subprocess.run([sys.executable, "-c", program, *words], input=b"piped\xff", capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert of(uri)["o2/components/qc/ANY/any/piped"] == "piped\udcff"
