"""A store as one tree in memory: texts and folders by name. What the file and the empty store have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from occ.errors import ConfigError
from server.config.store import segments

Folder = dict[str, "str | Folder"]
"""Texts and folders by name."""


class TreeStore:
    """The lookups and changes of a Store on a tree; where the tree is kept is for those who derive from it.

    Args:
        uri: address of the store; every message names it.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def get(self, key: str) -> str | None:
        """Return the text at the key; None for a folder and for nothing."""
        found = find(self._read(), key)
        return found if isinstance(found, str) else None

    def exists(self, key: str) -> bool:
        """Tell whether a text or a folder is at the key."""
        return find(self._read(), key) is not None

    def put(self, key: str, value: str) -> None:
        """Set the text at the key."""
        self._change(lambda root: self._set(root, key, value))

    def put_if(self, key: str, value: str, expected: str | None) -> bool:
        """Set the text if it is ``expected`` now."""

        def change(root: Folder) -> bool:
            found = find(root, key)
            if (found if isinstance(found, str) else None) != expected:
                return False
            return self._set(root, key, value)

        return self._change(change)

    def delete(self, key: str) -> bool:
        """Remove the text or the folder at the key; folders that become empty stay."""

        def change(root: Folder) -> bool:
            *above, name = segments(key) or [""]
            folder = find(root, "/".join(above)) if above else root
            return isinstance(folder, dict) and folder.pop(name, None) is not None

        return self._change(change)

    def keys(self, prefix: str) -> list[str]:
        """Return the full keys of all texts below the folder, in the order of the tree."""
        head = "/".join(segments(prefix))
        return [f"{head}/{key}" if head else key for key in self.get_tree(prefix)]

    def names(self, prefix: str) -> list[str]:
        """Return the names directly in the folder, in the order of the tree."""
        found = find(self._read(), prefix)
        return list(found) if isinstance(found, dict) else []

    def get_tree(self, prefix: str) -> dict[str, str]:
        """Return all texts below the folder by relative key."""
        found = find(self._read(), prefix)
        return dict(_flatten(found, "")) if isinstance(found, dict) else {}

    def _read(self) -> Folder:
        """Return the tree as it is now; it is not changed by who gets it."""
        raise NotImplementedError

    def _change(self, change: Callable[[Folder], bool]) -> bool:
        """Apply a change to the tree as it is now, alone, and keep it if the change says that it did something."""
        raise NotImplementedError

    def _set(self, root: Folder, key: str, value: str) -> bool:
        parts = segments(key)
        folder = root
        for part in parts[:-1]:
            if not folder.get(
                part
            ):  # nothing, an empty folder, or "name:" without anything, which YAML reads as a text
                folder[part] = {}
            below = folder[part]
            if isinstance(below, str):
                raise ConfigError(f"{key} in {self.uri} cannot be set: {part} is a text, not a folder")
            folder = below
        if not parts or isinstance(folder.get(parts[-1]), dict):
            raise ConfigError(f"{key!r} in {self.uri} cannot be set: it is a folder")
        folder[parts[-1]] = value
        return True


def find(root: Folder, key: str) -> str | Folder | None:
    """Return what is at the key: a text, a folder, or None."""
    found: str | Folder | None = root
    for part in segments(key):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _flatten(folder: Folder, head: str) -> Iterator[tuple[str, str]]:
    for name, value in folder.items():
        if isinstance(value, str):
            yield head + name, value
        else:
            yield from _flatten(value, f"{head}{name}/")
