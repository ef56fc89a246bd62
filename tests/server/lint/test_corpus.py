"""Production templates under the linter: no file breaks it, and with the inputs that they were recorded with they are right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from golden_workflows import OBJECTS, RecordedServices, reference_folder

from server.lint.inputs import Inputs
from server.lint.repository import Linter
from server.lint.rules import Severity

pytestmark = pytest.mark.reference
BATCHES = 8


def tree_cases() -> Sequence[str]:
    folder = reference_folder()
    names = sorted(path.name for path in (folder / "golden" / "trees").glob("*.json")) if folder else []
    return [name for name in names if name != "task-commands.json"]


KNOWN = {
    "readout-dataflow-no-hosts.json": {("missing-variable", "hosts")},
    "readout-dataflow-qcdd-missing-include.json": {("missing-template", ""), ("dangling-channel", "")},
    "tpc-sac-cmv-full-split-missing-var.json": {("missing-variable", "pdp_n_hbf_per_tf")},
    # Nothing includes it, and its tasks need more than was given for its tree.
    "B-tpc-sac.json": {
        ("missing-variable", "extra_env_vars"), ("missing-variable", "infologger_severity"), ("dangling-channel", ""),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", tree_cases())
def test_a_recorded_workflow_has_the_errors_that_it_had(reference: Path, name: str) -> None:
    case: Any = json.loads((reference / "golden" / "trees" / name).read_text(encoding="utf-8"))
    inputs = Inputs(
        user_vars=case["user_vars"],
        defaults=case["consul_defaults"],
        vars=case["consul_vars"],
        services=RecordedServices(case.get("host_to_detector") or {}, case.get("cru_cards") or {}),
        objects=OBJECTS,
    )
    corpus = reference / "corpus" / ("ControlWorkflows-2023" if name.startswith("B-") else "ControlWorkflows-2026")
    report = Linter(corpus, inputs, [case["workflow"]]).run()
    assert {(one.rule, one.name) for one in report if one.severity is Severity.ERROR} == KNOWN.get(name, set())
    assert all(one.line for one in report)


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("year", ["2023", "2026"])
def test_every_production_template_is_read_and_says_what_it_lacks(reference: Path, year: str, batch: int) -> None:
    corpus = reference / "corpus" / f"ControlWorkflows-{year}"
    names = sorted(path.stem for path in (corpus / "workflows").glob("*.yaml"))[batch::BATCHES]
    report = Linter(corpus, Inputs(), names).run()
    broken = [one for one in report if one.rule in ("bad-file", "bad-template", "bad-expression", "unknown-function")]
    assert broken == []
    needs_variables = {one.file for one in report if one.rule == "missing-variable"}
    assert needs_variables or not names or year == "2026"


def test_the_silent_traps_of_the_production_templates_are_warned_of(reference: Path) -> None:
    report = Linter(reference / "corpus" / "ControlWorkflows-2026", Inputs()).run()
    dropped = {one.message.split()[0] for one in report if one.rule == "dropped-variable"}
    assert dropped == {"defaults.foc_dpl_workflow", "defaults.ctp_readout_host"}
    assert {"hosts", "modulepath", "infologger_mode"} <= set(report.missing())
    dangling = {one.message.split("'")[1] for one in report if one.rule == "missing-template"}
    assert dangling == {"qc-daq", "minimal-dpl"}
    assert any("mid-qcmn-epn-digits" in one.message for one in report if one.rule == "unknown-choice")
