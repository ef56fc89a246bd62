"""The configuration store in Consul, with AliECS's keys (workflows-config.md 9.2). How Consul is asked: consul_kv.py.

Consul has no folders: a folder is what keys have in common, or a key of its own that ends in a slash. It would take a text
and a folder of one name; this store does not make such, and where others did, both are shown.
"""

from __future__ import annotations

import logging
import secrets
import weakref
from collections.abc import Callable, Sequence

from occ.errors import AliecsError, ConfigError, DeadlineError
from server.config.consul_kv import ConsulKv, Item
from server.config.consul_watch import ConsulWatch
from server.config.store import RUN_NUMBER, Store, TextChange, Watch, segments
from server.config.tree import Folder, SnapshotStore, with_change

log = logging.getLogger(__name__)


class ConsulStore:
    """A Store in Consul. Safe to use from several threads and processes.

    Args:
        host, port: of a Consul agent.
        deadline_s: longest time for one request; what is asked here takes up to three of them.
        token: for Consul's access control lists.
    """

    def __init__(self, host: str, port: int, *, deadline_s: float, token: str = "") -> None:
        self._agent = (host, port)
        self._deadline_s = deadline_s
        self._token = token
        self._kv = self._open()
        self._watches: weakref.WeakSet[ConsulWatch] = weakref.WeakSet()

    @property
    def uri(self) -> str:
        """Address of the agent."""
        return self._kv.uri

    def prepare(self) -> None:
        """Ask for a key that every core needs: proves that Consul is there, has a leader and permits it."""
        self._kv.item(RUN_NUMBER, is_consistent=True)

    def close(self) -> None:
        """End all requests and all watches."""
        self._kv.close()
        for watch in list(self._watches):
            watch.close()

    def get(self, key: str) -> str | None:
        """Return the text at the key."""
        path = self._path(key)
        found = self._kv.item(path) if path else None
        return None if found is None else found.text

    def get_with_index(self, key: str) -> tuple[str, int] | None:
        """Return the text at the key and the index of its last change."""
        path = self._path(key)
        found = self._kv.item(path) if path else None
        return None if found is None else (found.text, found.index)

    def exists(self, key: str) -> bool:
        """Tell whether a text or a folder is at the key."""
        path = self._path(key)
        return any(self._there(path)) if path else bool(self._kv.keys("", separator="/"))

    def put(self, key: str, value: str) -> None:
        """Set the text at the key."""
        path = self._path(key)
        if not path or not self._there(path)[0]:
            self._check_free(path)
        self._kv.put(path, value)

    def put_if(self, key: str, value: str, expected: str | None) -> bool:
        """Set the text if it is ``expected`` now, by compare-and-set on the index of the change that made it so."""
        path = self._path(key)
        before = self._kv.item(path, is_consistent=True) if path else None
        if (None if before is None else before.text) != expected:
            return False
        if before is None:
            self._check_free(path)
        return self._set(path, value, before)

    def put_all(self, changes: Sequence[TextChange]) -> list[str]:
        """Set many texts, one by one, each only if it is as expected now; return the keys where it was not."""
        if not changes:
            return []
        paths = {self._path(one.key): one for one in changes}
        tops = {path.partition("/")[0] for path in paths}
        there = {item.key: item for item in self._kv.items(tops.pop() if len(tops) == 1 else "")}
        tree: Folder = {}
        for item in there.values():
            _add(tree, item)
        for path, one in paths.items():
            if path not in there:
                tree = with_change(tree, one, self.uri)  # refuses what does not fit
        others: list[str] = []
        for count, (path, one) in enumerate(paths.items()):
            before = there.get(path)
            try:
                if one.key.endswith("/"):
                    self._kv.put(f"{path}/", "")
                elif (before.text if before else None) != one.expected or not self._set(path, one.value, before):
                    others.append(one.key)
            except AliecsError as error:
                error.message += f"; {count} of {len(paths)} keys were done before"
                raise
        return others

    def delete(self, key: str) -> bool:
        """Remove the text at the key and the folder with all below it."""
        path = self._path(key)
        is_text, is_folder = self._there(path) if path else (False, False)
        if is_folder:
            self._kv.delete(f"{path}/", is_prefix=True)
        if is_text:
            self._kv.delete(path)
        return is_text or is_folder

    def keys(self, prefix: str) -> list[str]:
        """Return the full keys of all texts below the folder, sorted."""
        return [key for key in self._kv.keys(self._folder(prefix)) if self._is_text(key)]

    def names(self, prefix: str) -> list[str]:
        """Return the names directly in the folder, sorted."""
        folder = self._folder(prefix)
        found = (key.removeprefix(folder).rstrip("/") for key in self._kv.keys(folder, separator="/"))
        return list(dict.fromkeys(name for name in found if name))

    def get_tree(self, prefix: str) -> dict[str, str]:
        """Return all texts below the folder by relative key, in one request."""
        folder = self._folder(prefix)
        return {one.key.removeprefix(folder): one.text for one in self._kv.items(folder) if self._is_text(one.key)}

    def snapshot(self, prefix: str) -> Store:
        """Return what is below the folder now, folders without texts too, in one request."""
        root: Folder = {}
        for one in self._kv.items(self._folder(prefix)):
            _add(root, one)
        return SnapshotStore(self.uri, root)

    def watch(self, prefix: str, changed: Callable[[], None]) -> Watch:
        """Follow the folder by blocking queries, in a thread."""
        watch = ConsulWatch(self._open(), self._folder(prefix), changed)
        self._watches.add(watch)
        return watch

    def _open(self) -> ConsulKv:
        return ConsulKv(*self._agent, deadline_s=self._deadline_s, token=self._token)

    def _path(self, key: str) -> str:
        """Return Consul's key of a text.

        Raises:
            ConfigError: a name that Consul or what lies between would read as another one.
        """
        parts = segments(key)
        for part in parts:
            if part in (".", "..") or not part.isprintable():
                raise ConfigError(
                    f"{key!r} in {self.uri}: {part!r} is not a name", hint="expected printable characters"
                )
        return "/".join(parts)

    def _folder(self, prefix: str) -> str:
        """Return what all keys in a folder begin with."""
        path = self._path(prefix)
        return f"{path}/" if path else ""

    def _there(self, path: str) -> tuple[bool, bool]:
        """Tell whether a text, and whether a folder is at a key."""
        found = self._kv.keys(path, separator="/")
        return path in found, f"{path}/" in found

    def _check_free(self, path: str) -> None:
        """Check that a new text is neither where a folder is nor below a text.

        Raises:
            ConfigError: it is.
        """
        if not path or self._there(path)[1]:
            raise ConfigError(f"{path!r} in {self.uri} cannot be set: it is a folder")
        above = path.rpartition("/")[0]
        while above:
            is_text, is_folder = self._there(above)
            if is_text:
                raise ConfigError(f"{path} in {self.uri} cannot be set: {above} is a text, not a folder")
            if is_folder:
                return  # what is above a folder was looked at when it was made
            above = above.rpartition("/")[0]

    def _set(self, path: str, value: str, before: Item | None) -> bool:
        """Set a text if it has not changed since it was read; tell whether it was set."""
        mark = secrets.randbits(62) + 1
        try:
            return self._kv.put(path, value, index=before.index if before else 0, flags=mark)
        except DeadlineError as error:
            self._decide(path, before, mark, error)
            return True

    def _decide(self, path: str, before: Item | None, mark: int, error: DeadlineError) -> None:
        """Find out whether a write without an answer happened: our mark stands beside the text then.

        Raises:
            DeadlineError: it did not, as far as can be seen, or that cannot be told.
        """
        try:
            after = self._kv.item(path, is_consistent=True)
        except DeadlineError:
            raise error from None
        if after is not None and after.flags == mark:
            return
        if (after.index if after else 0) == (before.index if before else 0):
            message = f"{error.message}, but had not when it was read again"
            raise DeadlineError(message, hint=error.hint) from error
        raise error

    def _is_text(self, key: str) -> bool:
        """Tell whether a key of Consul's is that of a text which can be asked for."""
        if key.endswith("/"):
            return False
        if "//" in key or key.startswith("/") or any(part in (".", "..") for part in key.split("/")):
            log.warning("key left out: it cannot be asked for by name store=%s key=%r", self.uri, key)
            return False
        return True


def _add(root: Folder, item: Item) -> None:
    """Put an item of Consul's into a tree; where a text and a folder have one name the folder is kept."""
    *above, name = item.key.split("/")
    folder = root
    for part in filter(None, above):
        below = folder.get(part)
        if not isinstance(below, dict):
            below = folder[part] = {}
        folder = below
    if name and not isinstance(folder.get(name), dict):
        folder[name] = item.text
