"""What a configuration store can do: text by key, the key layout of AliECS (workflows-config.md 9.2).

Keys are folders and a name joined by ``/``; surrounding slashes do not count. Stores are synchronous and may block:
the core reaches them through configuration.py. Opened by address: open.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from occ.errors import ConfigError

COMPONENTS = "o2/components"
RUNTIME = "o2/runtime"
HARDWARE = "o2/hardware"
DETECTORS = f"{HARDWARE}/detectors"
FLPS = f"{HARDWARE}/flps"
RUN_NUMBER = f"{RUNTIME}/run_number"
MAX_NESTING = 100
"""Folders in one another."""


class NotThereError(ConfigError):
    """Nothing is where it was asked for."""


@dataclass(frozen=True, slots=True)
class TextChange:
    """One text to set."""

    key: str
    """As Store has it; with a slash at its end it is that of a folder, which has no text."""
    value: str
    expected: str | None
    """What must be there now; None for nothing."""


class Watch(Protocol):
    """Follows a folder of a store and calls back when something in it may have changed; from any thread."""

    def check(self) -> None:
        """Look now, and call back before this returns, where only looking can tell (a file); costs next to nothing."""
        ...

    def close(self) -> None:
        """End it at once; there is no call any more when this returns."""
        ...


class Store(Protocol):
    """A configuration store.

    All methods raise ConfigError if the store cannot be read or written or refuses to be, LinkError if it cannot be
    reached, and DeadlineError if it does not answer: then a write may have happened.
    """

    @property
    def uri(self) -> str:
        """Address of the store, as open.py reads it."""
        ...

    def prepare(self) -> None:
        """Make sure that the store can be used; a file that is missing is made."""
        ...

    def close(self) -> None:
        """End what is held open, and whatever still waits for an answer; nothing may be asked any more."""
        ...

    def get(self, key: str) -> str | None:
        """Return the text at the key; None if there is none (a folder has none)."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether something is at the key, a text or a folder."""
        ...

    def put(self, key: str, value: str) -> None:
        """Set the text at the key, making folders as needed.

        Raises:
            ConfigError: a folder is at the key, or a text where a folder would be needed.
        """
        ...

    def put_if(self, key: str, value: str, expected: str | None) -> bool:
        """Set the text only if it is ``expected`` now (None: no text yet); tell whether it was set. Atomic."""
        ...

    def put_all(self, changes: Sequence[TextChange]) -> list[str]:
        """Set many texts, each only if it is as expected now; return the keys where it was not.

        A folder is made for a key that ends in a slash. Each text is set by itself.

        Raises:
            ConfigError: as put(); where one cannot be, none is set.
        """
        ...

    def delete(self, key: str) -> bool:
        """Remove what is at the key, a folder with all below it; tell whether there was something."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Return the full keys of all texts below the folder, in the store's order; none if there is no folder."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the names directly in the folder, texts and folders, in the store's order."""
        ...

    def get_tree(self, prefix: str) -> dict[str, str]:
        """Return all texts below the folder by key relative to it."""
        ...

    def snapshot(self, prefix: str) -> Store:
        """Return what is below the folder now, with its full keys, to look many things up in at the cost of one read."""
        ...

    def watch(self, prefix: str, changed: Callable[[], None]) -> Watch:
        """Follow the folder from now on. May call back once more than needed, never once less."""
        ...


def segments(key: str) -> list[str]:
    """Return the parts of a key; surrounding and doubled slashes do not count."""
    return [part for part in key.split("/") if part]


def check_key(key: str) -> None:
    """Check that a text can be set at a key.

    Raises:
        ConfigError: its names are no text, or too many.
    """
    try:
        key.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"{key!r} cannot be set: the character at position {error.start} is none"
        raise ConfigError(message, hint="names of keys are UTF-8") from None
    if len(segments(key)) > MAX_NESTING:
        raise ConfigError(f"{key[:MAX_NESTING]}… cannot be set: more than {MAX_NESTING} folders in one another")


def to_bytes(key: str, value: str) -> bytes:
    """Return what is kept of a text: UTF-8, and the bytes behind surrogates that stand for what is not UTF-8.

    Raises:
        ConfigError: half a character, which is neither.
    """
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        message = f"{key} cannot be set: the text has half a character at position {error.start}"
        raise ConfigError(message) from None
