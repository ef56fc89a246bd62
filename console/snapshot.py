"""A store as the batches that make another store like it: how a recording begins in the middle of things."""

from __future__ import annotations

from collections.abc import Iterator

from console.store import Store
from server.api.model import Batch, Change, Kind, Part, Removal

CHANGES_PER_BATCH = 500


def snapshot(store: Store) -> list[Batch]:
    """Return a snapshot of the store as it is, with the log and what is remembered of environments that are gone.

    Empty for a store that has no complete picture. Nothing in it has a revision: whatever follows is newer.
    """
    if not store.is_complete:
        return []
    changes = list(_changes(store))
    groups = [tuple(changes[at : at + CHANGES_PER_BATCH]) for at in range(0, len(changes), CHANGES_PER_BATCH)] or [()]
    parts = [Part.BEGIN, *[Part.MORE] * (len(groups) - 1)]
    return [
        *(
            Batch(store.epoch, store.seq, part, group, store.changed_ms)
            for part, group in zip(parts, groups, strict=True)
        ),
        Batch(store.epoch, store.seq, Part.END, (), store.changed_ms),
    ]


def _changes(store: Store) -> Iterator[Change]:
    for environment, fault in reversed(store.ended()):
        # It comes and goes again: a store remembers what goes.
        yield from (Change(it) for it in (environment, fault) if it is not None)
        yield Change(Removal(Kind.ENVIRONMENT, environment.id))
    if store.core is not None:
        yield Change(store.core)
    yield from (Change(host) for host in store.hosts.values())
    yield from (Change(service) for service in store.services.values())
    for environment in store.environments():
        yield Change(environment)
        yield from (Change(role) for role in store.roles(environment.id))
        fault = store.fault(environment.id)
        if fault is not None:
            yield Change(fault)
    for environment_id in dict.fromkeys(task.environment_id for task in store.tasks()):
        # In the order in which they came to it.
        yield from (Change(task) for task in store.tasks(environment_id))
    yield from (Change(event) for event in store.events)
