"""The configuration service as the core uses it: asynchronous, every access in a thread and with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from occ.errors import ConfigError, DeadlineError
from server.config import inventory, runs, variables
from server.config.inventory import HostEntry
from server.config.open import open_store
from server.config.services import computed_defaults, runtime_key
from server.config.store import Store

_T = TypeVar("_T")


class Configuration:
    """One store. All methods raise ConfigError for bad content and DeadlineError for a store that does not answer.

    A write whose deadline passes may still happen.
    """

    def __init__(self, store: Store, *, deadline_s: float, framework_id: str = "") -> None:
        """Args:
        store: the content.
        deadline_s: longest wait for one call.
        framework_id: given to every environment as a default.
        """
        self.store = store
        self._deadline_s = deadline_s
        self._framework_id = framework_id

    @classmethod
    async def open(cls, uri: str, *, deadline_s: float, framework_id: str = "") -> Configuration:
        """Open the configuration at an address; a file that is missing is made.

        Raises:
            ConfigError: broken or not accessible; of a file names file, line and column.
        """
        configuration = cls(open_store(uri), deadline_s=deadline_s, framework_id=framework_id)
        await configuration._ask(configuration.store.prepare)
        return configuration

    @property
    def endpoint(self) -> str:
        """What clients are shown as the address of the configuration."""
        return self.store.uri

    async def defaults(self) -> dict[str, str]:
        """Return the defaults that every new environment gets."""
        return await self._ask(lambda: variables.defaults(self.store, computed_defaults(self._framework_id)))

    async def vars(self) -> dict[str, str]:
        """Return the vars that every new environment gets."""
        return await self._ask(lambda: variables.variables(self.store))

    async def new_run_number(self) -> int:
        """Take the next run number; it is used up even if the run does not start."""
        return await self._ask(lambda: runs.new_run_number(self.store))

    async def detectors(self, *, every: bool = False) -> list[str]:
        """Return the detectors, TRG only if every one is asked for."""
        return await self._ask(lambda: inventory.detectors(self.store, every=every))

    async def hosts(self) -> list[HostEntry]:
        """Return all hosts with their facts."""
        return await self._ask(lambda: inventory.host_entries(self.store))

    async def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        """Return the detectors of the hosts, each once, sorted; ConfigError for a host that no detector has."""
        return await self._ask(lambda: inventory.detectors_for_hosts(self.store, hosts))

    async def detector_for_hosts(self) -> dict[str, str]:
        """Return the detector of every host that one has."""
        by_detector = await self._ask(lambda: inventory.detector_inventory(self.store))
        return {host: detector for detector, hosts in reversed(by_detector.items()) for host in hosts}

    async def runtime_get(self, component: str, key: str) -> str | None:
        """Return a runtime entry, None if there is none."""
        return await self._ask(lambda: self.store.get(runtime_key(component, key)))

    async def runtime_put(self, component: str, key: str, value: str) -> None:
        """Set a runtime entry."""
        await self._ask(lambda: self.store.put(runtime_key(component, key), value))

    async def runtime_delete(self, component: str, key: str) -> None:
        """Remove a runtime entry; nothing happens if there is none."""
        await self._ask(lambda: self.store.delete(runtime_key(component, key)))

    async def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.to_thread(question)
        except TimeoutError:
            message = f"configuration {self.endpoint}: no answer within {self._deadline_s:g} s"
            raise DeadlineError(message, hint="is another process holding its lock?") from None
        except RecursionError:
            raise ConfigError(f"configuration {self.endpoint}: nested too deeply") from None
