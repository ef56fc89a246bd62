"""Which moments of a live picture a recording marks by itself: ends of transitions, first faults, ends of environments."""

from __future__ import annotations

from collections.abc import Iterator

from console.store import Store
from server.api.model import Batch, Environment, Fault, Kind, Removal


def marks(store: Store, batch: Batch) -> Iterator[str]:
    """Yield the texts of the marks that a batch deserves, for a store that has not taken it in yet."""
    for change in batch.changes:
        value = change.value
        if isinstance(value, Environment):
            before = store.environment(value.id)
            if before is None or before.transition is None or value.transition is not None:
                continue
            run = f" run {value.run_number}" if value.run_number else ""
            yield f"{value.id} {before.transition.event}: {value.state}{run}"
        elif isinstance(value, Fault):
            if store.fault(value.environment_id) is None:
                where = f" on {value.host}" if value.host and value.host not in value.what else ""
                yield f"{value.environment_id} {value.what}{where}"
        elif isinstance(value, Removal) and value.kind is Kind.ENVIRONMENT:
            if store.environment(value.id) is not None:
                yield f"{value.id} gone"
