"""Free entries that components keep while they run, below ``o2/runtime/<component>`` (workflows-config.md 9.9)."""

from __future__ import annotations

from occ.errors import ConfigError
from server.config.store import RUNTIME, Store


def runtime_key(component: str, key: str) -> str:
    """Return the store's key of a runtime entry.

    Raises:
        ConfigError: an empty name.
    """
    if not component.strip("/") or not key.strip("/"):
        raise ConfigError(f"runtime entry {component!r} {key!r}: component and key are both needed")
    return f"{RUNTIME}/{component}/{key}"


def runtime_entry(store: Store, component: str, key: str) -> str:
    """Return the text of an entry.

    Raises:
        ConfigError: there is none.
    """
    full = runtime_key(component, key)
    value = store.get(full)
    if value is None:
        raise ConfigError(f"no value at {full}")
    return value


def runtime_entries(store: Store, component: str) -> dict[str, str]:
    """Return all entries of a component by key; those in folders too, with ``/`` in their keys."""
    return store.get_tree(f"{RUNTIME}/{component}")
