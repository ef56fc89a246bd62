"""Component configuration in a store: queries, resolution by run type and role, entries (workflows-config.md 9.3, 9.4, 9.9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from occ.errors import ConfigError
from server.config.store import COMPONENTS, NotThereError, Store, segments
from server.template.queries import ENTRIES_QUERY, QUERY, RUN_TYPES


@dataclass(frozen=True, slots=True)
class Query:
    """Where an entry of a component stands."""

    component: str
    run_type: str
    role: str
    entry: str

    @property
    def path(self) -> str:
        """Text form, relative to o2/components."""
        return f"{self.component}/{self.run_type}/{self.role}/{self.entry}"

    @property
    def key(self) -> str:
        """Key in the store."""
        return f"{COMPONENTS}/{self.path}"


def parse_query(text: str) -> Query:
    """Read ``component/RUNTYPE/role/entry``.

    Raises:
        ConfigError: another form, or a run type that does not exist.
    """
    match = QUERY.fullmatch(text.strip())
    if match is None or match[2] not in RUN_TYPES:
        raise ConfigError(
            f"bad component configuration key format: {text!r}", hint="expected component/RUNTYPE/role/entry"
        )
    return Query(match[1], match[2], match[3], match[4])


def make_query(component: str, run_type: str, role: str, entry: str) -> Query:
    """Return the query of parts that came apart; names are not limited to letters that a text of a query may have.

    Raises:
        ConfigError: a part is missing or would lead elsewhere, or a run type that does not exist.
    """
    query = Query(component, run_type, role, entry)
    whole = segments(query.path) == query.path.split("/")
    if run_type not in RUN_TYPES or "/" in component + role or not whole:
        raise ConfigError(
            f"bad component configuration query: {query.path!r}", hint="expected component/RUNTYPE/role/entry"
        )
    return query


def parse_entries_query(text: str) -> str:
    """Return the component in ``component/RUNTYPE/role``; the rest does not choose among its entries.

    Raises:
        ConfigError: another form, or a run type that does not exist.
    """
    match = ENTRIES_QUERY.fullmatch(text.strip())
    if match is None or match[2] not in RUN_TYPES:
        raise ConfigError(f"bad component entries query: {text!r}", hint="expected component/RUNTYPE/role")
    return match[1]


def resolve(store: Store, query: Query) -> Query:
    """Return the first query that exists: as asked, any run type, any role, any of both.

    Raises:
        ConfigError: none exists.
    """
    for run_type, role in (
        (query.run_type, query.role),
        ("ANY", query.role),
        (query.run_type, "any"),
        ("ANY", "any"),
    ):
        candidate = replace(query, run_type=run_type, role=role)
        if store.exists(candidate.key):
            return candidate
    raise NotThereError(f"could not resolve configuration path {query.key}")


def payload(store: Store, query: Query) -> str:
    """Return the text of an entry, exactly there: nothing is resolved.

    Raises:
        ConfigError: no text there.
    """
    text = store.get(query.key)
    if text is None:
        raise NotThereError(f"no payload at configuration path {query.key}")
    return text


@runtime_checkable
class IndexedStore(Protocol):
    """A store that counts its changes, as Consul does."""

    def get_with_index(self, key: str) -> tuple[str, int] | None:
        """Return the text at the key and the number of its last change; None if there is none."""
        ...


def payload_with_index(store: Store, query: Query) -> tuple[str, int]:
    """Return the text of an entry and the number of its last change.

    Raises:
        ConfigError: no text there, or a store that does not count its changes.
    """
    if not isinstance(store, IndexedStore):
        raise ConfigError(f"{store.uri} has no index of changes", hint="only Consul has; ask for the payload alone")
    found = store.get_with_index(query.key)
    if found is None:
        raise NotThereError(f"no payload at configuration path {query.key}")
    return found


def components(store: Store) -> list[str]:
    """Return the names of all components, sorted: what is a folder, not a text."""
    keys = [key.removeprefix(f"{COMPONENTS}/").split("/") for key in store.keys(COMPONENTS)]
    texts = {first for first, *deeper in keys if not deeper}
    folders = {first for first, *deeper in keys if deeper}
    return sorted(folders | (set(store.names(COMPONENTS)) - texts))


def entries(store: Store, component: str) -> list[str]:
    """Return all entries of a component as ``RUNTYPE/role/entry``, sorted.

    Raises:
        ConfigError: a component without entries, or none of that name.
    """
    folder = f"{COMPONENTS}/{component}"
    found = store.keys(folder) if segments(component) == [component] else []
    if not found:
        raise NotThereError(f"no keys found for component {component}", hint=f"known: {', '.join(components(store))}")
    paths = (key.removeprefix(f"{folder}/") for key in found)
    return sorted(path for path in paths if path.count("/") >= 2)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found."""

    component_existed: bool
    entry_existed: bool
    """Something stood at the first part of the entry's name."""


def import_payload(store: Store, query: Query, text: str, *, new_component: bool) -> Imported:
    """Write a payload into a component that exists, or with ``new_component`` into one that does not.

    Raises:
        ConfigError: it is the other way round; nothing was written.
    """
    known = components(store)
    exists = query.component in known
    if not exists and not new_component:
        raise ConfigError(
            f"component {query.component} does not exist; known: {', '.join(known) or 'none'}",
            hint="import it as a new component",
        )
    if exists and new_component:
        raise ConfigError(f"component {query.component} exists already", hint="import into it as it is, not as new")
    first = replace(query, entry=query.entry.split("/")[0])
    imported = Imported(component_existed=exists, entry_existed=store.exists(first.key))
    store.put(query.key, text)
    return imported
