"""What expressions may call on times, durations, months, days of the week and time zones: the methods that Go has there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.template.days import Clock
from server.template.errors import ExpressionError
from server.template.layouts import formatted
from server.template.moments import SECOND, ZERO, Duration, Moment, Month, Weekday
from server.template.sized import Bytes, Int64, wrap
from server.template.zones import UTC, Zone, local_zone


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one type."""

    parameters: tuple[str, ...]
    """Static types: int, string, bytes, time, duration, location."""
    result: str
    """Static type of the first result."""
    work: Callable[..., object]
    """Takes the value first."""
    results: int = 1
    """Of more than two, AliECS refuses the call where it knows in advance what is called."""
    strict: bool = True
    """Nil is no argument, where AliECS knows in advance what is called; else it is the zero value of its type."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of one value, as an expression names it before it calls it."""

    method: Method
    owner: object


def member(value: object, name: str) -> Bound | None:
    """Return the method of a value, None if it has none of this name."""
    method = METHODS.get(_KINDS.get(type(value), ""), _NONE).get(name)
    return None if method is None else Bound(method, value)


def zero(kind: str) -> object:
    """Return the zero value of a parameter's type."""
    return _ZEROS.get(kind)


_KINDS: dict[type, str] = {
    Moment: "time", Duration: "duration", Zone: "location", Month: "month", Weekday: "weekday",
}  # fmt: skip
_NONE: Mapping[str, Method] = {}
_ZEROS: dict[str, object] = {"int": 0, "string": "", "bytes": Bytes(), "time": ZERO, "duration": Duration(0)}


def _get(result: str, work: Callable[..., object]) -> Method:
    return Method((), result, work)


def _shown(result: str, work: Callable[[Clock], object]) -> Method:
    return Method((), result, lambda moment: work(moment.clock))


def _duration(work: Callable[[Duration, Duration], Duration]) -> Method:
    return Method(("duration",), "duration", work)


def _in_units(unit_ns: int) -> Method:
    return _get("float", lambda duration: duration.in_units(unit_ns))


def _whole_units(unit_ns: int) -> Method:
    def work(duration: Duration) -> Int64:
        whole = abs(duration.number) // unit_ns
        return Int64(-whole if duration.number < 0 else whole)

    return _get("int64", work)


