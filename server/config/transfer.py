"""What differs between two stores, and carrying it over: texts, and folders that hold nothing but are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from server.config.store import RUN_NUMBER, Store, TextChange, segments

ALL = "o2"
"""The folder of everything that is AliECS's (workflows-config.md 9.2)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that is not the same on two sides."""

    key: str
    """With a slash at its end it is a folder without anything in it."""
    before: str | None
    after: str | None
    """None where there is nothing."""


def content(store: Store, key: str = ALL) -> dict[str, str]:
    """Return all texts at and below a key by their full key; an empty folder as a key with a slash at its end."""
    head = "/".join(segments(key))
    found = dict(_walk(store.snapshot(key), head))
    if not found and head and (text := store.get(head)) is not None:
        found[head] = text
    return found


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """Return what differs between two contents, sorted by key."""
    return [
        Difference(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to a store so that it has all that a source has."""

    changes: Sequence[Difference]
    kept: Sequence[Difference]
    """Run numbers that would become lower: they are never given twice."""
    extra: int
    """Keys that only the target has; they stay."""

    @classmethod
    def of(cls, source: Mapping[str, str], target: Mapping[str, str]) -> Plan:
        """Return the plan from the contents of both."""
        found = differences(target, source)
        wanted = [one for one in found if one.after is not None and not _has_folder(target, one.key)]
        lower = [one for one in wanted if one.key == RUN_NUMBER and _is_lower(one)]
        return cls(
            changes=[one for one in wanted if one not in lower],
            kept=lower,
            extra=sum(one.after is None and not _has_folder(source, one.key) for one in found),
        )

    def carry_out(self, target: Store) -> list[str]:
        """Change the store; return the keys that are another's by now and were left alone.

        Raises:
            AliecsError: it could not be done, or not to the end.
        """
        return target.put_all([TextChange(one.key, one.after or "", one.before) for one in self.changes])


def _walk(store: Store, folder: str) -> Iterator[tuple[str, str]]:
    names = store.names(folder)
    if folder and not names and store.exists(folder) and store.get(folder) is None:
        yield f"{folder}/", ""
    for name in names:
        key = f"{folder}/{name}" if folder else name
        text = store.get(key)
        if text is not None:
            yield key, text
        else:
            yield from _walk(store, key)


def _has_folder(content: Mapping[str, str], key: str) -> bool:
    """Tell whether a key is that of a folder that has something in it."""
    return key.endswith("/") and any(one.startswith(key) and one != key for one in content)


def _is_lower(one: Difference) -> bool:
    before, after = (one.before or "").strip(), (one.after or "").strip()
    return before.isdecimal() and after.isdecimal() and int(after) < int(before)
