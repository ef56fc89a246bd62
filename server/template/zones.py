"""Time zones as Go's time.Location has them, read from the zone database of the system.

The original reads it too, hence both know the same zones on the same host. Rules beyond a file's list: zone_rules.py.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

from server.template.errors import ExpressionError
from server.template.zone_rules import Spell, YearlyRule, read_rule

FOLDERS = ("/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo")
MAX_BYTES = 1_000_000
"""Of a file that is read; the largest has a few thousand."""
MAX_LENGTH = 255
"""Characters of a name, as of any file's."""
_ALWAYS = -(1 << 63)


class Zone:
    """A time zone. Two are the same only if they are one object, as pointers are; ``says_the_same`` compares more."""

    __slots__ = ("indexes", "name", "rule", "spells", "transitions")

    def __init__(
        self,
        name: str,
        spells: tuple[Spell, ...],
        transitions: tuple[int, ...] = (),
        indexes: tuple[int, ...] = (),
        rule: YearlyRule | None = None,
    ) -> None:
        self.name = name
        self.spells = spells
        """All that ever held."""
        self.transitions = transitions
        """Unix seconds from which on those of ``indexes`` hold."""
        self.indexes = indexes
        self.rule = rule
        """Holds after the last transition."""

    def __str__(self) -> str:
        return self.name

    def __lt__(self, other: Zone) -> bool:
        return self.name < other.name

    def at(self, unix_s: int) -> Spell:
        """Return what holds at a time."""
        index = bisect_right(self.transitions, unix_s) - 1
        if index < 0:
            return self._before()
        if self.rule is not None and index == len(self.transitions) - 1:
            return self.rule.at(unix_s)
        return self.spells[self.indexes[index]]

    def named(self, name: str, local_s: int) -> int | None:
        """Return the offset of an abbreviation at a time of the local clock, None if the zone knows none such."""
        offsets = [spell.offset_s for spell in self.spells if spell.name == name]
        for offset in offsets:
            found = self.at(local_s - offset)
            if found.name == name:
                return found.offset_s
        return offsets[0] if offsets else None

    def says_the_same(self, other: Zone) -> bool:
        return all(getattr(self, field) == getattr(other, field) for field in Zone.__slots__)

    def _before(self) -> Spell:
        """Return what holds before the first transition, as localtime decides it."""
        candidates = self.spells[:1]
        if 0 in self.indexes:
            first = self.indexes[0]
            earlier = self.spells[first - 1 :: -1] if first and self.spells[first].is_dst else ()
            candidates = (*(spell for spell in (*earlier, *self.spells) if not spell.is_dst), *candidates)
        return candidates[0]

    def json_form(self) -> object:
        return {}


UTC = Zone("UTC", (Spell(0, False, "UTC"),))


def fixed_zone(name: str, offset_s: int) -> Zone:
    """Return a zone that always has one offset; those of whole hours without a name are one object each."""
    if not name and offset_s % 3600 == 0 and -12 <= offset_s // 3600 <= 14:
        return _whole_hours(offset_s)
    return Zone(name, (Spell(offset_s, False, name),))


@lru_cache
def _whole_hours(offset_s: int) -> Zone:
    return Zone("", (Spell(offset_s, False, ""),))


def load_zone(name: str) -> Zone:
    """Return the zone of a name like ``Europe/Zurich``, each time another object.

    Raises:
        ExpressionError: the system has none.
    """
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return local_zone()
    is_name = ".." not in name and name[0] not in "/\\" and len(name) <= MAX_LENGTH
    zone = _from_database(name) if is_name else None
    if zone is None:
        raise ExpressionError(
            f"unknown time zone {name}: expected a name like Europe/Zurich of the zone database of this host (package tzdata)"
        )
    return Zone(name, zone.spells, zone.transitions, zone.indexes, zone.rule)


@lru_cache(maxsize=1)
def local_zone() -> Zone:
    """Return the zone of this host: that of the variable TZ, else that of /etc/localtime."""
    setting = os.environ.get("TZ")
    if setting is None:
        zone, name = _read(Path("/etc/localtime")), "Local"
    else:
        name = setting.removeprefix(":")
        zone = _read(Path(name)) if name.startswith("/") else _from_database(name) if name not in ("", "UTC") else None
        name = "Local" if name == "/etc/localtime" else name
    if zone is None:
        return Zone("UTC", UTC.spells)
    return Zone(name, zone.spells, zone.transitions, zone.indexes, zone.rule)


@lru_cache(maxsize=1000)
def _from_database(name: str) -> Zone | None:
    folders = (os.environ.get("ZONEINFO", ""), *FOLDERS)
    found = (_read(Path(folder) / name) for folder in folders if folder)
    return next((zone for zone in found if zone is not None), None)


def _read(path: Path) -> Zone | None:
    """Return the zone in a file, None if there is none."""
    try:
        with path.open("rb") as file:
            return _decoded(file.read(MAX_BYTES))
    except (OSError, ValueError, struct.error, IndexError):
        return None


_COUNTS = struct.Struct(">6L")
_HEAD = 20
"""Bytes of magic, version and nothing."""


def _decoded(data: bytes) -> Zone | None:
    """Decode a TZif file (RFC 8536).

    Raises:
        ValueError, struct.error, IndexError: it is none.
    """
    if data[:4] != b"TZif":
        return None
    at, size = _HEAD, 4
    utc_count, wall_count, leaps, times, kinds, characters = _COUNTS.unpack_from(data, at)
    if data[4:5] >= b"2":
        at += _COUNTS.size + times * 5 + kinds * 6 + characters + leaps * 8 + wall_count + utc_count + _HEAD
        size = 8
        utc_count, wall_count, leaps, times, kinds, characters = _COUNTS.unpack_from(data, at)
    at += _COUNTS.size
    transitions = struct.unpack_from(f">{times}{'q' if size == 8 else 'l'}", data, at)
    indexes = tuple(data[at + times * size : at + times * (size + 1)])
    at += times * (size + 1)
    names = data[at + kinds * 6 : at + kinds * 6 + characters]
    spells = tuple(
        Spell(offset, bool(is_dst), names[start : names.index(b"\0", start)].decode("ascii"))
        for offset, is_dst, start in struct.iter_unpack(">lBB", data[at : at + kinds * 6])
    )
    if not spells or (indexes and max(indexes) >= len(spells)):
        return None
    at += kinds * 6 + characters + leaps * (size + 4) + wall_count + utc_count
    rule = read_rule(data[at:].decode("ascii").strip("\n")) if size == 8 else None
    return Zone("", spells, transitions or (_ALWAYS,), indexes or (0,), rule)