def _unix(per_second: int) -> Method:
    """Return a method that gives the time since 1970 in these parts of a second."""
    return _get(
        "int64",
        lambda moment: Int64(wrap(moment.unix_s * per_second + moment.nanosecond // (SECOND // per_second))),
    )


def _appending(work: Callable[[Moment], bytes]) -> Method:
    return Method(
        ("bytes",), "bytes", lambda moment, given: Bytes([*given, *Bytes.of(work(moment))]), results=2, strict=False
    )


def _encoded(work: Callable[[Moment], bytes]) -> Method:
    return Method((), "bytes", lambda moment: Bytes.of(work(moment)), results=2, strict=False)


def _in(moment: Moment, zone: Zone | None) -> Moment:
    if zone is None:
        raise ExpressionError("In: expected a time zone, found nil")
    return moment.seen_from(zone)


def _text(moment: Moment) -> bytes:
    try:
        return moment.json_form().encode()
    except ValueError as error:
        raise ExpressionError(str(error)) from error


def _format(moment: Moment, layout: str) -> str:
    return formatted(moment.clock, layout)


def _append_format(moment: Moment, given: Bytes, layout: str) -> Bytes:
    return Bytes([*given, *Bytes.of(_format(moment, layout).encode("utf-8", "replace"))])


def _binary(moment: Moment) -> bytes:
    seconds = (moment.seconds % (1 << 64)).to_bytes(8, "big") + moment.nanosecond.to_bytes(4, "big")
    if moment.zone is UTC:
        return b"\1" + seconds + b"\xff\xff"
    offset_s = moment.clock.offset_s
    minutes, rest = divmod(abs(offset_s), 60)
    minutes, rest = (-minutes, -rest) if offset_s < 0 else (minutes, rest)
    if minutes == -1 or not -(1 << 15) <= minutes < 1 << 15:
        raise ExpressionError("MarshalBinary: unexpected zone offset")
    shown = minutes.to_bytes(2, "big", signed=True)
    return (b"\2" if rest else b"\1") + seconds + shown + (rest.to_bytes(1, "big", signed=True) if rest else b"")


def _go_text(moment: Moment) -> str:
    clock, zone = moment.clock, moment.zone
    name = "time.UTC" if zone is UTC else "time.Local" if zone is local_zone() else f'time.Location("{zone.name}")'
    return (
        f"time.Date({clock.year}, time.{Month(clock.month)}, {clock.day}, {clock.hour}, {clock.minute}, {clock.second}, "
        f"{moment.nanosecond}, {name})"
    )


_TEXT = _get("string", str)

METHODS: Mapping[str, Mapping[str, Method]] = {
    "duration": {
        "Abs": _get("duration", Duration.absolute),
        "Hours": _in_units(3600 * SECOND),
        "Microseconds": _whole_units(1000),
        "Milliseconds": _whole_units(1_000_000),
        "Minutes": _in_units(60 * SECOND),
        "Nanoseconds": _whole_units(1),
        "Round": _duration(Duration.rounded),
        "Seconds": _in_units(SECOND),
        "String": _TEXT,
        "Truncate": _duration(Duration.truncated),
    },
    "location": {"String": _TEXT},
    "month": {"String": _TEXT},
    "time": {
        "Add": Method(("duration",), "time", lambda moment, duration: moment.plus(duration.number)),
        "AddDate": Method(("int", "int", "int"), "time", Moment.moved, strict=False),
        "After": Method(("time",), "bool", lambda moment, other: moment.order(other) > 0),
        "AppendBinary": _appending(_binary),
        "AppendFormat": Method(("bytes", "string"), "bytes", _append_format, strict=False),
        "AppendText": _appending(_text),
        "Before": Method(("time",), "bool", lambda moment, other: moment.order(other) < 0),
        "Clock": Method((), "int", lambda moment: moment.clock.hour, results=3),
        "Compare": Method(("time",), "int", Moment.order, strict=False),
        "Date": Method((), "int", lambda moment: moment.clock.year, results=3),
        "Day": _shown("int", lambda clock: clock.day),
        "Equal": Method(("time",), "bool", lambda moment, other: moment.order(other) == 0),
        "Format": Method(("string",), "string", _format),
        "GoString": _get("string", _go_text),
        "GobEncode": _encoded(_binary),
        "Hour": _shown("int", lambda clock: clock.hour),
        "ISOWeek": Method((), "int", lambda moment: moment.iso_week[0], results=2),
        "In": Method(("location",), "time", _in, strict=False),
        "IsDST": _get("bool", lambda moment: moment.zone.at(moment.unix_s).is_dst),
        "IsZero": _get("bool", lambda moment: (moment.seconds, moment.nanosecond) == (0, 0)),
        "Local": _get("time", lambda moment: moment.seen_from(local_zone())),
        "Location": _get("location", lambda moment: moment.zone),
        "MarshalBinary": _encoded(_binary),
        "MarshalJSON": _encoded(lambda moment: b'"' + _text(moment) + b'"'),
        "MarshalText": _encoded(_text),
        "Minute": _shown("int", lambda clock: clock.minute),
        "Month": _shown("month", lambda clock: Month(clock.month)),
        "Nanosecond": _get("int", lambda moment: moment.nanosecond),
        "Round": Method(("duration",), "time", Moment.rounded),
        "Second": _shown("int", lambda clock: clock.second),
        "String": _TEXT,
        "Sub": Method(("time",), "duration", Moment.minus),
        "Truncate": Method(("duration",), "time", Moment.truncated),
        "UTC": _get("time", lambda moment: moment.seen_from(UTC)),
        "Unix": _unix(1),
        "UnixMicro": _unix(1_000_000),
        "UnixMilli": _unix(1000),
        "UnixNano": _unix(SECOND),
        "Weekday": _shown("weekday", lambda clock: Weekday(clock.weekday)),
        "Year": _shown("int", lambda clock: clock.year),
        "YearDay": _shown("int", lambda clock: clock.year_day),
        "Zone": Method((), "string", lambda moment: moment.clock.zone_name, results=2),
    },
    "weekday": {"String": _TEXT},
}
"""By static type and name."""
