"""Component configuration in a store: queries, resolution by run type and role, entries (workflows-config.md 9.3, 9.4, 9.9)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from occ.errors import ConfigError
from server.config.store import COMPONENTS, Store
from server.template.queries import QUERY, RUN_TYPES


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
    raise ConfigError(f"could not resolve configuration path {query.key}")


def payload(store: Store, query: Query) -> str:
    """Return the text of an entry, exactly there: nothing is resolved.

    Raises:
        ConfigError: no text there.
    """
    text = store.get(query.key)
    if text is None:
        raise ConfigError(f"no payload at configuration path {query.key}")
    return text


def components(store: Store) -> list[str]:
    """Return the names of all components."""
    return store.names(COMPONENTS)


def entries(store: Store, component: str) -> list[str]:
    """Return all entries of a component as ``RUNTYPE/role/entry``, sorted.

    Raises:
        ConfigError: a component without entries, or none of that name.
    """
    found = store.get_tree(f"{COMPONENTS}/{component}")
    if not found:
        raise ConfigError(f"no keys found for component {component}", hint=f"known: {', '.join(components(store))}")
    return sorted(key for key in found if key.count("/") >= 2)
