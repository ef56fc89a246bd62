"""How long transitions usually take: the median of the last ones that went well, of the same template and event.

Kept in the journal beside the stimuli that ended them, so that neither a restart nor the end of an environment forgets it.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping

import msgspec

from server.journal import Delete, Put, Record, Table

log = logging.getLogger(__name__)

KEPT = 21
"""Durations per template and event."""
MAX_KEYS = 1000
"""Pairs of template and event; the one used longest ago goes first."""

_DECODER = msgspec.json.Decoder(list[int])


class Durations:
    """Of one core, all environments together. Milliseconds."""

    def __init__(self) -> None:
        self._known: dict[str, list[int]] = {}
        self._usual: dict[str, int] = {}

    def restore(self, records: Mapping[str, bytes]) -> None:
        """Take up what an earlier life of the core journalled; what cannot be read is forgotten."""
        for key, value in records.items():
            try:
                self._keep(key, _DECODER.decode(value))
            except (msgspec.DecodeError, statistics.StatisticsError):
                log.warning("durations in the journal cannot be read key=%s", key)

    def add(self, template: str, event: str, duration_ms: int) -> list[Record]:
        """Learn one more; return what to journal."""
        key = _key(template, event)
        durations = [*self._known.pop(key, [])[-(KEPT - 1) :], max(0, duration_ms)]
        self._keep(key, durations)
        records: list[Record] = [Put(Table.DURATIONS, key, msgspec.json.encode(durations))]
        if len(self._known) > MAX_KEYS:
            oldest = next(iter(self._known))
            del self._known[oldest], self._usual[oldest]
            records.append(Delete(Table.DURATIONS, oldest))
        return records

    def usual_ms(self, template: str, event: str) -> int:
        """Return the median, 0 when there is none."""
        return self._usual.get(_key(template, event), 0)

    def _keep(self, key: str, durations: list[int]) -> None:
        self._usual[key] = int(statistics.median(durations))
        self._known[key] = durations


def _key(template: str, event: str) -> str:
    return f"{event} {template}"
