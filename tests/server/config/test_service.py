"""apricot.Apricot, rpc by rpc, over a real port: what it answers, and with which status it refuses."""

from __future__ import annotations

import asyncio
import json

import grpc
from configuration_service import Served, path, query, refused

from server.api import apricot_pb2 as pb
from server.config.store import Store
from server.template.queries import RUN_TYPES

Code = grpc.StatusCode


# ---- environments --------------------------------------------------------------------------------


async def test_run_numbers_begin_with_one_and_are_never_given_twice(served: Served, filled: Store) -> None:
    assert [(await served.stub.NewRunNumber(pb.Empty())).runNumber for _ in range(3)] == [1, 2, 3]
    assert filled.get("o2/runtime/run_number") == "3"


async def test_a_counter_that_is_no_number_is_an_error_with_its_key(served: Served, filled: Store) -> None:
    filled.put("o2/runtime/run_number", "many")
    await refused(served.stub.NewRunNumber(pb.Empty()), Code.UNKNOWN, "o2/runtime/run_number: 'many'", "decimal")


async def test_defaults_are_flat_and_trimmed_with_the_computed_ones_over_them(served: Served) -> None:
    defaults = (await served.stub.GetDefaults(pb.Empty())).stringMap
    assert defaults["a"] == "blank" and defaults["number"] == "1.50"
    assert defaults["framework_id"] == "local-1" and defaults["core_hostname"] not in ("", "x")
    assert "consul_endpoint" in defaults and not any("folder" in key for key in defaults)


async def test_vars_are_flat_and_trimmed(served: Served) -> None:
    assert dict((await served.stub.GetVars(pb.Empty())).stringMap) == {"v": "1", "blank": "v"}


async def test_a_subtree_is_a_document_indented_by_tabs_with_sorted_keys(served: Served) -> None:
    reply = await served.stub.RawGetRecursive(pb.RawGetRecursiveRequest(rawPath="o2/runtime/trg/"))
    assert reply.payload == (
        '{\n\t"key": "value",\n\t"ltu": {\n\t\t"file": "content",\n\t\t"other": "more"\n\t}\n}'
    )  # fmt: skip
    text = await served.stub.RawGetRecursive(pb.RawGetRecursiveRequest(rawPath="o2/components/qc/ANY/any/plain"))
    assert text.payload == r'"{\"a\": \"\u003c1\u003e\"}"'
    nothing = await served.stub.RawGetRecursive(pb.RawGetRecursiveRequest(rawPath="o2/none"))
    assert nothing.payload == "{}"
    whole = await served.stub.RawGetRecursive(pb.RawGetRecursiveRequest())
    assert sorted(json.loads(whole.payload)["o2"]) == ["components", "hardware", "runtime"]


# ---- inventory -----------------------------------------------------------------------------------


async def test_trg_is_listed_only_if_all_detectors_are_asked_for(served: Served) -> None:
    some = await served.stub.ListDetectors(pb.DetectorsRequest())
    every = await served.stub.ListDetectors(pb.DetectorsRequest(getAll=True))
    assert set(every.detectors) - set(some.detectors) == {"TRG"}
    assert {"ITS", "TPC"} <= set(some.detectors)


async def test_hosts_are_those_of_a_detector_or_all_readout_hosts(served: Served) -> None:
    async def hosts(detector: str) -> list[str]:
        return list((await served.stub.GetHostInventory(pb.HostGetRequest(detector=detector))).hosts)

    assert sorted(await hosts("ITS")) == ["flp2", "flp3"]
    assert sorted(await hosts("")) == ["flp1", "flp2", "flp3", "flp7"]
    assert await hosts("EMC") == []


async def test_the_inventory_has_every_detector(served: Served) -> None:
    found = (await served.stub.GetDetectorsInventory(pb.Empty())).detectorEntries
    assert sorted(found["ITS"].flps) == ["flp2", "flp3"]
    assert list(found["TRG"].flps) == ["flp9"]


