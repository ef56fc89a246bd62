"""The stand-ins that the recorded workflows were made with, and a loaded tree shown as they are. Compared: tree_diff.py."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from occ.errors import AliecsError
from server.template.model import Constraint, Inbound, LoadedRole, LoadedWorkflow, Outbound
from server.template.scope import Function
from server.workflow.load import load_workflow
from server.workflow.repos import RepositorySet

REFERENCE = Path(os.environ.get("ALIECS_REFERENCE") or Path(__file__).resolve().parents[3] / "shared")
REPO = "github.com/AliceO2Group/ControlWorkflows"
STUB = "name: stub-jit\nroles:\n  - name: stub\n    task: {load: stubtask}\n"


def reference_folder() -> Path | None:
    """Return the folder with ``golden/`` and ``corpus/`` while tests are collected; None where there is none."""
    return REFERENCE if (REFERENCE / "golden").is_dir() else None


class RecordedServices:
    """Configuration and inventory as they answered while the trees were recorded (golden/README.md)."""

    def __init__(self, detectors: Mapping[str, str], cards: Mapping[str, Sequence[str]]) -> None:
        self._detectors = detectors
        self._cards = cards

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        return f"PROC:{path}"

    def get_component_raw(self, path: str) -> str:
        return f"PAYLOAD:{path}"

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        return f"{component}/ANY/any/{entry}"

    def detector_for_host(self, host: str) -> str:
        if host not in self._detectors:
            raise AliecsError(f"detector not found for host {host}")
        return self._detectors[host]

    def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        return [self.detector_for_host(host) for host in hosts]

    def cru_cards_for_host(self, host: str) -> list[str]:
        if host not in self._cards:
            raise AliecsError(f"no cards for host {host}")
        return list(self._cards[host])

    def endpoints_for_cru_card(self, host: str, serial: str) -> list[str]:
        return ["0", "1"]

    def runtime_get(self, component: str, key: str) -> str:
        raise AliecsError(f"nil response for key o2/runtime/{component}/{key}")

    def runtime_set(self, component: str, key: str, value: str) -> None:
        raise AliecsError("read only")

    def defaults(self) -> dict[str, str]:
        return {}

    def vars(self) -> dict[str, str]:
        return {}


OBJECTS = {
    "odc": {
        "GenerateEPNTopologyFullname": Function((), lambda: ""),
        "GenerateEPNWorkflowScript": Function((), lambda: "SCRIPT"),
    }
}


def make_repository(folder: Path, workflows: Mapping[str, str], corpus: Path | None = None) -> RepositorySet:
    """Make a repository of these workflow files, and of those of a corpus."""
    if corpus:
        for kind in ("workflows", "tasks", "jit"):
            if (corpus / kind).is_dir():
                shutil.copytree(corpus / kind, folder / kind, dirs_exist_ok=True)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    for name, text in {"stub-jit": STUB, **workflows}.items():
        (folder / "workflows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return RepositorySet(hashes={REPO: "HASH"}, default=REPO, folders={REPO: str(folder)})


def load_recorded(case: Mapping[str, Any], name: str, repositories: RepositorySet) -> LoadedWorkflow:
    """Load the workflow of a recorded case, with its inputs."""
    return load_workflow(
        name,
        user_vars={"environment_id": "ENVID", **case["user_vars"]},
        defaults=case["consul_defaults"],
        vars=case["consul_vars"],
        repositories=repositories,
        services=RecordedServices(case.get("host_to_detector") or {}, case.get("cru_cards") or {}),
        generate=lambda command: "stub-jit",
        objects=OBJECTS,
        with_classes=False,
    )


def without_iterators(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded tree as ``shown_tree`` gives one: the roles of an iterator stand in its place."""
    return _unfolded(tree)[0]


