"""The configuration store in one YAML file, with the same keys as Consul; nested mappings are folders.

Several processes may use one file: writers take a lock beside it and read it again before they write, readers see
whole files only. Comments are lost at the first write. A missing file is an empty store, made by the first write or
by prepare(). A lookup reads the file again only if it has changed.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from occ.errors import ConfigError
from server.config.tree import Folder, TreeStore


class FileStore(TreeStore):
    """A Store on a YAML file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"file://{path}")
        self.path = path
        self._lock = threading.RLock()
        self._seen: tuple[int, int, int] | None = None
        self._root: Folder = {}

    def prepare(self) -> None:
        """Write an empty file if there is none, and read what is there."""
        if not self.path.exists():
            with self._writing():
                if not self.path.exists():
                    self._write({})
        self._read()

    def _read(self) -> Folder:
        """Return the file's content; a new parse only if the file is another or has changed."""
        with self._lock:
            try:
                status = self.path.stat()
            except FileNotFoundError:
                self._seen, self._root = None, {}
                return self._root
            except OSError as error:
                raise _unusable(self.path, "read", error) from error
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                try:
                    text = self.path.read_text(encoding="utf-8")
                except OSError as error:
                    raise _unusable(self.path, "read", error) from error
                except UnicodeDecodeError as error:
                    raise ConfigError(f"configuration {self.path} is not UTF-8 text: {error}") from error
                self._root = parse(text, str(self.path))
                self._seen = seen
            return self._root

    def _change(self, change: Callable[[Folder], bool]) -> bool:
        """Apply a change to what is in the file now and write it if the change says that it did something."""
        with self._writing():
            self._seen = None  # what another process wrote within one tick of the clock must not be missed
            root = self._read()
            try:
                changed = change(root)
                if changed:
                    self._write(root)
            except BaseException:
                self._seen = None  # the change may be half done in memory
                raise
            return changed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep out all other writers, of this and of other processes."""
        with self._lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise _unusable(self.path, "written", error) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def _write(self, root: Folder) -> None:
        """Replace the file at once: readers see the old or the new one, also after a crash."""
        text = dump(root)
        try:
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o644
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
                    status = os.fstat(file.fileno())
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _unusable(self.path, "written", error) from error
        self._root, self._seen = root, (status.st_mtime_ns, status.st_ino, status.st_size)


def parse(text: str, name: str) -> Folder:
    """Return the content of a YAML text: scalars as they are spelled, mappings as folders.

    Args:
        name: of the file, for messages.

    Raises:
        ConfigError: not YAML, or something else than mappings of scalars; names file, line and column.
    """
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"{error.context or ''} {error.problem or ''}".strip()
        raise _broken(name, mark, problem or "not YAML") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"configuration {name} is not YAML: {' '.join(str(error).split())}") from error
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return {}
    content = _content(node, name, frozenset())
    if isinstance(content, str):
        raise _broken(name, node.start_mark, "expected a mapping, found a single value")
    return content


def dump(root: Folder) -> str:
    """Return the YAML text of a tree; read back, every value has the same text."""
    return yaml.dump(root, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10**9)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it: ten times as fast, same nodes."""


class _Dumper(yaml.SafeDumper):
    """Writes every value so that its spelling survives, texts of several lines as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = all(character == "\n" or character.isprintable() for character in value)
    style = ("|" if "\n" in value else None) if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represent)


def _content(node: yaml.Node, name: str, above: frozenset[int]) -> str | Folder:
    if id(node) in above:
        raise _broken(name, node.start_mark, "an alias to a folder that contains it")
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:null" and node.value:
            raise _broken(name, node.start_mark, f"expected a text, found {node.value}; put it into quotes")
        return str(node.value)
    if not isinstance(node, yaml.MappingNode):
        raise _broken(name, node.start_mark, "expected a text or a mapping, found a list; write JSON text into quotes")
    folder: Folder = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or not str(key_node.value).strip("/"):
            raise _broken(name, key_node.start_mark, "expected a name")
        if "/" in key_node.value:
            raise _broken(name, key_node.start_mark, f"name {key_node.value!r} contains a slash; write nested mappings")
        if key_node.value in folder:
            raise _broken(name, key_node.start_mark, f"name {key_node.value!r} stands here twice")
        folder[key_node.value] = _content(value_node, name, above | {id(node)})
    return folder


def _broken(name: str, mark: yaml.Mark | None, problem: str) -> ConfigError:
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
    return ConfigError(f"configuration {where}: {problem}", hint="correct the file and try again")


def _unusable(path: Path, what: str, error: OSError) -> ConfigError:
    return ConfigError(f"configuration {path} cannot be {what}: {error.strerror or error}")