async def test_the_detector_of_a_host_is_found_or_the_host_named(served: Served) -> None:
    assert (await served.stub.GetDetectorForHost(pb.HostRequest(hostname="flp9"))).payload == "TRG"
    call = served.stub.GetDetectorForHost(pb.HostRequest(hostname="FLP9"))
    await refused(call, Code.UNKNOWN, "detector not found for host FLP9", "flp9")


async def test_detectors_of_hosts_are_unique_and_sorted_and_all_must_be_known(served: Served) -> None:
    found = await served.stub.GetDetectorsForHosts(pb.HostsRequest(hosts=["flp1", "flp3", "flp2"]))
    assert list(found.detectors) == ["ITS", "TPC"]
    call = served.stub.GetDetectorsForHosts(pb.HostsRequest(hosts=["flp1", "nope"]))
    await refused(call, Code.UNKNOWN, "detector not found for host nope")


async def test_cards_are_a_json_list_and_endpoints_are_separated_by_blanks(served: Served) -> None:
    assert (await served.stub.GetCRUCardsForHost(pb.HostRequest(hostname="flp1"))).cards == '["0101","0228"]'
    asked = pb.CardRequest(hostname="flp1", cardSerial="0228")
    assert (await served.stub.GetEndpointsForCRUCard(asked)).endpoints == "0 1"
    unknown = pb.CardRequest(hostname="flp1", cardSerial="9999")
    assert (await served.stub.GetEndpointsForCRUCard(unknown)).endpoints == ""
    await refused(served.stub.GetCRUCardsForHost(pb.HostRequest(hostname="flp8")), Code.UNKNOWN, "no cards at")
    await refused(served.stub.GetCRUCardsForHost(pb.HostRequest(hostname="flp7")), Code.UNKNOWN, "is not JSON")


async def test_links_are_the_sections_with_a_number_and_a_text_that_says_whether_they_are_enabled(
    served: Served,
) -> None:
    async def links(*, serial: str = "0228", endpoint: str = "0", only: bool = False) -> list[str]:
        asked = pb.LinkIDsRequest(hostname="flp1", cardSerial=serial, endpoint=endpoint, onlyEnabled=only)
        return list((await served.stub.GetLinkIDsForCRUEndpoint(asked)).linkIDs)

    assert await links() == ["1", "2", "10"]
    assert await links(only=True) == ["1", "10"]
    assert await links(endpoint="1") == ["0"]
    await refused(links(endpoint="7"), Code.UNKNOWN, "no configuration of a card at o2/components/readoutcard/flp1")
    await refused(links(serial="0101"), Code.UNKNOWN, "expected a JSON object")


async def test_aliased_links_are_sorted_by_their_names_and_a_missing_one_is_an_error(
    served: Served, filled: Store
) -> None:
    async def aliases(detector: str, *, only: bool = False) -> list[str]:
        asked = pb.AliasedLinkIDsRequest(detector=detector, onlyEnabled=only)
        return list((await served.stub.GetAliasedLinkIDsForDetector(asked)).aliasedLinkIDs)

    assert await aliases("ITS") == ["its-a", "its-b"]
    assert await aliases("ITS", only=True) == ["its-b"]
    assert await aliases("EMC") == []
    filled.put("o2/hardware/detectors/ITS/flps/flp2/aliases", '{"cards": {"0300:0": {"links": {"0": {"alias": "x"}}}}}')
    await refused(aliases("ITS"), Code.UNKNOWN, "no alias of link 1 of card 0300:0 in o2/hardware/detectors/ITS")
    assert await aliases("ITS", only=True) == ["x"]
    await refused(aliases("TPC"), Code.UNKNOWN, "0101")


# ---- runtime entries -----------------------------------------------------------------------------


