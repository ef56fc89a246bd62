"""Expressions and workflows against what AliECS's own engine made of them (golden/README.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from golden_workflows import (
    OBJECTS,
    RecordedServices,
    load_recorded,
    loads_of,
    make_repository,
    reference_folder,
    shown_tree,
    without_ids,
    without_iterators,
)
from tree_diff import differences

from occ.errors import AliecsError
from server.template.access import service_objects
from server.template.errors import ExpressionError
from server.template.render import render
from server.template.scope import Function
from server.workflow.load import load_workflow

pytestmark = pytest.mark.reference


@cache
def recorded(name: str) -> Any:
    folder = reference_folder()
    return json.loads((folder / "golden" / name).read_text(encoding="utf-8")) if folder else []


def expression_cases() -> Sequence[Any]:
    vectors = recorded("expr-vectors.json")
    if not vectors:
        return []
    return [pytest.param(case, vectors["vars"][str(case["vars"])], id=case["template"]) for case in vectors["cases"]]


def quirk_cases() -> Sequence[Any]:
    return [pytest.param(case, id=case["title"]) for case in recorded("workflow-quirks.json")]


def tree_cases() -> Sequence[Any]:
    folder = reference_folder()
    names = sorted(path.name for path in (folder / "golden" / "trees").glob("*.json")) if folder else []
    return [pytest.param(name, id=name) for name in names if name != "task-commands.json"]


class VectorServices(RecordedServices):
    """As the vectors of expressions describe their stand-ins."""

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        if entry == "nope":
            raise AliecsError(
                f"could not resolve configuration path o2/components/{component}/{run_type}/{role}/{entry}"
            )
        return super().resolve(component, run_type, role, entry)

    def runtime_get(self, component: str, key: str) -> str:
        if not key:
            raise AliecsError("empty key")
        return f"RT:{component}/{key}"


def generate(name: str) -> str:
    if name == "none":
        raise ExpressionError("dplCommand is 'none'")
    return name


DPL = {
    name: Function(("string",), generate)
    for name in ("Generate", "GenerateFromUri", "GenerateFromUriOrFallbackToTemplate")
}


@pytest.mark.parametrize(("case", "variables"), expression_cases())
def test_an_expression_gives_what_it_gives_in_aliecs(
    reference: Path, case: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    services = VectorServices({"flp001": "ITS", "flp002": "TPC", "flp003": "ITS"}, {"flp001": ["0228", "0229"]})
    objects = {**service_objects(services), **OBJECTS, "dpl": DPL}
    if "error" in case:
        with pytest.raises(ExpressionError):
            render(case["template"], variables, objects)
    else:
        assert render(case["template"], variables, objects) == case["result"]


@pytest.mark.parametrize("case", quirk_cases())
def test_a_small_workflow_resolves_as_in_aliecs(reference: Path, tmp_path: Path, case: Mapping[str, Any]) -> None:
    workflows = {"w": case["workflow_yaml"], **case["other_workflows"]}
    compare(case, "w", tmp_path, workflows, None)


@pytest.mark.parametrize("name", tree_cases())
def test_a_production_workflow_resolves_as_in_aliecs(reference: Path, tmp_path: Path, name: str) -> None:
    case = recorded(f"trees/{name}")
    corpus = reference / "corpus" / ("ControlWorkflows-2023" if name.startswith("B-") else "ControlWorkflows-2026")
    compare(case, case["workflow"], tmp_path, {}, corpus)


def compare(
    case: Mapping[str, Any], name: str, folder: Path, workflows: Mapping[str, str], corpus: Path | None
) -> None:
    repositories = make_repository(folder, workflows, corpus)
    if "err" in case["result"]:
        with pytest.raises(AliecsError):
            load_recorded(case, name, repositories)
        return
    workflow = load_recorded(case, name, repositories)
    expected = without_iterators(case["result"]["tree"])
    found = without_ids(shown_tree(workflow, expected, case), expected)
    assert found == expected, differences(found, expected)
    assert loads_of(workflow.root) == set(case["result"]["classes"])


NO_CLASSES = {"mid-full-qcmn-local", "tpc-idc", "tpc-idc-simple"}
"""Templates that name task templates which never existed (workflows-config.md 11.4)."""


@pytest.mark.parametrize("year", ["2023", "2026"])
def test_every_production_template_loads_with_its_task_classes(reference: Path, tmp_path: Path, year: str) -> None:
    repositories = make_repository(tmp_path, {}, reference / "corpus" / f"ControlWorkflows-{year}")
    minimal = recorded("trees/readout-dataflow-minimal.json")
    failed = set()
    for path in sorted((tmp_path / "workflows").glob("*.yaml")):
        if path.stem == "stub-jit":
            continue
        try:
            load_workflow(
                path.stem,
                user_vars={
                    "environment_id": "E",
                    "hosts": '["flp001"]',
                    "it": "flp001",
                    "its_dpl_workflow": "minimal-dpl",
                },
                defaults={**minimal["consul_defaults"], "apricot_endpoint": "a:1", "pdp_n_hbf_per_tf": "128"},
                vars={},
                repositories=repositories,
                services=RecordedServices(minimal["host_to_detector"], {}),
                generate=lambda command: "stub-jit",
                objects=OBJECTS,
                with_classes=path.stem != "readout-dataflow" or year == "2023",
            )
        except AliecsError as error:
            failed.add(path.stem)
            assert "no task template" in error.message
    assert failed == (NO_CLASSES if year == "2023" else set())
