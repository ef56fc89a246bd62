"""Defaults and vars that a store gives to every environment (workflows-config.md 9.6)."""

from __future__ import annotations

from collections.abc import Mapping

from server.config.store import RUNTIME, Store

DEFAULTS = f"{RUNTIME}/aliecs/defaults"
VARS = f"{RUNTIME}/aliecs/vars"


def defaults(store: Store, computed: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of o2/runtime/aliecs/defaults, with the computed ones over them."""
    return _flat(store, DEFAULTS) | dict(computed)


def variables(store: Store) -> dict[str, str]:
    """Return the entries of o2/runtime/aliecs/vars."""
    return _flat(store, VARS)


def _flat(store: Store, folder: str) -> dict[str, str]:
    """Return the texts directly in a folder, without surrounding blanks; folders in it do not count."""
    return {key: value.strip() for key, value in store.get_tree(folder).items() if "/" not in key}