async def test_runtime_entries_are_set_got_and_listed(served: Served) -> None:
    await served.stub.SetRuntimeEntry(pb.SetRuntimeEntryRequest(component="trg", key="ctp/new", value="v"))
    got = await served.stub.GetRuntimeEntry(pb.GetRuntimeEntryRequest(component="trg", key="ctp/new"))
    assert got.payload == "v"
    listed = await served.stub.ListRuntimeEntries(pb.ListRuntimeEntriesRequest(component="trg"))
    assert list(listed.payload) == ["ctp/new", "key", "ltu/file", "ltu/other"]
    every = await served.stub.GetRuntimeEntries(pb.GetRuntimeEntriesRequest(component="trg"))
    assert dict(every.stringMap) == {
        "ctp/new": "v", "key": "value", "ltu/file": "content", "ltu/other": "more"
    }  # fmt: skip
    nothing = await served.stub.ListRuntimeEntries(pb.ListRuntimeEntriesRequest(component="nobody"))
    assert list(nothing.payload) == []


async def test_a_runtime_entry_that_is_not_there_is_an_error_and_one_without_a_name_a_bad_request(
    served: Served,
) -> None:
    stub = served.stub
    missing = stub.GetRuntimeEntry(pb.GetRuntimeEntryRequest(component="trg", key="none"))
    await refused(missing, Code.UNKNOWN, "no value at o2/runtime/trg/none")
    for call in (
        stub.GetRuntimeEntry(pb.GetRuntimeEntryRequest(component="trg")),
        stub.SetRuntimeEntry(pb.SetRuntimeEntryRequest(key="k", value="v")),
        stub.GetRuntimeEntries(pb.GetRuntimeEntriesRequest()),
        stub.ListRuntimeEntries(pb.ListRuntimeEntriesRequest(component="/")),
    ):
        await refused(call, Code.INVALID_ARGUMENT, "bad request received", "needed")


# ---- components ----------------------------------------------------------------------------------


async def test_components_are_folders_and_sorted(served: Served, filled: Store) -> None:
    filled.put("o2/components/a_text", "x")
    assert list((await served.stub.ListComponents(pb.Empty())).payload) == ["aliecs", "qc", "readoutcard"]


async def test_entries_of_a_component_are_all_of_it_whatever_run_type_and_role_are_asked_for(served: Served) -> None:
    stub = served.stub
    by_path = await stub.ListComponentEntries(pb.ListComponentEntriesRequest(path="qc/PHYSICS/any"))
    assert list(by_path.payload) == [
        "ANY/any/base", "ANY/any/greeting", "ANY/any/plain", "ANY/any/sub/deep", "ANY/flp1/base", "PHYSICS/any/base",
        "PHYSICS/any/only", "PHYSICS/flp1/own", "PHYSICS/flp10/own", "TECHNICAL/any/base",
    ]  # fmt: skip
    asked = pb.ComponentEntriesQuery(component="qc", runType="COSMICS", machineRole="x")  # type: ignore[arg-type]
    by_query = await stub.ListComponentEntries(pb.ListComponentEntriesRequest(query=asked))
    assert by_query.payload == by_path.payload
    unknown = pb.ListComponentEntriesRequest(path="nobody/ANY/any")
    await refused(stub.ListComponentEntries(unknown), Code.UNKNOWN, "no keys found for component nobody", "qc")


async def test_an_entries_query_of_another_form_is_a_bad_request(served: Served) -> None:
    for text in ("", "qc", "qc/ANY", "qc/any/any", "qc/NOSUCH/any", "qc/ANY/any/x", "q.c/ANY/any"):
        call = served.stub.ListComponentEntries(pb.ListComponentEntriesRequest(path=text))
        await refused(call, Code.INVALID_ARGUMENT, "bad request received", "component/RUNTYPE/role")
    call = served.stub.ListComponentEntries(pb.ListComponentEntriesRequest())
    await refused(call, Code.INVALID_ARGUMENT, "bad request received", "no component")


async def test_a_payload_is_had_by_path_or_query_exactly_where_it_is(served: Served) -> None:
    stub = served.stub
    assert (await stub.GetComponentConfiguration(path(" qc/ANY/any/sub/deep "))).payload == "d"
    by_query = pb.ComponentRequest(query=query("qc", "ANY", "any", "greeting"))
    assert (await stub.GetComponentConfiguration(by_query)).payload == "{{ who }} & {{ what }}"
    call = stub.GetComponentConfiguration(path("qc/COSMICS/any/base"))
    await refused(call, Code.UNKNOWN, "no payload at configuration path o2/components/qc/COSMICS/any/base")
    folder = stub.GetComponentConfiguration(path("qc/ANY/any/sub"))
    await refused(folder, Code.UNKNOWN, "no payload at configuration path")


