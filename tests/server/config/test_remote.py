"""A configuration service elsewhere gives a core what the store behind it would give, and says when it is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from configuration_service import Served

from occ.errors import AliecsError, ConfigError, DeadlineError, LinkError
from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc
from server.config.address import parse_address
from server.config.open import open_configuration, open_services, open_store, read_payload
from server.config.remote import RemoteConfiguration
from server.config.remote_services import RemoteServices
from server.config.services import StoreServices
from server.config.store import Store
from server.config.stored import StoreConfiguration
from server.template.services import Services


async def outcome(question: Callable[[], Any]) -> object:
    """Return the answer, or whether the error is a ConfigError, and its text; asynchronous answers are waited for."""
    try:
        found = question()
        return await found if asyncio.iscoroutine(found) else found
    except AliecsError as error:
        return isinstance(error, ConfigError), error.message


async def test_a_core_gets_from_a_service_what_it_gets_from_the_store(served: Served, filled: Store) -> None:
    filled.put("o2/hardware/flps/flp1/aliecs/address", "10.0.0.1")
    filled.put("o2/hardware/flps/flp1/aliecs/attributes/rack", "r7")
    near = StoreConfiguration(filled, deadline_s=60, framework_id="local-2")
    far = await open_configuration(f"apricot://{served.endpoint}", deadline_s=60, framework_id="local-2")
    assert isinstance(far, RemoteConfiguration) and far.endpoint == f"apricot://{served.endpoint}"
    for question in (
        lambda one: one.defaults(),
        lambda one: one.vars(),
        lambda one: one.detectors(),
        lambda one: one.detectors(every=True),
        lambda one: one.detectors_for_hosts([]),
        lambda one: one.detectors_for_hosts(["flp3", "flp1", "flp2"]),
        lambda one: one.detectors_for_hosts(["nope"]),
        lambda one: one.runtime_get("trg", "ltu/file"),
        lambda one: one.runtime_get("trg", "none"),
        lambda one: one.runtime_get("nobody", "none"),
    ):
        assert await outcome(lambda: question(far)) == await outcome(lambda: question(near))  # noqa: B023
    by_name = {entry.name: entry for entry in await far.hosts()}
    assert by_name == {entry.name: entry for entry in await near.hosts()}
    assert (by_name["flp1"].address, by_name["flp1"].attributes["rack"]) == ("10.0.0.1", "r7")
    assert [await far.new_run_number(), await near.new_run_number(), await far.new_run_number()] == [1, 2, 3]
    await far.runtime_put("aliecs", "default_repo", "/here")
    assert await near.runtime_get("aliecs", "default_repo") == "/here"
    await far.close()


async def test_a_template_gets_from_a_service_what_it_gets_from_the_store(served: Served, filled: Store) -> None:
    near = StoreServices(filled, framework_id="local-2")
    far = open_services(f"apricot://{served.endpoint}", framework_id="local-2")
    assert isinstance(far, RemoteServices)
    questions: tuple[Callable[[Services], object], ...] = (
        lambda one: one.get_component("qc/ANY/any/greeting", {"who": "you", "what": "me"}),
        lambda one: one.get_component("qc/ANY/any/none", {}),
        lambda one: one.get_component_raw("qc/ANY/any/greeting"),
        lambda one: one.get_component_raw("qc/ANY/any/none"),
        lambda one: one.resolve("qc", "PHYSICS", "flp1", "base"),
        lambda one: one.resolve("qc", "NONE", "flp7", "sub/deep"),
        lambda one: one.resolve("qc", "PHYSICS", "flp1", "none"),
        lambda one: one.detector_for_host("flp1"),
        lambda one: one.detector_for_host("nope"),
        lambda one: one.detectors_for_hosts(["flp1", "flp2"]),
        lambda one: one.cru_cards_for_host("flp1"),
        lambda one: one.cru_cards_for_host("flp8"),
        lambda one: one.endpoints_for_cru_card("flp1", "0228"),
        lambda one: one.endpoints_for_cru_card("flp1", "9999"),
        lambda one: one.runtime_get("trg", "key"),
        lambda one: one.runtime_get("trg", "none"),
        lambda one: one.defaults(),
        lambda one: one.vars(),
    )
    for question in questions:
        there = await asyncio.to_thread(asked, question, far)
        assert there == await asyncio.to_thread(asked, question, near)
    await asyncio.to_thread(far.runtime_set, "trg", "new", "v")
    assert filled.get("o2/runtime/trg/new") == "v"
    far.close()


def asked(question: Callable[[Services], object], services: Services) -> object:
    try:
        return question(services)
    except AliecsError as error:
        return isinstance(error, ConfigError), error.message


async def test_a_host_that_is_new_has_its_detector_at_once(served: Served, filled: Store) -> None:
    far = RemoteServices(served.endpoint, deadline_s=60)
    assert await asyncio.to_thread(far.detector_for_host, "flp1") == "TPC"
    filled.put("o2/hardware/detectors/TPC/flps/flp77/cards", "{}")
    assert await asyncio.to_thread(far.detector_for_host, "flp77") == "TPC"
    far.close()


async def test_the_settings_of_a_core_are_read_from_a_service(served: Served) -> None:
    uri = f"apricot://{served.endpoint}"
    assert await asyncio.to_thread(read_payload, uri, "aliecs/ANY/any/settings") == "killTimeout: 7s\n"
    assert await asyncio.to_thread(read_payload, uri, "aliecs/ANY/any/other") is None
    assert await asyncio.to_thread(read_payload, uri, "nobody/ANY/any/settings") is None


async def test_a_hint_of_the_service_reaches_its_user(served: Served) -> None:
    far = await open_configuration(f"apricot://{served.endpoint}", deadline_s=60)
    with pytest.raises(ConfigError) as caught:
        await far.detectors_for_hosts(["nope"])
    assert "hosts of detectors: " in caught.value.hint
    await far.close()


def test_an_address_of_a_service_has_a_port_and_is_no_store() -> None:
    assert parse_address("apricot://somewhere").uri == "apricot://somewhere:32101"
    assert parse_address("apricot://somewhere:1/").uri == "apricot://somewhere:1"
    for bad in ("apricot://", "apricot://a:b", "apricot://a:1/o2/components"):
        with pytest.raises(ConfigError, match="not supported"):
            parse_address(bad)
    with pytest.raises(ConfigError, match="is a configuration service, not a store"):
        open_store("apricot://somewhere:1")


async def test_a_service_that_is_not_there_is_told_at_once_by_its_address() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(LinkError, match=f"apricot://{endpoint} cannot be reached.*does the configuration service"):
            await open_configuration(f"apricot://{endpoint}", deadline_s=60)
        services = RemoteServices(endpoint, deadline_s=60)
        with pytest.raises(LinkError, match="cannot be reached"):
            await asyncio.to_thread(services.vars)
        services.close()


async def test_a_service_that_hangs_is_a_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes the connection, says nothing
        remote = RemoteConfiguration(f"127.0.0.1:{silent.getsockname()[1]}", deadline_s=0.3)
        with pytest.raises((DeadlineError, LinkError), match="apricot://"):
            await remote.vars()
        await remote.close()


class Plain(apricot_pb2_grpc.ApricotServicer):
    """Answers as AliECS's service does where that differs: errors without details, a detector without a name."""

    async def ListDetectors(self, request: pb.DetectorsRequest, context: Any) -> pb.DetectorsResponse:
        return pb.DetectorsResponse(detectors=["", "ITS"])

    async def GetCRUCardsForHost(self, request: pb.HostRequest, context: Any) -> pb.CRUCardsResponse:
        return pb.CRUCardsResponse(cards='["2","1","2"]')

    async def GetEndpointsForCRUCard(self, request: pb.CardRequest, context: Any) -> pb.CRUCardEndpointResponse:
        return pb.CRUCardEndpointResponse(endpoints="10 1 0")

    async def GetRuntimeEntry(self, request: pb.GetRuntimeEntryRequest, context: Any) -> pb.ComponentResponse:
        await context.abort(grpc.StatusCode.UNKNOWN, "nil response for key")
        raise AssertionError

    async def ListRuntimeEntries(self, request: pb.ListRuntimeEntriesRequest, context: Any) -> Any:
        if request.component == "trg":
            return pb.ComponentEntriesResponse(payload=["there"])
        await context.abort(grpc.StatusCode.UNKNOWN, "runtime KV not supported with file backend")

    async def NewRunNumber(self, request: pb.Empty, context: Any) -> pb.RunNumberResponse:
        await context.abort(grpc.StatusCode.INTERNAL, "configuration backend unavailable")
        raise AssertionError


@asynccontextmanager
async def plain() -> AsyncIterator[str]:
    server = grpc.aio.server()
    apricot_pb2_grpc.add_ApricotServicer_to_server(Plain(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def test_a_service_of_aliecs_is_understood_where_it_differs_from_ours() -> None:
    async with plain() as endpoint:
        remote = RemoteConfiguration(endpoint, deadline_s=60)
        assert await remote.detectors() == ["ITS"]
        assert await remote.runtime_get("trg", "gone") is None
        with pytest.raises(ConfigError, match="nil response for key"):
            await remote.runtime_get("trg", "there")
        with pytest.raises(ConfigError, match="not supported with file backend"):
            await remote.runtime_get("aliecs", "default_repo")
        with pytest.raises(LinkError, match="configuration backend unavailable"):
            await remote.new_run_number()
        with pytest.raises(ConfigError, match="UNIMPLEMENTED"):
            await remote.vars()
        await remote.close()
        services = RemoteServices(endpoint, deadline_s=60)
        assert await asyncio.to_thread(services.cru_cards_for_host, "h") == ["1", "2"]
        assert await asyncio.to_thread(services.endpoints_for_cru_card, "h", "1") == ["0", "1", "10"]
        services.close()
