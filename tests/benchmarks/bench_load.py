"""G16: what loading the main template of production costs with everything on, as it grows with the hosts.

Ratios to reading the same files with PyYAML's C parser alone, interleaved in one run; ``make bench`` prints.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from golden_workflows import load_recorded, make_repository

from server.template.expr import expression
from server.template.model import LoadedRole, LoadedWorkflow
from server.workflow.repos import RepositorySet

HOSTS = (10, 50, 100, 200, 400)
ROUNDS = 7
TEMPLATE = "readout-dataflow"
READ = (TEMPLATE, "tpc-idc-sac-cmv-full-split-proxy-trigger", "stub-jit")
"""The workflow templates that the recorded inputs lead to."""


def inputs(case: Mapping[str, Any], hosts: int) -> dict[str, Any]:
    """Return the recorded inputs with so many hosts, of all its detectors in turn."""
    names = [f"flp{number:03}" for number in range(hosts)]
    detectors = sorted(set(case["host_to_detector"].values()))
    return {
        **case,
        "user_vars": {**case["user_vars"], "hosts": json.dumps(names)},
        "host_to_detector": {name: detectors[at % len(detectors)] for at, name in enumerate(names)},
    }


def count(role: LoadedRole) -> int:
    return 1 + sum(map(count, role.roles))


def spent_ms(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def parse(folder: Path) -> None:
    for name in READ:
        text = (folder / "workflows" / f"{name}.yaml").read_text(encoding="utf-8")
        for _ in yaml.parse(text, Loader=yaml.CSafeLoader):
            pass


def load(case: Mapping[str, Any], hosts: int, repositories: RepositorySet) -> LoadedWorkflow:
    return load_recorded(inputs(case, hosts), TEMPLATE, repositories)


def traced(work: Callable[[], LoadedWorkflow]) -> tuple[LoadedWorkflow, float, float]:
    """Return the result with the megabytes that it holds, and that it took at most."""
    gc.collect()
    tracemalloc.start()
    result = work()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return result, held / 1e6, peak / 1e6


@pytest.mark.timeout(300)
@pytest.mark.reference
def test_loading_as_the_hosts_grow(reference: Path, tmp_path: Path) -> None:
    case = json.loads((reference / "golden" / "trees" / f"{TEMPLATE}-all-on.json").read_text(encoding="utf-8"))
    repositories = make_repository(tmp_path, {}, reference / "corpus" / "ControlWorkflows-2026")
    load(case, 1, repositories)
    known = expression.cache_info().misses
    found: dict[int, list[float]] = {hosts: [] for hosts in HOSTS}
    baseline: list[float] = []
    for _ in range(ROUNDS):
        for hosts in HOSTS:
            baseline.append(spent_ms(lambda: parse(tmp_path)))
            found[hosts].append(spent_ms(lambda hosts=hosts: load(case, hosts, repositories)))  # type: ignore[misc]
    unit = statistics.median(baseline)
    print(f"\nreading the YAML alone: {unit:.1f} ms; times of the processor, medians of {ROUNDS}")
    print("hosts  roles     ms    min   x YAML  ms/host more   MB held   MB at most")
    last = (0, 0.0)
    for hosts in HOSTS:
        workflow, held, peak = traced(lambda hosts=hosts: load(case, hosts, repositories))  # type: ignore[misc]
        median = statistics.median(found[hosts])
        more = (median - last[1]) / (hosts - last[0]) if last[0] else 0.0
        last = (hosts, median)
        print(
            f"{hosts:5} {count(workflow.root):6} {median:6.0f} {min(found[hosts]):6.0f} {median / unit:7.1f}"
            f" {more:13.2f} {held:9.1f} {peak:12.1f}"
        )
    print(
        f"expressions parsed for all these hosts after the first load of one: {expression.cache_info().misses - known}"
    )
