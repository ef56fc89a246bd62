"""The lines of a recording: what stands in each, how it is written, what is left out of it. No files here.

A recording is JSON lines: a header, then batches, pictures, marks and acts, each with ``t``, the seconds since the start.
Each line carries the SHA-256 of the line before, so that a change or a cut shows. Writing: recorder.py; reading:
recording.py.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

SCHEMA = "aliecs.recording/1"
SUFFIX = ".jsonl"
MAX_LINE_BYTES = 16 * 1024 * 1024

REDACTED = ("*token*", "*password*", "*secret*")
"""Globs on names of variables, without regard to case, whose values are left out."""
LEFT_OUT = "(left out)"

_CREDENTIALS = re.compile(r"(://)[^\s/@\"'<>]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line: where and when it was recorded."""

    version: str = ""
    """Of the program that recorded."""
    started: str
    """RFC 3339, UTC."""
    endpoint: str = ""
    instance: str = ""
    user: str = ""
    """Who recorded."""
    redacted: tuple[str, ...] = REDACTED
    schema: str = SCHEMA

    @property
    def started_s(self) -> float:
        """Unix time of the start; ValueError if that is no time with its zone."""
        moment = datetime.fromisoformat(self.started)
        if moment.tzinfo is None:
            raise ValueError(f"{self.started} has no zone")
        return moment.timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody did at the console."""

    verb: str
    target: str = ""
    level: int = 0
    """Of its confirmation."""
    outcome: str = ""


def timestamp(unix_s: float) -> str:
    """Return a time as a header has it."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Chain:
    """Encodes lines one after the other, each with the hash of the one before."""

    redacted: tuple[str, ...] = REDACTED
    last: str = field(default="", init=False)

    def header(self, header: Header) -> bytes:
        return self.line(asdict(header))

    def entry(self, t: float, kind: str, value: Any, **more: Any) -> bytes:
        """Return a line for a moment: kind ``batch``, ``picture``, ``mark``, ``act``, ``gap`` or ``end``."""
        return self.line({"t": round(t, 3), kind: redact(value, self.redacted), **more})

    def line(self, value: dict[str, Any]) -> bytes:
        """Return any line as it follows those before."""
        if self.last:
            value["prev"] = self.last
        text = _CREDENTIALS.sub(rf"\1{LEFT_OUT}@", json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        line = text.encode("utf-8", "replace")
        self.last = digest(line)
        return line + b"\n"


def digest(line: bytes) -> str:
    """Return what the following line must carry; without the line's end."""
    return hashlib.sha256(line).hexdigest()


def redact(value: Any, globs: tuple[str, ...]) -> Any:
    """Return JSON values with the texts left out that stand under a name which one of the globs matches."""
    if isinstance(value, dict):
        return {
            key: LEFT_OUT if isinstance(it, str) and it and _is_secret(key, globs) else redact(it, globs)
            for key, it in value.items()
        }
    if isinstance(value, list):
        return [redact(it, globs) for it in value]
    return value


def _is_secret(name: str, globs: tuple[str, ...]) -> bool:
    lowered = name.lower()
    return any(fnmatchcase(lowered, glob.lower()) for glob in globs)
