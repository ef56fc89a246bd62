"""The configuration as the core uses it: asynchronous. Opened by address: open.py.

Implemented on a store (stored.py) and on a configuration service elsewhere (remote.py). Templates use it synchronously,
in the loader's process: server/template/services.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from server.config.inventory import HostEntry


class Configuration(Protocol):
    """All methods raise ConfigError for bad content, LinkError or DeadlineError if nothing answers.

    A write whose deadline passes may still happen.
    """

    @property
    def endpoint(self) -> str:
        """What clients are shown as the address of the configuration."""
        ...

    async def close(self) -> None:
        """Give up what is held open; nothing may be asked any more."""
        ...

    async def defaults(self) -> dict[str, str]:
        """Return the defaults that every new environment gets."""
        ...

    async def vars(self) -> dict[str, str]:
        """Return the vars that every new environment gets."""
        ...

    async def new_run_number(self) -> int:
        """Take the next run number; it is used up even if the run does not start."""
        ...

    async def detectors(self, *, every: bool = False) -> list[str]:
        """Return the detectors, TRG only if every one is asked for."""
        ...

    async def hosts(self) -> list[HostEntry]:
        """Return all hosts with their facts."""
        ...

    async def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        """Return the detectors of the hosts, each once, sorted; ConfigError for a host that no detector has."""
        ...

    async def runtime_get(self, component: str, key: str) -> str | None:
        """Return a runtime entry, None if there is none."""
        ...

    async def runtime_put(self, component: str, key: str, value: str) -> None:
        """Set a runtime entry."""
        ...
