"""What an integrated service is to the core: an id, something to show, and functions that workflow calls may name.

The functions take no arguments: they read the stack of their call and write runtime variables through an
EnvironmentPort (core.md 6.1). One package or module per service; which are loaded is a setting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from occ.errors import AliecsError

CallFunction = Callable[[], Awaitable[str]]
"""A function of a service, bound to one call; returns its output, mostly ""."""


class CallFailed(AliecsError):
    """A service function failed; the hint carries the reason (core.md 2.8.2: ``__call_error_reason``)."""


class EnvironmentPort(Protocol):
    """What a service may do to the environment that called it."""

    @property
    def environment_id(self) -> str: ...

    def set_variable(self, key: str, value: str) -> None:
        """Write a runtime variable of the root role."""

    def append_variable(self, key: str, item: str) -> None:
        """Add an item to a comma-separated runtime variable of the root role; concurrent calls lose nothing."""


class Plugin(Protocol):
    """One integrated service."""

    id: str
    """Name in the setting ``integrationPlugins`` and in expressions."""
    name: str
    """For people."""
    endpoint: str

    @property
    def connection_state(self) -> str:
        """gRPC state name, READY where there is no connection (core.md 6.1)."""

    def data(self) -> str:
        """Return what GetIntegratedServices shows."""

    def environment_data(self, environment_id: str, *, detailed: bool) -> str | None:
        """Return what an environment shows of the service, None for nothing."""

    def functions(self, port: EnvironmentPort, stack: Mapping[str, str]) -> Mapping[str, CallFunction]:
        """Return the call functions, bound to one call."""
