"""Defaults and vars that a store gives to every environment (workflows-config.md 9.6)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from server.config.payload.characters import whole
from server.config.store import RUNTIME, Store

log = logging.getLogger(__name__)

DEFAULTS = f"{RUNTIME}/aliecs/defaults"
VARS = f"{RUNTIME}/aliecs/vars"


def defaults(store: Store, computed: Mapping[str, str], *, trim: bool = True) -> dict[str, str]:
    """Return the entries of o2/runtime/aliecs/defaults, with the computed ones over them."""
    return _flat(store, DEFAULTS, trim) | dict(computed)


def variables(store: Store, *, trim: bool = True) -> dict[str, str]:
    """Return the entries of o2/runtime/aliecs/vars."""
    return _flat(store, VARS, trim)


def _flat(store: Store, folder: str, trim: bool) -> dict[str, str]:
    """Return the texts directly in a folder; folders in it do not count."""
    raw = {key: value for key, value in store.get_tree(folder).items() if "/" not in key}
    found = {key: whole(value) for key, value in raw.items()}
    if broken := [key for key, value in raw.items() if value != found[key]]:
        log.warning("bytes that are not UTF-8 replaced folder=%s keys=%s", folder, ",".join(broken))
    if not trim:
        return found
    blank = [key for key, value in found.items() if value != value.strip()]
    if blank:
        log.warning("surrounding blanks taken away folder=%s keys=%s", folder, ",".join(blank))
    return {key: value.strip() for key, value in found.items()}
