"""The integrated services of one core: which exist, which are loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from server.integration.base import Plugin
from server.integration.testplugin import TestPlugin

log = logging.getLogger(__name__)

REGISTERED: dict[str, Callable[[], Plugin] | None] = {
    "bookkeeping": None,
    "ccdb": None,
    "dcs": None,
    "ddsched": None,
    "kafka": None,
    "lhc": None,
    "odc": None,
    "testplugin": TestPlugin,
    "trg": None,
}
"""Every service that AliECS knows, in the order of its listing; None: this version cannot load it."""


class PluginRegistry:
    """The loaded services by id, in the order of the setting (core.md 6.1)."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self._loaded: dict[str, Plugin] = {}
        for name in wanted:
            make = REGISTERED.get(name)
            if make is None:
                known = ", ".join(key for key, value in REGISTERED.items() if value)
                log.error("cannot load integration plugin name=%s loadable=%s", name, known)
                continue
            self._loaded[name] = make()

    def __iter__(self) -> Iterator[Plugin]:
        return iter(self._loaded.values())

    @property
    def loaded(self) -> Mapping[str, Plugin]:
        return self._loaded