async def test_a_payload_is_processed_with_the_variables_that_come_with_it(served: Served) -> None:
    asked = path("qc/ANY/any/greeting", process=True, who="you", what="me")
    assert (await served.stub.GetComponentConfiguration(asked)).payload == "you & me"
    by_query = pb.ComponentRequest(query=query("qc", "ANY", "any", "base"), processTemplate=True)
    assert (await served.stub.GetComponentConfiguration(by_query)).payload == "any any"
    missing = served.stub.GetComponentConfiguration(path("qc/ANY/any/none", process=True))
    await refused(missing, Code.UNKNOWN, "no payload at configuration path o2/components/qc/ANY/any/none")


async def test_a_template_that_is_wrong_is_an_error_with_its_place(served: Served, filled: Store) -> None:
    filled.put("o2/components/qc/ANY/any/wrong", "a\n{{ b")
    call = served.stub.GetComponentConfiguration(path("qc/ANY/any/wrong", process=True))
    await refused(call, Code.UNKNOWN, "qc/ANY/any/wrong:2")


async def test_a_template_that_changes_is_seen_also_in_what_includes_it(served: Served, filled: Store) -> None:
    filled.put("o2/components/qc/ANY/any/outer", "<{% include 'inner' %}>")
    filled.put("o2/components/qc/ANY/any/inner", "1")

    async def rendered() -> str:
        reply = await served.stub.GetComponentConfiguration(path("qc/ANY/any/outer", process=True))
        return reply.payload

    assert await rendered() == "<1>"
    filled.put("o2/components/qc/ANY/any/inner", "2")
    async with asyncio.timeout(60):  # Consul tells of it a moment later
        while await rendered() != "<2>":
            pass
    filled.put("o2/components/qc/ANY/any/inner", "3")
    await served.stub.InvalidateComponentTemplateCache(pb.Empty())
    assert await rendered() == "<3>"


NO_ENTRIES = (
    pb.ComponentRequest(),
    path(""),
    path("qc/ANY/any"),
    path("qc/any/any/x"),
    path("qc/ANY/any/x@1"),
    path("o2/components/qc/ANY/any/x"),
    pb.ComponentRequest(query=pb.ComponentQuery()),
    pb.ComponentRequest(query=query("qc", "ANY", "", "x")),
    pb.ComponentRequest(query=query("qc/x", "ANY", "any", "x")),
    pb.ComponentRequest(query=query("qc", "ANY", "any", "/x")),
    pb.ComponentRequest(query=pb.ComponentQuery(component="qc", runType=77, machineRole="any", entry="x")),  # type: ignore[arg-type]
)


async def test_a_request_that_names_no_entry_is_a_bad_request(served: Served) -> None:
    bad = (Code.INVALID_ARGUMENT, "bad request received")
    for asked in NO_ENTRIES:
        await refused(served.stub.GetComponentConfiguration(asked), *bad)
        await refused(served.stub.GetComponentConfigurationWithLastIndex(asked), *bad)
        await refused(served.stub.ResolveComponentQuery(asked.query), *bad)
        request = pb.ImportComponentConfigurationRequest(query=asked.query, payload="x", newComponent=True)
        await refused(served.stub.ImportComponentConfiguration(request), *bad)


async def test_consul_tells_the_index_of_the_last_change_and_other_stores_that_they_have_none(
    served: Served, filled: Store
) -> None:
    stub = served.stub
    if not filled.uri.startswith("consul://"):
        call = stub.GetComponentConfigurationWithLastIndex(path("qc/ANY/any/base"))
        await refused(call, Code.UNKNOWN, "has no index of changes", "Consul")
        return
    before = await stub.GetComponentConfigurationWithLastIndex(path("qc/ANY/any/base"))
    filled.put("o2/components/qc/ANY/any/base", "new")
    by_query = pb.ComponentRequest(query=query("qc", "ANY", "any", "base"))
    after = await stub.GetComponentConfigurationWithLastIndex(by_query)
    assert (before.payload, after.payload) == ("any any", "new")
    assert 0 < before.lastIndex < after.lastIndex
    call = stub.GetComponentConfigurationWithLastIndex(path("qc/ANY/any/none"))
    await refused(call, Code.UNKNOWN, "no payload at configuration path")


