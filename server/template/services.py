"""What template functions need from outside: configuration, inventory, runtime entries. Implemented by server/config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Services(Protocol):
    """Synchronous: it is called while a workflow loads, in a process of its own. Every method raises AliecsError."""

    def close(self) -> None:
        """End what is held open, and whatever still waits for an answer; nothing may be asked any more."""

    def get_component(self, path: str, variables: Mapping[str, str]) -> str:
        """Return a payload with its component templates rendered."""

    def get_component_raw(self, path: str) -> str:
        """Return a payload as it is stored."""

    def resolve(self, component: str, run_type: str, role: str, entry: str) -> str:
        """Return ``component/RUNTYPE/role/entry`` of the first candidate that exists (workflows-config.md 9.4)."""

    def detector_for_host(self, host: str) -> str: ...

    def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]: ...

    def cru_cards_for_host(self, host: str) -> list[str]: ...

    def endpoints_for_cru_card(self, host: str, serial: str) -> list[str]: ...

    def runtime_get(self, component: str, key: str) -> str: ...

    def runtime_set(self, component: str, key: str, value: str) -> None: ...

    def defaults(self) -> dict[str, str]: ...

    def vars(self) -> dict[str, str]: ...
