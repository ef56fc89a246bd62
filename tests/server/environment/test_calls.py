"""Calls of workflows: their expressions, the services that they name, and a configuration that does not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from golden_workflows import RecordedServices

from server.config.open import open_services
from server.environment.calls import run_call
from server.environment.instructions import RunCall
from server.environment.stimuli import CallDone
from server.integration.base import CallFailed, CallFunction, EnvironmentPort
from server.integration.testplugin import TestPlugin as Sample
from server.template.vocabulary import vocabulary

STORE = "o2: {components: {qc: {ANY: {any: {probe: payload}}}}, hardware: {detectors: {ITS: {flps: {flp001: {cards: '{}'}}}}}}\n"


class Port:
    """An environment that remembers nothing."""

    environment_id = "2env"

    def set_variable(self, key: str, value: str) -> None: ...

    def append_variable(self, key: str, item: str) -> None: ...


class Service:
    """A service with a function that works and one that does not."""

    id = "plug"
    name = "a plug"
    endpoint = ""
    connection_state = "READY"

    def __init__(self) -> None:
        self.calls = 0

    def data(self) -> str:
        return ""

    def environment_data(self, environment_id: str, *, detailed: bool) -> str | None:
        return None

    def functions(self, port: EnvironmentPort, stack: Mapping[str, str]) -> Mapping[str, CallFunction]:
        async def work() -> str:
            self.calls += 1
            return f"done for {stack['who']}"

        async def fail() -> str:
            raise CallFailed("no such run", hint="none was started")

        return {"Work": work, "Fail": fail}


async def call(func: str, objects: Mapping[str, object], return_var: str = "", timeout: str = "60s") -> CallDone:
    stack = {"who": "x", "path": "qc/ANY/any/probe", "__call_timeout": timeout}
    instruction = RunCall(token="t", role=1, func=func, return_var=return_var, stack=stack)
    return await run_call(instruction, [Service(), Sample()], Port(), objects, default_s=5, margin_s=0.2)


@pytest.fixture
def objects(tmp_path: Path) -> Mapping[str, object]:
    store = tmp_path / "configuration.yaml"
    store.write_text(STORE)
    return vocabulary(open_services(f"file://{store}"), {"plug": {"Standing": lambda: "stands"}})


async def test_a_call_returns_what_its_service_says(objects: Mapping[str, object]) -> None:
    done = await call("plug.Work()", objects, return_var="of_{{ who }}")
    assert (done.output, done.return_name, done.error) == ("done for x", "of_x", "")


async def test_a_call_may_ask_the_configuration(objects: Mapping[str, object]) -> None:
    done = await call(
        "config.Get(path) + ' ' + plug.Work()", objects, return_var="{{ inventory.DetectorForHost('flp001') }}"
    )
    assert (done.output, done.return_name, done.error) == ("payload done for x", "ITS", "")


async def test_what_a_service_offers_everywhere_stays_beside_its_calls(objects: Mapping[str, object]) -> None:
    assert (await call("plug.Standing() + plug.Work()", objects)).output == "standsdone for x"


async def test_configuration_that_is_not_there_is_text_and_no_failure(objects: Mapping[str, object]) -> None:
    done = await call("runtime.Get('trg/ltu', 'nothing')", objects)
    assert done.output.startswith('{"error":"')
    assert done.error == ""


async def test_a_runtime_entry_can_be_written(objects: Mapping[str, object]) -> None:
    assert (await call("runtime.Set('marks', 'who', who)", objects)).output == "x"
    assert (await call("runtime.Get('marks', 'who')", objects)).output == "x"


async def test_a_service_that_fails_says_why(objects: Mapping[str, object]) -> None:
    assert (await call("plug.Fail()", objects)).error == "no such run. REASON: none was started"


async def test_an_expression_that_is_wrong_starts_no_service(objects: Mapping[str, object]) -> None:
    done = await call("plug.Work() + nobody", objects)
    assert "unknown name nobody" in done.error


class Stuck(RecordedServices):
    """A configuration that answers when it is let to."""

    def __init__(self) -> None:
        super().__init__({}, {})
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def runtime_get(self, component: str, key: str) -> str:
        self.asked.set()
        self.let_go.wait(60)
        return "at last"


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    services = Stuck()
    yield services
    services.let_go.set()


async def test_the_loop_goes_on_while_the_configuration_thinks(stuck: Stuck) -> None:
    running = asyncio.create_task(call("runtime.Get('a', 'b')", vocabulary(stuck)))
    await asyncio.to_thread(stuck.asked.wait, 60)
    assert not running.done()
    stuck.let_go.set()
    assert (await running).output == "at last"


async def test_a_configuration_that_does_not_answer_fails_the_call_at_its_deadline(stuck: Stuck) -> None:
    done = await call("runtime.Get('a', 'b')", vocabulary(stuck), timeout="100ms")
    assert "did not return within 0.3 s" in done.error
