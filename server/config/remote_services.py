"""A configuration service elsewhere as template functions use it: synchronous, for the loader's own process.

Implements the Services protocol of server/template/services.py; the core's asynchronous face is remote.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import grpc

from occ.errors import ConfigError
from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc
from server.config.components import make_query
from server.config.remote import OPTIONS, error_of
from server.template.queries import RUN_TYPES

_T = TypeVar("_T")

KEPT_S = 2.0
"""How long the detectors of hosts are kept: a workflow asks for that of each of its hosts, one by one."""


class RemoteServices:
    """One service. All methods raise AliecsError; none waits longer than the deadline."""

    def __init__(self, endpoint: str, *, deadline_s: float, framework_id: str = "") -> None:
        """Args:
        endpoint: ``host:port``.
        deadline_s: longest wait for one call.
        framework_id: given to every environment as a default; "" leaves that of the service.
        """
        self._uri = f"apricot://{endpoint}"
        self._deadline_s = deadline_s
        self._framework_id = framework_id
        self._channel = grpc.insecure_channel(endpoint, options=OPTIONS)
        self._stub = apricot_pb2_grpc.ApricotStub(self._channel)
        self._detector_of: dict[str, str] = {}
        self._read_at = float("-inf")

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        """Return the payload at ``component/RUNTYPE/role/entry``, rendered with the variables."""
        request = pb.ComponentRequest(path=path, processTemplate=True, varStack=variables)
        return self._ask(self._stub.GetComponentConfiguration, request).payload

    def get_component_raw(self, path: str) -> str:
        """Return the payload as it is."""
        return self._ask(self._stub.GetComponentConfiguration, pb.ComponentRequest(path=path)).payload

    def find_component(self, path: str) -> str | None:
        """Return the payload as it is, None if there is none: a service that refuses is asked which there are."""
        try:
            return self.get_component_raw(path)
        except ConfigError:
            component, entry = path.split("/", 1)
            asked = pb.ListComponentEntriesRequest(query=pb.ComponentEntriesQuery(component=component))
            try:
                listed = self._ask(self._stub.ListComponentEntries, asked).payload
            except ConfigError:
                return None  # a component without entries
            if entry in listed:
                raise
            return None

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        """Return the path of the first entry that exists; an unknown run type counts as NULL."""
        known = run_type if run_type in RUN_TYPES else "NULL"
        asked = make_query(component, known, role, entry)
        found = self._ask(
            self._stub.ResolveComponentQuery,
            pb.ComponentQuery(
                component=asked.component, runType=pb.RunType.Value(known), machineRole=asked.role, entry=asked.entry
            ),
        )
        return f"{found.component}/{pb.RunType.Name(found.runType)}/{found.machineRole}/{found.entry}"

    def detector_for_host(self, host: str) -> str:
        """Return the detector that has the host; those of all hosts are asked for at once, and kept for KEPT_S."""
        if time.monotonic() - self._read_at > KEPT_S:
            found = self._ask(self._stub.GetDetectorsInventory, pb.Empty()).detectorEntries
            by_detector = sorted(found.items(), reverse=True)
            self._detector_of = {one: detector for detector, entry in by_detector for one in entry.flps}
            self._read_at = time.monotonic()
        if host in self._detector_of:
            return self._detector_of[host]
        return self._ask(self._stub.GetDetectorForHost, pb.HostRequest(hostname=host)).payload

    def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        """Return the detectors of the hosts, each once, sorted."""
        if not hosts:
            return []
        return sorted(set(self._ask(self._stub.GetDetectorsForHosts, pb.HostsRequest(hosts=hosts)).detectors))

    def cru_cards_for_host(self, host: str) -> list[str]:
        """Return the serial numbers of the host's cards, sorted."""
        text = self._ask(self._stub.GetCRUCardsForHost, pb.HostRequest(hostname=host)).cards
        try:
            cards = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"cards of {host}: the configuration service answered no JSON: {error}") from error
        if not isinstance(cards, list):
            raise ConfigError(f"cards of {host}: expected a JSON list")
        return sorted({str(card) for card in cards})

    def endpoints_for_cru_card(self, host: str, serial: str) -> list[str]:
        """Return the endpoints of a card, sorted as numbers."""
        asked = pb.CardRequest(hostname=host, cardSerial=serial)
        found = set(self._ask(self._stub.GetEndpointsForCRUCard, asked).endpoints.split())
        return sorted(found, key=lambda endpoint: (len(endpoint), endpoint))

    def runtime_get(self, component: str, key: str) -> str:
        """Return a runtime entry."""
        asked = pb.GetRuntimeEntryRequest(component=component, key=key)
        return self._ask(self._stub.GetRuntimeEntry, asked).payload

    def runtime_set(self, component: str, key: str, value: str) -> None:
        """Set a runtime entry."""
        asked = pb.SetRuntimeEntryRequest(component=component, key=key, value=value)
        self._ask(self._stub.SetRuntimeEntry, asked)

    def defaults(self) -> dict[str, str]:
        """Return the defaults of every environment, with the framework id of this core."""
        found = self._ask(self._stub.GetDefaults, pb.Empty()).stringMap
        return dict(found) | ({"framework_id": self._framework_id} if self._framework_id else {})

    def vars(self) -> dict[str, str]:
        """Return the vars of every environment."""
        return dict(self._ask(self._stub.GetVars, pb.Empty()).stringMap)

    def _ask(self, call: Callable[..., _T], request: Any) -> _T:
        try:
            return call(request, timeout=self._deadline_s)
        except grpc.RpcError as error:
            raise error_of(error, self._uri, self._deadline_s) from error
