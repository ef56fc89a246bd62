"""A store as one tree in memory: texts and folders by name. What the file and the empty store have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from occ.errors import ConfigError
from server.config.store import Store, TextChange, Watch, check_key, segments, to_bytes

Folder = dict[str, "str | Folder"]
"""Texts and folders by name. A tree that was handed out is never changed: changes make a new one."""

Change = Callable[[Folder], "Folder | None"]
"""Makes a new tree of one; None if there is nothing to change."""


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
        self._change(lambda root: with_change(root, _text(key, value), self.uri))

    def put_if(self, key: str, value: str, expected: str | None) -> bool:
        """Set the text if it is ``expected`` now."""

        def change(root: Folder) -> Folder | None:
            found = find(root, key)
            is_expected = (found if isinstance(found, str) else None) == expected
            return with_change(root, _text(key, value), self.uri) if is_expected else None

        return self._change(change)

    def put_all(self, changes: Sequence[TextChange]) -> list[str]:
        """Set many texts at once, each only if it is as expected now; return the keys where it was not."""
        others: list[str] = []

        def change(root: Folder) -> Folder | None:
            others.clear()
            changed = root
            for one in changes:
                found = find(root, one.key)
                if one.key.endswith("/") or (found if isinstance(found, str) else None) == one.expected:
                    changed = with_change(changed, one, self.uri)
                else:
                    others.append(one.key)
            return None if changed is root else changed

        self._change(change)
        return others

    def delete(self, key: str) -> bool:
        """Remove the text or the folder at the key; folders that become empty stay."""
        return self._change(lambda root: _without(root, segments(key)))

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

    def prepare(self) -> None:
        """Read what is there."""
        self._read()

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def snapshot(self, prefix: str) -> Store:
        """Return the tree as it is now."""
        return SnapshotStore(self.uri, self._read())

    def watch(self, prefix: str, changed: Callable[[], None]) -> Watch:
        """Follow the folder by looking at it whenever told to."""
        return TreeWatch(self, prefix, changed)

    def _read(self) -> Folder:
        """Return the tree as it is now; the same object as long as nothing has changed, never changed by anybody."""
        raise NotImplementedError

    def _change(self, change: Change) -> bool:
        """Replace the tree by what a change makes of it as it is now, alone; tell whether it made something of it."""
        raise NotImplementedError


class SnapshotStore(TreeStore):
    """A tree that stays as it is: a Store to read from."""

    def __init__(self, uri: str, root: Folder) -> None:
        super().__init__(uri)
        self._root = root

    def _read(self) -> Folder:
        return self._root

    def _change(self, change: Change) -> bool:
        raise ConfigError(f"{self.uri} was read at one moment: what was read cannot be changed")


class TreeWatch:
    """A Watch that looks when it is told to. Safe to use from several threads."""

    def __init__(self, store: TreeStore, prefix: str, changed: Callable[[], None]) -> None:
        self._store = store
        self._prefix = prefix
        self._changed = changed
        self._is_over = False
        self._lock = threading.Lock()
        self._seen = store._read()

    def check(self) -> None:
        """Call back if the folder is another than it was when this was last asked."""
        with self._lock:
            root = self._store._read()
            if self._is_over or root is self._seen:
                return
            before, self._seen = self._seen, root
            if find(before, self._prefix) != find(root, self._prefix):
                self._changed()

    def close(self) -> None:
        """Call back no more."""
        with self._lock:
            self._is_over = True


def find(root: Folder, key: str) -> str | Folder | None:
    """Return what is at the key: a text, a folder, or None."""
    found: str | Folder | None = root
    for part in segments(key):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def with_change(root: Folder, change: TextChange, uri: str) -> Folder:
    """Return a tree with one text or one folder more; what it shares with the old one stays as it is.

    Args:
        uri: of the store, for messages.

    Raises:
        ConfigError: a folder is where the text would be, or a text where a folder would be needed.
    """
    key = change.key
    check_key(key)
    to_bytes(key, change.value)  # refused here rather than where the file is written
    *above, name = segments(key) or [""]
    if key.endswith("/") and name:
        return root if isinstance(find(root, key), dict) else _opened(root, key, [*above, name], uri)[0]
    changed, folder = _opened(root, key, above, uri)
    if not name or isinstance(folder.get(name), dict):
        raise ConfigError(f"{key!r} in {uri} cannot be set: it is a folder")
    folder[name] = change.value
    return changed


def _opened(root: Folder, key: str, above: Sequence[str], uri: str) -> tuple[Folder, Folder]:
    """Return a new tree that has a folder, and that folder, which may be changed."""
    changed = folder = dict(root)
    for part in above:
        below = folder.get(part) or {}  # "name:" without anything is a text in YAML, an empty one
        if isinstance(below, str):
            raise ConfigError(f"{key} in {uri} cannot be set: {part} is a text, not a folder")
        folder[part] = folder = dict(below)
    return changed, folder


def _text(key: str, value: str) -> TextChange:
    return TextChange("/".join(segments(key)), value, None)


def _without(root: Folder, parts: list[str]) -> Folder | None:
    """Return a tree without what is at a key; None if nothing is there."""
    if not parts or parts[0] not in root:
        return None
    name, *rest = parts
    below = root[name]
    if not rest:
        return {other: value for other, value in root.items() if other != name}
    left = _without(below, rest) if isinstance(below, dict) else None
    return None if left is None else root | {name: left}


def _flatten(folder: Folder, head: str) -> Iterator[tuple[str, str]]:
    for name, value in folder.items():
        if isinstance(value, str):
            yield head + name, value
        else:
            yield from _flatten(value, f"{head}{name}/")
