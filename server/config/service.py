"""The apricot.Apricot servicer: the configuration service of AliECS on one store (workflows-config.md 9.10).

What cannot be read is INVALID_ARGUMENT "bad request received", a store that does not answer INTERNAL "configuration
backend unavailable", all else that fails UNKNOWN with its text; the ErrorInfo of each says more.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from occ.errors import ConfigError, DeadlineError, LinkError
from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc
from server.api.errors import CoreError, Reason
from server.config import components, documents, inventory, runtime
from server.config.components import Query
from server.config.store import HARDWARE, Store
from server.config.stored import StoreConfiguration
from server.status import answer, refuse
from server.template.gojson import dumps

log = logging.getLogger(__name__)

SERVICE = "apricot.Apricot"
BAD_REQUEST = "bad request received"
UNAVAILABLE = "configuration backend unavailable"

Context = grpc.aio.ServicerContext[Any, Any]

_T = TypeVar("_T")


class ConfigurationService(apricot_pb2_grpc.ApricotServicer):
    """Serves one configuration to cores, tasks and tools, ours and AliECS's."""

    def __init__(self, configuration: StoreConfiguration) -> None:
        self._configuration = configuration

    # ---- environments ------------------------------------------------------------------------

    async def NewRunNumber(self, request: pb.Empty, context: Context) -> pb.RunNumberResponse:
        number = await _found(context, self._configuration.new_run_number())
        log.info("run number taken run=%d client=%s", number, context.peer())
        return pb.RunNumberResponse(runNumber=number)

    async def GetDefaults(self, request: pb.Empty, context: Context) -> pb.StringMap:
        return pb.StringMap(stringMap=await _found(context, self._configuration.defaults()))

    async def GetVars(self, request: pb.Empty, context: Context) -> pb.StringMap:
        return pb.StringMap(stringMap=await _found(context, self._configuration.vars()))

    async def RawGetRecursive(self, request: pb.RawGetRecursiveRequest, context: Context) -> pb.ComponentResponse:
        document = await self._ask(context, lambda store: documents.subtree(store, request.rawPath))
        return pb.ComponentResponse(payload=document)

    # ---- inventory ---------------------------------------------------------------------------

    async def ListDetectors(self, request: pb.DetectorsRequest, context: Context) -> pb.DetectorsResponse:
        found = await _found(context, self._configuration.detectors(every=request.getAll))
        return pb.DetectorsResponse(detectors=found)

    async def GetHostInventory(self, request: pb.HostGetRequest, context: Context) -> pb.HostEntriesResponse:
        hosts = await self._look(context, lambda store: inventory.hosts_of(store, request.detector))
        return pb.HostEntriesResponse(hosts=hosts)

    async def GetDetectorsInventory(self, request: pb.Empty, context: Context) -> pb.DetectorEntriesResponse:
        found = await self._look(context, inventory.detector_inventory)
        entries = {detector: pb.DetectorInventoryResponse(flps=hosts) for detector, hosts in found.items()}
        return pb.DetectorEntriesResponse(detectorEntries=entries)

    async def GetDetectorForHost(self, request: pb.HostRequest, context: Context) -> pb.DetectorResponse:
        detector = await self._look(context, lambda store: inventory.detector_for_host(store, request.hostname))
        return pb.DetectorResponse(payload=detector)

    async def GetDetectorsForHosts(self, request: pb.HostsRequest, context: Context) -> pb.DetectorsResponse:
        found = await _found(context, self._configuration.detectors_for_hosts(list(request.hosts)))
        return pb.DetectorsResponse(detectors=found)

    async def GetCRUCardsForHost(self, request: pb.HostRequest, context: Context) -> pb.CRUCardsResponse:
        cards = await self._look(context, lambda store: inventory.cru_cards(store, request.hostname))
        return pb.CRUCardsResponse(cards=dumps(cards))

    async def GetEndpointsForCRUCard(self, request: pb.CardRequest, context: Context) -> pb.CRUCardEndpointResponse:
        host, serial = request.hostname, request.cardSerial
        found = await self._look(context, lambda store: inventory.endpoints_of_card(store, host, serial))
        return pb.CRUCardEndpointResponse(endpoints=" ".join(found))

    async def GetLinkIDsForCRUEndpoint(self, request: pb.LinkIDsRequest, context: Context) -> pb.LinkIDsResponse:
        found = await self._ask(
            context,
            lambda store: inventory.link_ids(
                store, request.hostname, request.cardSerial, request.endpoint, only_enabled=request.onlyEnabled
            ),
        )
        return pb.LinkIDsResponse(linkIDs=found)

    async def GetAliasedLinkIDsForDetector(
        self, request: pb.AliasedLinkIDsRequest, context: Context
    ) -> pb.AliasedLinkIDsResponse:
        detector, only = request.detector, request.onlyEnabled
        found = await self._ask(context, lambda store: inventory.aliased_link_ids(store, detector, only_enabled=only))
        return pb.AliasedLinkIDsResponse(aliasedLinkIDs=found)

    # ---- runtime entries ---------------------------------------------------------------------

    async def GetRuntimeEntry(self, request: pb.GetRuntimeEntryRequest, context: Context) -> pb.ComponentResponse:
        component, key = request.component, request.key
        await _read(context, lambda: runtime.runtime_key(component, key))
        return pb.ComponentResponse(
            payload=await self._ask(context, lambda store: runtime.runtime_entry(store, component, key))
        )

    async def SetRuntimeEntry(self, request: pb.SetRuntimeEntryRequest, context: Context) -> pb.Empty:
        key = await _read(context, lambda: runtime.runtime_key(request.component, request.key))
        await self._ask(context, lambda store: store.put(key, request.value))
        log.info("runtime entry set key=%s client=%s", key, context.peer())
        return pb.Empty()

    async def GetRuntimeEntries(self, request: pb.GetRuntimeEntriesRequest, context: Context) -> pb.StringMap:
        folder = await _read(context, lambda: runtime.runtime_folder(request.component))
        return pb.StringMap(stringMap=await self._ask(context, lambda store: store.get_tree(folder)))

    async def ListRuntimeEntries(
        self, request: pb.ListRuntimeEntriesRequest, context: Context
    ) -> pb.ComponentEntriesResponse:
        folder = await _read(context, lambda: runtime.runtime_folder(request.component))
        return pb.ComponentEntriesResponse(
            payload=await self._ask(context, lambda store: sorted(store.get_tree(folder)))
        )

    # ---- components --------------------------------------------------------------------------

    async def ListComponents(self, request: pb.Empty, context: Context) -> pb.ComponentEntriesResponse:
        return pb.ComponentEntriesResponse(payload=await self._ask(context, components.components))

    async def ListComponentEntries(
        self, request: pb.ListComponentEntriesRequest, context: Context
    ) -> pb.ComponentEntriesResponse:
        component = await _read(context, lambda: _component_of(request))
        return pb.ComponentEntriesResponse(
            payload=await self._ask(context, lambda store: components.entries(store, component))
        )

    async def GetComponentConfiguration(self, request: pb.ComponentRequest, context: Context) -> pb.ComponentResponse:
        query = await _read(context, lambda: _query_of(request))
        variables = dict(request.varStack) if request.processTemplate else None
        return pb.ComponentResponse(payload=await _found(context, self._configuration.payload(query, variables)))

    async def GetComponentConfigurationWithLastIndex(
        self, request: pb.ComponentRequest, context: Context
    ) -> pb.ComponentResponseWithLastIndex:
        query = await _read(context, lambda: _query_of(request, raw=True))
        text, index = await self._ask(context, lambda store: components.payload_with_index(store, query))
        return pb.ComponentResponseWithLastIndex(payload=text, lastIndex=index)

    async def ResolveComponentQuery(self, request: pb.ComponentQuery, context: Context) -> pb.ComponentQuery:
        query = await _read(context, lambda: _query(request))
        found = await self._ask(context, lambda store: components.resolve(store, query))
        return pb.ComponentQuery(
            component=found.component,
            runType=pb.RunType.Value(found.run_type),
            machineRole=found.role,
            entry=found.entry,
        )

    async def ImportComponentConfiguration(
        self, request: pb.ImportComponentConfigurationRequest, context: Context
    ) -> pb.ImportComponentConfigurationResponse:
        # What is written must be found again by the text of its query, which reading does not ask for.
        query = await _read(context, lambda: components.parse_query(_query(request.query).path))
        imported = await self._ask(
            context,
            lambda store: components.import_payload(store, query, request.payload, new_component=request.newComponent),
        )
        log.info("payload imported path=%s size_bytes=%d client=%s", query.path, len(request.payload), context.peer())
        return pb.ImportComponentConfigurationResponse(
            existingComponentUpdated=imported.component_existed, existingEntryUpdated=imported.entry_existed
        )

    async def InvalidateComponentTemplateCache(self, request: pb.Empty, context: Context) -> pb.Empty:
        self._configuration.invalidate_templates()
        return pb.Empty()

    async def _look(self, context: Context, question: Callable[[Store], _T]) -> _T:
        """Ask the hardware, read at once: a store elsewhere is not asked host by host."""
        return await self._ask(context, lambda store: question(store.snapshot(HARDWARE)))

    async def _ask(self, context: Context, question: Callable[[Store], _T]) -> _T:
        return await _found(context, self._configuration.ask(question))


