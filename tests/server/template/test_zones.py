"""Time zones from the database of the system and from the environment; layouts and durations of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.template.duration import parse_duration, parse_nanoseconds
from server.template.errors import ExpressionError
from server.template.layout_reading import read_moment
from server.template.layouts import formatted
from server.template.moments import Moment
from server.template.render import render
from server.template.zones import FOLDERS, UTC, load_zone, local_zone

pytestmark = pytest.mark.skipif(
    not any(Path(folder, "Europe/Zurich").exists() for folder in FOLDERS),
    reason="needs the zone database of the system",
)


@pytest.fixture(autouse=True)
def _zone_is_asked_anew() -> Iterator[None]:
    local_zone.cache_clear()
    yield
    local_zone.cache_clear()


def value(expression: str) -> str:
    return render("{{ " + expression + " }}", {})


def test_a_clock_that_shows_a_zone_is_asked_for_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Zurich")
    local_zone.cache_clear()
    assert value("date('2023-07-05T12:00:00+02:00')") == "2023-07-05 12:00:00 +0200 CEST"
    assert value("date('2023-07-05T12:00:00+01:00')") == "2023-07-05 12:00:00 +0100 +0100"
    assert value("date('05 Jul 23 12:00 CEST')") == "2023-07-05 12:00:00 +0200 CEST"
    assert value("date('2023-07-05').Local()") == "2023-07-05 02:00:00 +0200 CEST"
    assert value("date('2023-07-05')") == "2023-07-05 00:00:00 +0000 UTC"


@pytest.mark.parametrize(
    ("setting", "name"), [("", "UTC"), ("No/Where", "UTC"), (":Asia/Tokyo", "Asia/Tokyo"), ("/etc/localtime", "Local")]
)
def test_the_zone_of_the_clock_is_that_of_the_environment(
    setting: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", setting)
    local_zone.cache_clear()
    expected = {name} if name != "Local" else {"Local", "UTC"}  # a host may have no /etc/localtime
    assert value("timezone('Local').String()") in expected


def test_zones_know_all_their_rules() -> None:
    """Rules of a whole year, also beyond the list of a zone's file; those of the southern hemisphere the other way round."""
    assert value("date('2500-01-15').In(timezone('Australia/Sydney')).Zone()") == "AEDT"
    assert value("date('2500-07-15').In(timezone('Australia/Sydney')).Zone()") == "AEST"
    assert value("date('2500-07-15').In(timezone('Asia/Kathmandu')).Format('-07:00')") == "+05:45"
    assert value("date('2500-03-28 00:59:59').In(timezone('Europe/Zurich')).Zone()") == "CET"
    assert value("date('2500-03-28 01:00:00').In(timezone('Europe/Zurich')).Zone()") == "CEST"


PIECES = (
    "2006 06 01 1 Jan January 02 2 _2 002 __2 Mon Monday 15 03 3 04 4 05 5 PM pm .000 .999 ,0 MST -07 -0700 -07:00 -070000 "
    "-07:00:00 Z07 Z0700 Z07:00 Z070000 Z07:00:00"
).split()


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(st.sampled_from([*PIECES, " ", ":", "_", "é"]), st.text(max_size=2)), max_size=8).map("".join),
    st.text("0123456789+-:.,_ ZGMTUCEPamé", max_size=24),
)
def test_any_text_is_read_by_any_layout_or_refused(layout: str, text: str) -> None:
    try:
        moment = read_moment(text, layout, UTC, load_zone("Europe/Zurich"))
    except ExpressionError:
        return
    assert isinstance(formatted(moment.clock, layout), str)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(-(1 << 40), 1 << 40),
    st.integers(0, 999_999_999),
    st.sampled_from(["UTC", "Europe/Zurich", "Asia/Kolkata"]),
)
def test_a_time_that_is_written_is_read_again(minutes: int, nanosecond: int, zone_name: str) -> None:
    zone, layout = load_zone(zone_name), "2006-01-02 15:04:05.999999999 -07:00:00"
    written = Moment.from_unix(minutes % 250_000_000_000 - 60_000_000_000, nanosecond, zone)
    read = read_moment(formatted(written.clock, layout), layout, UTC, zone)
    assert (read.seconds, read.nanosecond, read.zone) == (written.seconds, written.nanosecond, zone)


def test_a_zone_file_that_is_cut_off_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = next(path for folder in FOLDERS if (path := Path(folder, "Europe/Zurich")).exists()).read_bytes()
    file = tmp_path / "zone"
    monkeypatch.setenv("TZ", str(file))
    for length in range(0, len(whole), 13):
        file.write_bytes(whole[:length])
        local_zone.cache_clear()
        assert local_zone().name in ("UTC", str(file))
    file.write_bytes(whole)
    local_zone.cache_clear()
    assert value("date('2023-07-05').Local().Zone()") == "CEST"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1.0000000000000000001h", 3_600_000_000_000),
        ("0.1us", 100),
        ("0.123456789123456789123456789s", 123_456_789),
        ("00000000000000000000000000001s", 1_000_000_000),
        ("0" * 5000 + "1s", 1_000_000_000),
        ("-9223372036854775808ns", -(1 << 63)),
        ("9223372036854775807ns", (1 << 63) - 1),
        ("9223372036854775808ns", None),
        ("+1m", 60_000_000_000),
        ("1x", None),
        ("+", None),
    ],
)
def test_durations_are_read_to_the_nanosecond(text: str, nanoseconds: int | None) -> None:
    assert parse_nanoseconds(text) == nanoseconds
    assert parse_duration(text) == (None if nanoseconds is None else nanoseconds / 1e9)
