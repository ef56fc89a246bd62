"""The examples of docs/expressions.md give what is printed there, and no function is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from workflow_repository import Repository, paths

from server.config.file import FileStore
from server.config.services import StoreServices
from server.template.access import service_objects
from server.template.builtins import FUNCTIONS
from server.template.errors import ExpressionError
from server.template.functions import UTILITIES
from server.template.render import render
from server.template.syntax import PREDICATES
from server.workflow.jit import DplCommand

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "expressions.md").read_text()
ROW = re.compile(r"^\| `(.+?)` \| (?:(refused: )?`(.*?)`|nothing) \| ", re.MULTILINE)
EXAMPLES = [
    (expression.replace("\\|", "|"), bool(refused), result.replace("\\|", "|"))
    for expression, refused, result in ROW.findall(PAGE)
]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, object]:
    file = tmp_path_factory.mktemp("configuration") / "configuration.yaml"
    file.write_text(_blocks("yaml")[0])
    return service_objects(StoreServices(FileStore(file)))


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.usefixtures("clock_shows_utc")
def test_every_example_gives_what_the_page_says(objects: Mapping[str, object]) -> None:
    variables = json.loads(_blocks("json")[0])
    assert len(EXAMPLES) == PAGE.count("\n| `") > 100
    for expression, refused, result in EXAMPLES:
        try:
            given = render(f"{{{{ {expression} }}}}", variables, objects)
        except ExpressionError as error:
            assert refused and result in error.message, f"{expression}: {error}"
        else:
            assert (given, refused) == (result, False), expression


def test_no_function_is_left_out(objects: Mapping[str, object]) -> None:
    tried = " ".join(expression for expression, _, _ in EXAMPLES)
    spaces = {name: found for name, found in {**UTILITIES, **objects}.items() if isinstance(found, dict)}
    dotted = [f"{space}.{name}(" for space, names in spaces.items() for name in names]
    assert [name for name in dotted if name not in tried] == []
    assert [name for name in (*FUNCTIONS, *PREDICATES) if not re.search(rf"\b{name}\(", tried)] == []
    flat = [
        name for name in {**UTILITIES, **objects} if name not in spaces and not any(f".{name}(" in d for d in dotted)
    ]
    assert [name for name in (*flat, "ToPtree") if f"`{name}" not in PAGE] == []


def test_the_example_of_roles_loads_as_the_page_says(tmp_path: Path) -> None:
    asked: list[DplCommand] = []

    def generate(command: DplCommand) -> str:
        asked.append(command)
        return "part"

    repository = Repository(tmp_path)
    (repository.folder / "jit" / "its").write_text("o2-its {{ its }}")
    repository.workflow("name: part\nroles: [{name: t, task: {load: x}}]", "part")
    repository.workflow(_blocks("yaml")[1], "flow")
    workflow = repository.load(expression="flow", generate=generate)
    assert paths(workflow.root)[1:] == [
        "flow.a", "flow.a.b-a-flow", *(f"flow.a.{name}" for name in ("c", "c.t", "d", "d.t", "e", "e.t")),
    ]  # fmt: skip
    assert "`flow.a.b-a-flow`" in PAGE
    role = workflow.root.roles[0].roles[0]
    assert (role.vars["me"], role.bind[0].alias) == ("flow.a.x", "b-a-flow-out")
    assert [(one.name, one.text) for one in asked] == [("", "o2-a | o2-b"), ("its", "o2-its o2-a | o2-b")]
