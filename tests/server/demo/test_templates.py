"""The shipped templates by themselves: names, references, what clients are shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.config.file import FileStore
from server.config.services import StoreServices
from server.demo.facility import SHIPPED, prepare
from server.template.services import Services

WORKFLOWS = sorted((SHIPPED / "workflows").glob("*.yaml"))
TASKS = sorted((SHIPPED / "tasks").glob("*.yaml"))


class Loader(yaml.SafeLoader):
    """Reads ``!public`` as if it were not there."""


def _public(loader: Loader, node: yaml.Node) -> Any:
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else node.value


Loader.add_constructor("!public", _public)


def read(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), Loader=Loader)  # type: ignore[no-any-return]


def roles(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield role
    for child in role.get("roles", []):
        yield from roles(child)


EVERY_ROLE = [role for path in WORKFLOWS for role in roles(read(path))]


@pytest.mark.parametrize("path", [*WORKFLOWS, *TASKS], ids=lambda path: path.stem)
def test_a_template_has_the_name_of_its_file(path: Path) -> None:
    assert read(path)["name"] == path.stem


def test_what_is_loaded_and_included_is_shipped_and_nothing_else_is() -> None:
    assert {role["task"]["load"] for role in EVERY_ROLE if "task" in role} == {path.stem for path in TASKS}
    included = {role["include"] for role in EVERY_ROLE if "include" in role}
    assert included | {"readout-demo"} == {path.stem for path in WORKFLOWS}


def test_every_target_names_a_channel_that_a_task_of_that_name_binds() -> None:
    bound = {f"{role['name']}:{channel['name']}": channel for role in EVERY_ROLE for channel in role.get("bind", [])}
    pairs = {"pull": "push", "sub": "pub"}
    connected = [channel for role in EVERY_ROLE for channel in role.get("connect", [])]
    assert len(connected) == 3
    for channel in connected:
        target = channel["target"].rpartition("}}")[2].removeprefix(".")
        other = bound[target if not target.startswith(":") else f"stfbuilder{target}"]
        assert other["type"] == pairs[channel["type"]]


def test_the_main_workflow_offers_variables_with_panels_widgets_and_conditions() -> None:
    main = read(SHIPPED / "workflows" / "readout-demo.yaml")
    offered = {name: spec for name, spec in main["defaults"].items() if isinstance(spec, dict)}
    for name, spec in offered.items():
        assert {"value", "type", "label", "description", "widget", "panel", "index"} <= set(spec), name
        assert isinstance(spec["value"], str)
        assert "values" not in spec or spec["value"] in spec["values"], name
        assert "visibleif" not in spec or spec["visibleif"].split()[0].removeprefix("$$") in offered, name
    places = [(spec["panel"], spec["index"]) for spec in offered.values()]
    assert len(set(places)) == len(places)
    assert len({spec["panel"] for spec in offered.values()}) >= 3
    assert {spec["widget"] for spec in offered.values()} == {
        "editBox", "slider", "listBox", "dropDownBox", "comboBox", "radioButtonBox", "checkBox",
    }  # fmt: skip
    assert main["defaults"]["hosts"]["value"] == '["flp001","flp002","flp003","flp004"]'


def test_hooks_of_quality_and_observation_cannot_fail_a_run() -> None:
    critical = {
        role["name"]
        for role in EVERY_ROLE
        for kind in ("task", "call")
        if role.get(kind, {}).get("critical", kind in role)
    }
    assert critical == {"readout", "stfbuilder", "stfsender", "begin"}


def test_the_loader_gets_what_it_needs_from_the_file_store(tmp_path: Path) -> None:
    services: Services = StoreServices(FileStore(prepare(tmp_path).configuration))
    assert services.detectors_for_hosts(["flp004", "flp001"]) == ["ITS", "TST"]
