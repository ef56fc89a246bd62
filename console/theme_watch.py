"""Notices when the files of a theme change, by Linux's inotify; nothing polls. Elsewhere, or where the kernel allows no more
watches, a theme stays as it was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from console import themes
from console.themes import Theme
from occ.errors import ConfigError

SETTLE_S = 0.1
"""Editors write a file in several steps; it is read when so long nothing happened to it."""

_CHANGES = 0x8 | 0x40 | 0x80 | 0x100 | 0x200
"""IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE."""
_EVENT = struct.Struct("iIII")
"""Watch, mask, cookie, length of the name that follows."""


async def watch_theme(name: str, used: Theme | None = None) -> AsyncIterator[Theme | str]:
    """Give the theme each time that it changed, or in words why it cannot be used any more; never ends by itself.

    Args:
        used: as it was read before; what changed since then counts too.
    """
    last = used or _read(name)
    try:
        watch = _Watch()
    except OSError as error:
        yield f"theme {name}: changes of its file will not be noticed: {error.strerror}"
        return
    with watch:
        watch.add(_folders(last))
        if await asyncio.to_thread(_read, name) != last:  # it changed before it was watched
            watch.stir()
        while True:
            await watch.changed()
            found = await asyncio.to_thread(_read, name)
            watch.add(_folders(found))
            if found != last:
                last = found
                yield found


def _read(name: str) -> Theme | str:
    try:
        return themes.read(name)
    except ConfigError as error:
        return f"theme {name}: {error}; the one before stays"


def _folders(found: Theme | str) -> Iterator[Path]:
    """Return the folders of themes and, where files are links, those that they lead to."""
    yield from themes.search_path()
    if isinstance(found, Theme):
        yield from (Path(file).resolve().parent for file in found.files)


class _Watch:
    """One inotify descriptor; OSError if the kernel gives none."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError(0, "only Linux tells of them")
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._stirred = asyncio.Event()

    def __enter__(self) -> _Watch:
        asyncio.get_running_loop().add_reader(self._fd, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def add(self, folders: Iterator[Path]) -> None:
        """Watch folders too; one that is watched already is no matter, one that is not there is passed over."""
        for folder in folders:
            self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _CHANGES)

    def stir(self) -> None:
        """Let a change count that nobody was told of."""
        self._stirred.set()

    async def changed(self) -> None:
        """Wait until something changed, and until that is over."""
        await self._stirred.wait()
        while self._stirred.is_set():
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), SETTLE_S)

    def _take(self) -> None:
        """Read what the kernel has to tell; the names of other files do not count, and an overflow counts as a change."""
        data = os.read(self._fd, 65536)
        at = 0
        while at < len(data):
            watch, _, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            if watch < 0 or name.endswith(b".yaml"):
                self._stirred.set()
            at += _EVENT.size + length
