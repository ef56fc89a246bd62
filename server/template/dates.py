"""The builtin functions ``now``, ``date``, ``duration`` and ``timezone`` (workflows-config.md 6.2).

The table of all builtins: builtins.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.template.duration import parse_nanoseconds
from server.template.errors import ExpressionError
from server.template.layout_reading import read_moment
from server.template.layouts import RFC3339
from server.template.moments import Duration, Moment, now
from server.template.texts import text_of
from server.template.values import type_name
from server.template.zones import UTC, Zone, load_zone, local_zone

LAYOUTS = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    RFC3339,
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)
"""Tried one after the other on a date that comes without layout."""


def current(arguments: Sequence[object]) -> Moment:
    """Return the time here, or in a time zone."""
    if not arguments:
        return now()
    zone = arguments[0]
    if not isinstance(zone, Zone):
        raise ExpressionError(f"invalid argument for now (type {type_name(zone)}): expected a time zone")
    return now(zone)


def date(arguments: Sequence[object]) -> Moment:
    """Return the time that a text says, perhaps by a layout, perhaps by the clock of a named zone."""
    return _date(None, arguments)


def date_in_zone(arguments: Sequence[object]) -> Moment:
    """Do as ``date`` does, by the clock of a zone that comes first."""
    zone = arguments[0]
    return _date(zone, arguments[1:]) if isinstance(zone, Zone) else _date(None, arguments)


def _date(zone: Zone | None, arguments: Sequence[object]) -> Moment:
    if not arguments:
        raise ExpressionError("date: expected a text behind the time zone")
    for value in arguments[: 3 if len(arguments) <= 3 else 1]:
        if not isinstance(value, str):
            raise ExpressionError(f"invalid argument for date (type {type_name(value)}): expected a text")
    text = text_of(arguments[0])
    if len(arguments) == 3:
        zone = load_zone(text_of(arguments[2]))
    default, local = (UTC, local_zone()) if zone is None else (zone, zone)
    if len(arguments) in (2, 3):
        return read_moment(text, text_of(arguments[1]), default, local)
    for layout in LAYOUTS:
        try:
            return read_moment(text, layout, default, local)
        except ExpressionError:
            continue
    raise ExpressionError(f"invalid date {text}: expected one like 2006-01-02, 15:04:05 or 2006-01-02T15:04:05+01:00")


def duration(arguments: Sequence[object]) -> Duration:
    text = text_of(arguments[0])
    nanoseconds = parse_nanoseconds(text)
    if nanoseconds is None:
        raise ExpressionError(f"invalid duration {text!r}: expected one like 1h30m, 1.5s or 300ms")
    return Duration(nanoseconds)


def time_zone(arguments: Sequence[object]) -> Zone:
    return load_zone(text_of(arguments[0]))