async def test_a_processed_payload_never_has_an_index(served: Served) -> None:
    stub = served.stub
    processed = stub.GetComponentConfigurationWithLastIndex(path("qc/ANY/any/base", process=True))
    await refused(processed, Code.INVALID_ARGUMENT, "bad request received", "processTemplate")


RESOLUTIONS = (
    (("qc", "PHYSICS", "flp1", "own"), ("qc", "PHYSICS", "flp1", "own")),
    (("qc", "PHYSICS", "flp1", "base"), ("qc", "ANY", "flp1", "base")),
    (("qc", "PHYSICS", "flp2", "base"), ("qc", "PHYSICS", "any", "base")),
    (("qc", "NULL", "flp2", "sub/deep"), ("qc", "ANY", "any", "sub/deep")),
)


async def test_a_query_resolves_to_the_first_entry_that_exists(served: Served) -> None:
    for asked, found in RESOLUTIONS:
        assert await served.stub.ResolveComponentQuery(query(*asked)) == query(*found)


async def test_a_query_that_resolves_to_nothing_is_an_error(served: Served) -> None:
    call = served.stub.ResolveComponentQuery(query("qc", "PHYSICS", "flp1", "none"))
    await refused(call, Code.UNKNOWN, "could not resolve configuration path o2/components/qc/PHYSICS/flp1/none")


async def test_an_import_tells_what_was_there_and_goes_only_into_what_it_says(served: Served, filled: Store) -> None:
    async def put(asked: pb.ComponentQuery, *, new: bool = False) -> tuple[bool, bool]:
        request = pb.ImportComponentConfigurationRequest(query=asked, payload="new\n", newComponent=new)
        reply = await served.stub.ImportComponentConfiguration(request)
        return reply.existingComponentUpdated, reply.existingEntryUpdated

    assert await put(query("qc", "ANY", "any", "base")) == (True, True)
    assert filled.get("o2/components/qc/ANY/any/base") == "new\n"
    assert await put(query("qc", "COSMICS", "any", "base")) == (True, False)
    assert await put(query("qc", "ANY", "any", "sub/other")) == (True, True)
    assert await put(query("fresh", "ANY", "any", "a/b"), new=True) == (False, False)
    assert filled.get("o2/components/fresh/ANY/any/a/b") == "new\n"
    await refused(put(query("other", "ANY", "any", "x")), Code.UNKNOWN, "component other does not exist; known: aliecs")
    await refused(put(query("qc", "ANY", "any", "x"), new=True), Code.UNKNOWN, "component qc exists already")
    assert filled.get("o2/components/qc/ANY/any/x") is None
    await refused(put(query("qc", "ANY", "any", "sub")), Code.UNKNOWN, "it is a folder")


async def test_what_a_query_as_text_could_not_name_is_read_but_not_imported(served: Served, filled: Store) -> None:
    filled.put("o2/components/qc/ANY/any/tracks.json", "{}")
    dotted = query("qc", "ANY", "any", "tracks.json")
    assert (await served.stub.GetComponentConfiguration(pb.ComponentRequest(query=dotted))).payload == "{}"
    assert (await served.stub.ResolveComponentQuery(query("qc", "PHYSICS", "x", "tracks.json"))) == dotted
    asked = pb.ImportComponentConfigurationRequest(query=dotted, payload="new")
    call = served.stub.ImportComponentConfiguration(asked)
    await refused(call, Code.INVALID_ARGUMENT, "bad request received", "tracks.json")
    assert filled.get("o2/components/qc/ANY/any/tracks.json") == "{}"


async def test_the_run_types_of_the_wire_are_those_of_queries() -> None:
    assert set(pb.RunType.keys()) == set(RUN_TYPES)
