"""Verbs about the core and this console."""

from __future__ import annotations

from collections.abc import Sequence

from console.present import drained, names
from console.results import Context, Result
from console.table import Row
from server.api.client import Client
from server.api.errors import CoreError
from server.api.replies import ServiceInfo


async def info(context: Context) -> Result:
    """Show the core in key and value lines."""
    client = context.session.client
    framework = await client.framework()
    known = await _services_if_told(client)
    enabled = [service for service in known if service.enabled]
    notice = await context.session.notice()
    facts: Row = {
        "instance": framework.instance,
        "core_version": f"{framework.version} {framework.revision or 'dev'}",
        "core_endpoint": client.endpoint,
        "configuration_endpoint": framework.configuration_endpoint,
        "framework_id": framework.framework_id,
        "environments": framework.environments,
        "tasks": framework.tasks,
        "hosts": framework.hosts,
        "global_state": framework.state,
        "detectors": names(framework.detectors),
        "active_detectors": names(framework.active_detectors),
        "available_detectors": names(framework.available_detectors),
        "integrated_services": f"{len(enabled)} enabled (out of {len(known)})",
        "services": [_row(service) for service in known],
    } | ({"advisory": notice} if notice else {})
    text = "".join(f"  {one.id}: {one.name}  {one.endpoint or '-'}  {one.connection_state or '-'}\n" for one in enabled)
    return Result(facts=facts, text=text, ids=(framework.framework_id,))


async def _services_if_told(client: Client) -> Sequence[ServiceInfo]:
    """Return the integrated services; none of a core that does not tell them."""
    try:
        return await client.services()
    except CoreError as error:
        if error.code != "UNIMPLEMENTED":
            raise
        return ()


async def services(context: Context) -> Result:
    """List the integrated services."""
    known = await context.session.client.services()
    return Result(
        rows=tuple(_row(service) for service in known),
        columns=context.command.columns,
        ids=tuple(service.id for service in known),
        empty="no integrated services",
    )


async def hosts(context: Context) -> Result:
    """List the hosts."""
    store = await context.session.picture()
    known = sorted(store.hosts.values(), key=lambda host: host.name)
    return Result(
        rows=tuple(
            {
                "name": host.name,
                "address": host.address,
                "detector": host.detector,
                "executor": host.executor_state,
                "executor_id": host.executor_id,
                "tasks": host.tasks,
                "version": host.version,
                "drained": drained(host.drain),
                "attributes": dict(host.attributes),
            }
            for host in known
        ),
        columns=context.command.columns,
        ids=tuple(host.name for host in known),
        empty="no hosts in the inventory",
    )


def _row(service: ServiceInfo) -> Row:
    return {
        "id": service.id,
        "enabled": service.enabled,
        "name": service.name,
        "endpoint": service.endpoint,
        "connection_state": service.connection_state,
        "data": service.data,
    }
