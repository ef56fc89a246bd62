"""The unfinished creation of an environment on disk, so that nothing typed is lost: one file for each core.

It stands in the state folder of the user, readable by nobody else. A broken one is named and passed over.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

VERSION = 1


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was chosen and typed so far."""

    version: int = VERSION
    endpoint: str = ""
    saved_ms: int = 0
    repo: str = ""
    template: str = ""
    revision: str = ""
    changed: Mapping[str, str] = {}
    step: int = 1

    @property
    def is_empty(self) -> bool:
        return not self.template and not self.changed


def folder() -> Path:
    """Return where drafts stand, by the convention for state of users."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "aliecs" / "drafts"


def path_of(endpoint: str) -> Path:
    """Return the file for the core at an endpoint."""
    return folder() / (re.sub(r"[^A-Za-z0-9.-]+", "_", endpoint) + ".json")


def save(draft: Draft) -> str:
    """Write a draft, or remove the file if there is nothing in it; say what went wrong, "" if nothing did. Blocks."""
    path = path_of(draft.endpoint)
    try:
        if draft.is_empty:
            path.unlink(missing_ok=True)
            return ""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = msgspec.json.format(
            msgspec.json.encode(msgspec.structs.replace(draft, saved_ms=int(time.time() * 1000)))
        )
        written = path.with_suffix(".new")
        with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
        os.replace(written, path)
    except OSError as error:
        return f"draft not saved: {error}"
    return ""


def load(endpoint: str) -> tuple[Draft | None, str]:
    """Return the draft for a core, None if there is none, and what is wrong with its file, "" if nothing is. Blocks."""
    path = path_of(endpoint)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"{path}: {error.strerror}; it is passed over"
    try:
        draft = msgspec.json.decode(text, type=Draft)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, f"{path}: {error}; it is passed over"
    if draft.version != VERSION:
        return None, f"{path}: is version {draft.version}, not {VERSION}; it is passed over"
    return draft, ""
