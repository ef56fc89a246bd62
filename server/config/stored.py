"""The configuration of a store: asynchronous, every access in a thread and with a deadline.

Implements the protocol of configuration.py; the configuration service (service.py, routes.py) asks it for all the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from occ.errors import ConfigError, DeadlineError
from server.config import components, inventory, runs, variables
from server.config.components import Query
from server.config.inventory import HostEntry
from server.config.runtime import framework_id_in, runtime_key
from server.config.services import StoreServices, computed_defaults
from server.config.store import Store

_T = TypeVar("_T")

THREADS = 4
"""Calls to one store at once; of its own, so that a store that hangs stops nothing else."""
REQUESTS_OF_A_CALL = 3
"""What a compare-and-set takes that gets no answer: read, write, look."""


class StoreConfiguration:
    """One store. All methods raise ConfigError for bad content, LinkError or DeadlineError for a store that is away.

    A write whose deadline passes may still happen.
    """

    def __init__(self, store: Store, *, deadline_s: float, framework_id: str = "", trim: bool = True) -> None:
        """Args:
        store: the content.
        deadline_s: longest wait for one call.
        framework_id: given to every environment as a default; "" takes the one that is kept in the store.
        trim: take surrounding blanks away from defaults and vars.
        """
        self.store = store
        self._deadline_s = deadline_s
        self._framework_id = framework_id
        self._trim = trim
        self._services = StoreServices(store)
        self._threads = ThreadPoolExecutor(THREADS, "configuration")

    async def prepare(self) -> None:
        """Make sure that the store can be used; a file that is missing is made.

        Raises:
            ConfigError: broken or not accessible; of a file names file, line and column.
        """
        await self.ask(lambda store: store.prepare())

    async def close(self) -> None:
        """End what still waits for the store."""
        self.store.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def endpoint(self) -> str:
        """What clients are shown as the address of the configuration."""
        return self.store.uri

    async def defaults(self) -> dict[str, str]:
        """Return the defaults that every new environment gets."""
        return await self.ask(self._defaults)

    def _defaults(self, store: Store) -> dict[str, str]:
        framework_id = self._framework_id or framework_id_in(store)
        return variables.defaults(store, computed_defaults(framework_id, store.uri), trim=self._trim)

    async def vars(self) -> dict[str, str]:
        """Return the vars that every new environment gets."""
        return await self.ask(lambda store: variables.variables(store, trim=self._trim))

    async def new_run_number(self) -> int:
        """Take the next run number; it is used up even if the run does not start."""
        return await self.ask(lambda store: runs.new_run_number(store))

    async def detectors(self, *, every: bool = False) -> list[str]:
        """Return the detectors, TRG only if every one is asked for."""
        return await self.ask(lambda _: inventory.detectors(self._services.hardware(), every=every))

    async def hosts(self) -> list[HostEntry]:
        """Return all hosts with their facts."""
        return await self.ask(lambda _: inventory.host_entries(self._services.hardware()))

    async def detectors_for_hosts(self, hosts: Sequence[str]) -> list[str]:
        """Return the detectors of the hosts, each once, sorted; ConfigError for a host that no detector has."""
        return await self.ask(lambda _: inventory.detectors_for_hosts(self._services.hardware(), hosts))

    async def runtime_get(self, component: str, key: str) -> str | None:
        """Return a runtime entry, None if there is none."""
        return await self.ask(lambda store: store.get(runtime_key(component, key)))

    async def runtime_put(self, component: str, key: str, value: str) -> None:
        """Set a runtime entry."""
        await self.ask(lambda store: store.put(runtime_key(component, key), value))

    async def payload(self, query: Query, variables: Mapping[str, str] | None) -> str:
        """Return the payload exactly there; with variables it is a template, and its text is what comes of it."""
        if variables is None:
            return await self.ask(lambda store: components.payload(store, query))
        return await self.ask(lambda store: self._services.get_component(query.path, variables))

    def invalidate_templates(self) -> None:
        """Forget parsed templates; needed only where changes of the store are not seen by themselves."""
        self._services.invalidate_templates()

    async def ask(self, question: Callable[[Store], _T]) -> _T:
        """Return what a question to the store gives."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, question, self.store)
        except TimeoutError:
            message = f"configuration {self.endpoint}: no answer within {self._deadline_s:g} s"
            raise DeadlineError(message, hint="does it run, and is its lock free?") from None
        except RecursionError:
            raise ConfigError(f"configuration {self.endpoint}: nested too deeply") from None
