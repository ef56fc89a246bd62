"""Which recordings there are, by name, and where new ones go: the user's folder, and what is shipped."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from console.recording_lines import SUFFIX, timestamp
from server.api.errors import ConfigError

SHIPPED_FOLDERS = (
    Path(__file__).resolve().parent / "data" / "recordings",
    Path(__file__).resolve().parent.parent / "recordings",
)
"""In an installation, and in a clone."""


def known(folder: str = "") -> dict[str, Path]:
    """Return all recordings by name: the user's, the newest first, then those that are shipped. Reads folders.

    Args:
        folder: the user's; "" for none.
    """
    own = sorted(_in(Path(folder)), key=lambda file: file.name, reverse=True) if folder else []
    found = {file.stem: file for file in own}
    for shipped in SHIPPED_FOLDERS:
        for file in sorted(_in(shipped)):
            found.setdefault(file.stem, file)
    return found


def find(name: str, folder: str = "") -> Path:
    """Return the file of that name, or the recording of the user or among the shipped ones that is called so.

    Raises:
        ConfigError: there is none; says which there are.
    """
    path = Path(name).expanduser()
    if path.exists():
        return path
    names = known(folder)
    file = names.get(name.removesuffix(SUFFIX))
    if file is None:
        raise ConfigError(f"{name}: no such file", hint=f"there are {', '.join(names)}" if names else "")
    return file


def new_path(folder: str, name: str = "") -> Path:
    """Return the named file, or one in the folder for a recording that begins now."""
    if name:
        return Path(name).expanduser()
    moment = timestamp(time.time()).replace("-", "").replace(":", "").partition(".")[0]
    return Path(folder) / f"{moment}Z-{os.getpid()}{SUFFIX}"


def _in(folder: Path) -> Iterator[Path]:
    return folder.glob(f"*{SUFFIX}")
