"""Free entries that components keep while they run, below ``o2/runtime/<component>`` (workflows-config.md 9.9)."""

from __future__ import annotations

from occ.errors import ConfigError
from server.config.store import RUNTIME, Store

FRAMEWORK_ID = ("aliecs", "mesos_fid")
"""Runtime entry where a core keeps the id that its Mesos master gave it (occ-executor-mesos.md 4.2)."""


def runtime_folder(component: str) -> str:
    """Return the store's folder of a component's runtime entries.

    Raises:
        ConfigError: no name.
    """
    if not component.strip("/"):
        raise ConfigError("runtime entries: a component is needed")
    return f"{RUNTIME}/{component}"


def runtime_key(component: str, key: str) -> str:
    """Return the store's key of a runtime entry.

    Raises:
        ConfigError: an empty name.
    """
    if not component.strip("/") or not key.strip("/"):
        raise ConfigError(f"runtime entry {component!r} {key!r}: component and key are both needed")
    return f"{runtime_folder(component)}/{key}"


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


def framework_id_in(store: Store) -> str:
    """Return the id of the framework that a core has kept, "" if there is none."""
    return store.get(runtime_key(*FRAMEWORK_ID)) or ""
