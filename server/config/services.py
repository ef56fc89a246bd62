"""The configuration service as template functions see it: synchronous, on any store, for the loader's own process.

Implements the Services protocol of server/template/services.py. The core's asynchronous face: configuration.py.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from server.config import components, inventory, variables
from server.config.address import parse_address
from server.config.kept import FollowedFolder, KeptFolder
from server.config.payload.characters import whole
from server.config.payload.templates import PayloadTemplates
from server.config.runtime import framework_id_in, runtime_entry, runtime_key
from server.config.store import COMPONENTS, HARDWARE, Store
from server.template.queries import QUERY, RUN_TYPES


def computed_defaults(framework_id: str, uri: str) -> dict[str, str]:
    """Return the defaults that the configuration service adds; those about Consul are empty if the store is another."""
    address = parse_address(uri)
    is_consul = address.scheme == "consul"
    return {
        "consul_base_uri": address.uri if is_consul else "",
        "consul_hostname": address.host if is_consul else "",
        "consul_port": str(address.port) if is_consul else "",
        "consul_endpoint": address.endpoint if is_consul else "",
        "core_hostname": socket.gethostname(),
        "framework_id": framework_id,
    }


class StoreServices:
    """Configuration, inventory and runtime entries of one store. All methods raise AliecsError."""

    def __init__(self, store: Store, *, framework_id: str = "") -> None:
        """Args:
        store: the content.
        framework_id: given to every environment as a default; "" takes the one that is kept in the store.
        """
        self._store = store
        self._framework_id = framework_id
        self._hardware = KeptFolder(store, HARDWARE)
        self._templates = PayloadTemplates()
        self._components = FollowedFolder(store, COMPONENTS, self._templates.invalidate)

    def close(self) -> None:
        """End what is held open, and whatever still waits for the store."""
        self._store.close()

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        """Return the payload at ``component/RUNTYPE/role/entry``, rendered with the variables.

        Raises:
            ConfigError: no payload there, or a template that is wrong; names entry, line and column.
        """
        query = components.parse_query(path)
        self._components.check()
        components.payload(self._store, query)
        return self._templates.render(self._fetch, query.path, variables)

    def hardware(self) -> Store:
        """Return the inventory as it was read last; it is read again only after it has changed."""
        return self._hardware.get()

    def invalidate_templates(self) -> None:
        """Forget parsed templates; needed only where changes of the store are not seen by themselves."""
        self._templates.invalidate()

    def _fetch(self, path: str) -> str | None:
        """Return the payload of an entry that a template brings in, None if there is none or cannot be one."""
        match = QUERY.fullmatch(path)
        if match is None or match[2] not in RUN_TYPES:
            return None
        return self._store.get(components.parse_query(path).key)

    def get_component_raw(self, path: str) -> str:
        """Return the payload as it is, but for bytes that are not UTF-8."""
        return whole(components.payload(self._store, components.parse_query(path)))

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        """Return the path of the first entry that exists; an unknown run type counts as NULL."""
        known = run_type if run_type in RUN_TYPES else "NULL"
        query = components.parse_query(f"{component}/{known}/{role}/{entry}")
        return components.resolve(self._store, query).path

    def detector_for_host(self, host: str) -> str:
        """Return the detector that has the host."""
        return inventory.detector_for_host(self.hardware(), host)

    def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        """Return the detectors of the hosts, each once, sorted."""
        return inventory.detectors_for_hosts(self.hardware(), hosts)

    def cru_cards_for_host(self, host: str) -> list[str]:
        """Return the serial numbers of the host's cards."""
        return inventory.cru_cards(self.hardware(), host)

    def endpoints_for_cru_card(self, host: str, serial: str) -> list[str]:
        """Return the endpoints of a card."""
        return inventory.endpoints_of_card(self.hardware(), host, serial)

    def runtime_get(self, component: str, key: str) -> str:
        """Return a runtime entry; bytes in it that are not UTF-8 are replaced."""
        return whole(runtime_entry(self._store, component, key))

    def runtime_set(self, component: str, key: str, value: str) -> None:
        """Set a runtime entry."""
        self._store.put(runtime_key(component, key), value)

    def defaults(self) -> dict[str, str]:
        """Return the defaults of every environment."""
        framework_id = self._framework_id or framework_id_in(self._store)
        return variables.defaults(self._store, computed_defaults(framework_id, self._store.uri))

    def vars(self) -> dict[str, str]:
        """Return the vars of every environment."""
        return variables.variables(self._store)
