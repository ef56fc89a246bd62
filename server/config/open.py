"""Opens the configuration by its address, the core's setting configServiceUri (workflows-config.md 9.1, core.md 7.2)."""

from __future__ import annotations

import os
from contextlib import closing

from occ.errors import ConfigError
from server.config.address import parse_address
from server.config.components import parse_query
from server.config.configuration import Configuration
from server.config.file import FileStore
from server.config.memory import MemoryStore
from server.config.services import StoreServices
from server.config.store import Store
from server.config.stored import REQUESTS_OF_A_CALL, StoreConfiguration
from server.template.services import Services

TOKEN = "CONSUL_HTTP_TOKEN"
"""Environment variable with the token for Consul's access control lists, as Consul's own tools read it."""
REQUEST_S = 5.0
"""Longest time for one request to a store elsewhere, unless told otherwise."""


def open_store(uri: str, *, request_s: float = REQUEST_S) -> Store:
    """Return the store at an address; nothing is read or asked yet.

    Args:
        request_s: longest time for one request to a store elsewhere; a call takes up to three.

    Raises:
        ConfigError: a bad address.
    """
    address = parse_address(uri)
    if address.scheme == "apricot":
        raise ConfigError(
            f"{address.uri} is a configuration service, not a store", hint="name the store that it serves"
        )
    if address.scheme == "consul":
        # Deferred: its client takes longer to import than all else; only who has a Consul needs it.
        from server.config.consul import ConsulStore

        return ConsulStore(address.host, address.port, deadline_s=request_s, token=os.environ.get(TOKEN, ""))
    return FileStore(address.path, lock_s=request_s) if address.scheme == "file" else MemoryStore(address.uri)


async def open_configuration(uri: str, *, deadline_s: float, framework_id: str = "") -> Configuration:
    """Return the configuration at an address as the core uses it; a file that is missing is made.

    Args:
        deadline_s: longest wait for one call.
        framework_id: given to every environment as a default.

    Raises:
        ConfigError: a bad address, or broken or not accessible; of a file names file, line and column.
    """
    address = parse_address(uri)
    if address.scheme != "apricot":
        return await open_store_configuration(uri, deadline_s=deadline_s, framework_id=framework_id)
    # Deferred, here and below: gRPC takes longer to import than all else; the loader and the linter seldom need it.
    from server.config.remote import RemoteConfiguration

    remote = RemoteConfiguration(address.endpoint, deadline_s=deadline_s, framework_id=framework_id)
    try:
        await remote.prepare()
    except BaseException:
        await remote.close()
        raise
    return remote


async def open_store_configuration(
    uri: str, *, deadline_s: float, framework_id: str = "", trim: bool = True
) -> StoreConfiguration:
    """Return the configuration of the store at an address; a file that is missing is made.

    Args:
        deadline_s: longest wait for one call.
        framework_id: see StoreConfiguration.
        trim: the same.

    Raises:
        ConfigError: a bad address, or broken or not accessible; of a file names file, line and column.
    """
    store = open_store(uri, request_s=deadline_s / REQUESTS_OF_A_CALL)
    configuration = StoreConfiguration(store, deadline_s=deadline_s, framework_id=framework_id, trim=trim)
    try:
        await configuration.prepare()
    except BaseException:
        await configuration.close()
        raise
    return configuration


def open_services(uri: str, *, framework_id: str = "") -> Services:
    """Return the configuration at an address as template functions use it; nothing is read or asked yet.

    Raises:
        ConfigError: a bad address.
    """
    address = parse_address(uri)
    if address.scheme == "apricot":
        from server.config.remote_services import RemoteServices

        return RemoteServices(address.endpoint, deadline_s=REQUEST_S, framework_id=framework_id)
    return StoreServices(open_store(uri), framework_id=framework_id)


def read_payload(uri: str, path: str) -> str | None:
    """Return one payload of the configuration at an address as it is, None if there is none.

    Raises:
        ConfigError: a bad address or path, or the configuration cannot be read.
    """
    address = parse_address(uri)
    if address.scheme == "apricot":
        from server.config.remote_services import RemoteServices

        with closing(RemoteServices(address.endpoint, deadline_s=REQUEST_S)) as services:
            return services.find_component(path)
    with closing(open_store(uri)) as store:
        return store.get(parse_query(path).key)
