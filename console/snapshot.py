"""A store as the batches that make another store like it: how a recording begins in the middle of things."""

from __future__ import annotations

from collections.abc import Iterator

from console.store import Store
from server.api.model import Batch, Change, Kind, Part, Removal

CHANGES_PER_BATCH = 500


def snapshot(store: Store) -> list[Batch]:
    """Return a snapshot of the store as it is, with the log and what is remembered of environments that are gone.

    Empty for a store that has no complete picture. Nothing in it has a revision but the last event: whatever follows is
    newer. Rates are not in it: no batch can tell of more than one moment.
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
        about = (store.fault(environment.id), store.variables(environment.id), store.history(environment.id))
        yield from (Change(it) for it in about if it is not None)
    for environment_id in dict.fromkeys(task.environment_id for task in store.tasks()):
        # In the order in which they came to it.
        yield from (Change(task) for task in store.tasks(environment_id))
    last = len(store.events) - 1
    yield from (Change(event, store.event_revision if at == last else 0) for at, event in enumerate(store.events))


def rates(store: Store) -> dict[str, list[tuple[float, float]]]:
    """Return the rates that the store remembers, by environment."""
    found = {one.id: list(store.rates(one.id)) for one in store.environments()}
    return {environment_id: points for environment_id, points in found.items() if points}
