"""The configuration of a service elsewhere, ours or AliECS's (``apricot://host:port``), as the core uses it.

Implements the protocol of configuration.py. Templates use such a service by remote_services.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
import msgspec
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from occ.errors import AliecsError, ConfigError, DeadlineError, LinkError
from server.api import apricot_pb2 as pb
from server.api import apricot_pb2_grpc
from server.config.inventory import HostEntry, entries_of
from server.config.store import FLPS, segments
from server.config.tree import Folder, SnapshotStore

_T = TypeVar("_T")

OPTIONS = (
    ("grpc.max_receive_message_length", 100 * 1024 * 1024),
    ("grpc.max_send_message_length", 100 * 1024 * 1024),
    # A service that is back is used at once: gRPC by itself would wait up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 500),
)


class RemoteConfiguration:
    """One service. All methods raise ConfigError for what it refuses, LinkError or DeadlineError if it is away.

    A write whose deadline passes may still happen.
    """

    def __init__(self, endpoint: str, *, deadline_s: float, framework_id: str = "") -> None:
        """Args:
        endpoint: ``host:port``.
        deadline_s: longest wait for one call.
        framework_id: given to every environment as a default; "" leaves that of the service.
        """
        self.endpoint = f"apricot://{endpoint}"
        self._deadline_s = deadline_s
        self._framework_id = framework_id
        self._channel = grpc.aio.insecure_channel(endpoint, options=OPTIONS)
        self._stub: apricot_pb2_grpc.ApricotAsyncStub = apricot_pb2_grpc.ApricotStub(self._channel)

    async def prepare(self) -> None:
        """Make sure that the service is there and answers."""
        await self.vars()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    async def defaults(self) -> dict[str, str]:
        """Return the service's defaults, with the framework id of this core."""
        reply = await self._ask(self._stub.GetDefaults, pb.Empty())
        return dict(reply.stringMap) | ({"framework_id": self._framework_id} if self._framework_id else {})

    async def vars(self) -> dict[str, str]:
        """Return the vars that every new environment gets."""
        return dict((await self._ask(self._stub.GetVars, pb.Empty())).stringMap)

    async def new_run_number(self) -> int:
        """Take the next run number; it is used up even if the run does not start."""
        return (await self._ask(self._stub.NewRunNumber, pb.Empty())).runNumber

    async def detectors(self, *, every: bool = False) -> list[str]:
        """Return the detectors, TRG only if every one is asked for."""
        reply = await self._ask(self._stub.ListDetectors, pb.DetectorsRequest(getAll=every))
        return [detector for detector in reply.detectors if detector]

    async def hosts(self) -> list[HostEntry]:
        """Return all hosts with their facts."""
        found = await self._ask(self._stub.GetDetectorsInventory, pb.Empty())
        by_detector = {detector: list(entry.flps) for detector, entry in sorted(found.detectorEntries.items())}
        hosts = (await self._ask(self._stub.GetHostInventory, pb.HostGetRequest())).hosts
        facts = await self._ask(self._stub.RawGetRecursive, pb.RawGetRecursiveRequest(rawPath=FLPS))
        store = SnapshotStore(self.endpoint, _tree(facts.payload, FLPS))
        return entries_of(store, list(hosts), by_detector)

    async def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        """Return the detectors of the hosts, each once, sorted; ConfigError for a host that no detector has."""
        if not hosts:
            return []
        reply = await self._ask(self._stub.GetDetectorsForHosts, pb.HostsRequest(hosts=hosts))
        return sorted(set(reply.detectors))

    async def runtime_get(self, component: str, key: str) -> str | None:
        """Return a runtime entry, None if there is none: a service that refuses is asked which there are."""
        try:
            asked = pb.GetRuntimeEntryRequest(component=component, key=key)
            return (await self._ask(self._stub.GetRuntimeEntry, asked)).payload
        except ConfigError:
            listed = await self._ask(self._stub.ListRuntimeEntries, pb.ListRuntimeEntriesRequest(component=component))
            if key in listed.payload:
                raise
            return None

    async def runtime_put(self, component: str, key: str, value: str) -> None:
        """Set a runtime entry."""
        asked = pb.SetRuntimeEntryRequest(component=component, key=key, value=value)
        await self._ask(self._stub.SetRuntimeEntry, asked)

    async def _ask(self, call: Callable[..., Awaitable[_T]], request: Any) -> _T:
        try:
            return await call(request, timeout=self._deadline_s)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.endpoint, self._deadline_s) from error


def error_of(error: Any, endpoint: str, deadline_s: float) -> AliecsError:
    """Return our error for a call that failed.

    Args:
        error: of gRPC, of either kind: with code(), details() and trailing_metadata().
        endpoint: of the service, for the message.
        deadline_s: that the call had, for the message.
    """
    code, details = error.code(), error.details() or ""
    status = rpc_status.from_call(error)
    if code is grpc.StatusCode.UNAVAILABLE:
        hint = f"does the configuration service run at {endpoint}?"
        return LinkError(f"configuration {endpoint} cannot be reached: {details}", hint=hint)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineError(f"configuration {endpoint}: no answer within {deadline_s:g} s")
    if code is grpc.StatusCode.INTERNAL:
        return LinkError(f"configuration {endpoint}: {details}", hint=_hint(status))
    if code in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND):
        return ConfigError(details, hint=_hint(status))
    return ConfigError(f"configuration {endpoint}: {code.name} {details}", hint=_hint(status))


def _hint(status: Any) -> str:
    """Return the hint of our own services; AliECS's give none."""
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.metadata.get("hint", ""))
    return ""


def _tree(text: str, path: str) -> Folder:
    """Return a tree with a folder from the document that a service made of it.

    Raises:
        ConfigError: it made none.
    """
    try:
        tree = _texts(msgspec.json.decode(text, type=dict[str, Any]))
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: the configuration service answered no JSON object: {error}") from error
    for part in reversed(segments(path)):
        tree = {part: tree}
    return tree


def _texts(folder: dict[str, Any]) -> Folder:
    return {name: _texts(it) if isinstance(it, dict) else str(it) for name, it in folder.items()}
