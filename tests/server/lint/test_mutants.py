"""Broken copies of templates under the linter: every finding has its place and can be understood, nothing breaks the linter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from golden_workflows import OBJECTS, RecordedServices
from template_mutants import INTERNAL, broken, right

from server.lint.inputs import Inputs
from server.lint.repository import Linter
from server.lint.rules import RULES
from server.lint.show import to_json, to_text

SEEDS = 80
INPUTS = Inputs(
    user_vars={"hosts": '["flp1","flp2"]'},
    services=RecordedServices({"flp1": "ITS", "flp2": "TPC"}, {}),
    objects=OBJECTS,
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return right(tmp_path_factory.mktemp("repository"))


def assert_understandable(folder: Path, inputs: Inputs, workflows: list[str] | None, what: str) -> None:
    report = Linter(folder, inputs, workflows).run()
    for one in report:
        told = f"{what}: {one}"
        assert one.rule in RULES and one.message.strip(), told
        assert (folder / one.file).is_file(), told
        lines = (folder / one.file).read_text("utf-8", "replace").split("\n")
        assert 1 <= one.line <= len(lines) + 1 and one.column >= 1, told
        assert not INTERNAL.search(f"{one.message} {one.hint}"), told
    assert json.loads(to_json(report))["findings"] is not None
    assert to_text(report, with_infos=True).encode()


def test_the_templates_that_are_broken_here_are_right(repository: Path) -> None:
    assert [one for one in Linter(repository, INPUTS).run() if one.severity != "info"] == []


def test_every_finding_in_a_broken_template_has_its_place_and_no_template_breaks_the_linter(
    repository: Path,
) -> None:
    for seed in range(SEEDS):
        with broken(repository, seed) as what:
            assert_understandable(repository, INPUTS, None, what)


@pytest.mark.reference
@pytest.mark.parametrize(("year", "seeds"), [("2023", 2), ("2026", 5)])
def test_broken_production_templates_are_told_of_in_the_same_way(
    reference: Path, tmp_path: Path, year: str, seeds: int
) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(reference / "corpus" / f"ControlWorkflows-{year}", corpus)
    sizes = {path.stem: path.stat().st_size for path in (corpus / "workflows").glob("*.yaml")}
    flows = sorted(name for name, size in sizes.items() if size < 5_000)
    for seed in range(seeds):
        name = flows[seed * len(flows) // seeds]
        with broken(corpus, seed, [f"workflows/{name}.yaml"]) as what:
            assert_understandable(corpus, INPUTS, [name], what)