def _unfolded(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    roles = [one for child in node.get("roles") or [] for one in _unfolded(child)]
    if node["kind"] == "iterator":
        return roles
    kept = {key: value for key, value in node.items() if key != "roles"}
    kept["kind"] = "aggregator" if node["kind"] == "include" else node["kind"]
    return [{"traits": "", "include": "", **kept, "roles": roles}]


def loads_of(role: LoadedRole) -> set[str]:
    """Return the task classes of a tree."""
    return ({role.load} if role.load else set[str]()).union(*(loads_of(child) for child in role.roles))


def shown_tree(workflow: LoadedWorkflow, recorded: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """Return a loaded tree as the recordings show it; ``stack`` where the recording has one."""
    environment = (case["consul_defaults"], case["consul_vars"], case["user_vars"])
    return _shown(workflow.root, "", (), (), (), environment, recorded)


def _shown(
    role: LoadedRole, above: str, constraints: Sequence[Constraint], bind: Sequence[Inbound], connect: Sequence[Outbound],
    layers: tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]], recorded: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    path = f"{above}.{role.name}" if above else role.name
    merged = {one.attribute: one for one in (*constraints, *role.constraints)}
    inbound = _by_name(role.bind, bind)
    outbound = _by_name(role.connect, connect)
    defaults = {**({} if role.cuts_defaults else layers[0]), **role.defaults}
    variables = {**({} if role.cuts_vars else layers[1]), **role.vars}
    children = recorded.get("roles", [])
    shown = {
        "kind": role.kind.value,
        "name": role.name,
        "path": path,
        "enabled": role.enabled,
        "defaults": {key: value for key, value in role.defaults.items() if key not in role.include_defaults},
        "vars": {key: value for key, value in role.vars.items() if key not in role.include_vars},
        "constraints": [f"{one.attribute}={one.value}" for one in merged.values()],
        "bind": [
            f"{{Channel:{_channel(one)} Global:{one.alias} Addressing:{one.addressing}}}" for one in inbound
        ],
        "connect": [_channel(one) for one in outbound],
        "traits": _traits(role),
        "include": role.include,
        "roles": [
            _shown(
                child, path, tuple(merged.values()), inbound, outbound, (defaults, variables, layers[2]),
                children[index] if index < len(children) else {},
            )
            for index, child in enumerate(role.roles)
        ],
    }  # fmt: skip
    if role.load:
        shown["load"] = role.load
    if "func" in recorded:
        shown |= {"func": role.func, "return": role.return_var}
    if "stack" in recorded:
        stack = {**defaults, **variables, **layers[2]}
        shown["stack"] = {key: value for key, value in stack.items() if key in recorded["stack"]}
    return shown


def _by_name(own: Sequence[Any], above: Sequence[Any]) -> tuple[Any, ...]:
    names = {one.name for one in own}
    return (*own, *(one for one in above if one.name not in names))


def _channel(one: Inbound | Outbound) -> str:
    return (
        f"{{Name:{one.name} Type:{one.type} SndBufSize:{one.snd_buf_size} RcvBufSize:{one.rcv_buf_size} "
        f"RateLogging:{one.rate_logging} Transport:{one.transport} Target:{one.target}}}"
    )


def _traits(role: LoadedRole) -> str:
    if role.traits is None:
        return ""
    traits = role.traits
    critical = "true" if traits.critical else "false"
    return f"{{Trigger:{traits.trigger} Await:{traits.await_} Timeout:{traits.timeout} Critical:{critical}}}"


def without_ids(value: Any, recorded: Any) -> Any:
    """Return the value with its generated ids written ``<UID>`` wherever the recording has that."""
    if isinstance(value, dict) and isinstance(recorded, dict):
        return {key: without_ids(one, recorded.get(key)) for key, one in value.items()}
    if isinstance(value, list) and isinstance(recorded, list) and len(value) == len(recorded):
        return [without_ids(one, other) for one, other in zip(value, recorded, strict=True)]
    if isinstance(value, str) and isinstance(recorded, str) and "<UID>" in recorded:
        pattern = re.escape(recorded).replace("<UID>", "[1-9A-HJ-NP-Za-km-z]{9,12}")
        return recorded if re.fullmatch(pattern, value) else value
    return value