async def _found(context: Context, work: Awaitable[_T]) -> _T:
    """Return what the configuration has, or end the call with the status of its error."""

    async def asked() -> _T:
        try:
            found = await work
            _check_text(found)
            return found
        except (DeadlineError, LinkError) as error:
            message = f"{UNAVAILABLE}: {error.message}"
            raise CoreError(Reason.CONFIGURATION, message, hint=error.hint, code="INTERNAL") from error

    return await answer(context, asked())


def _check_text(value: object) -> None:
    """Raise ConfigError for bytes that are no text; a store may hold such, messages cannot."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError("what is there is not UTF-8 text", hint="ask for it over HTTP, byte by byte") from None
    elif isinstance(value, dict):
        for text in value.values():
            _check_text(text)


async def _read(context: Context, read: Callable[[], _T]) -> _T:
    """Return what is read of a request, or end the call because it cannot be read."""
    try:
        return read()
    except ConfigError as error:
        hint = f"{error.message}; {error.hint}" if error.hint else error.message
        await refuse(context, CoreError(Reason.BAD_REQUEST, BAD_REQUEST, hint=hint))


def _query(message: pb.ComponentQuery) -> Query:
    return components.make_query(message.component, _run_type(message.runType), message.machineRole, message.entry)


def _query_of(request: pb.ComponentRequest, *, raw: bool = False) -> Query:
    if raw and request.processTemplate:
        raise ConfigError("a template that is processed has no index", hint="ask without processTemplate")
    if request.WhichOneof("queryPath") == "path":
        return components.parse_query(request.path)
    return _query(request.query)


def _component_of(request: pb.ListComponentEntriesRequest) -> str:
    if request.WhichOneof("queryPath") == "path":
        return components.parse_entries_query(request.path)
    if not request.query.component:
        raise ConfigError("no component in the query")
    return request.query.component


def _run_type(number: int) -> str:
    if number not in pb.RunType.values():
        raise ConfigError(f"no run type has the number {number}")
    return pb.RunType.Name(number)  # type: ignore[arg-type]  # of an open enum
