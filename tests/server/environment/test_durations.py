"""How long transitions usually take, and that a restart does not forget it."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.environment import durations as room
from server.environment.durations import KEPT, Durations
from server.journal import Delete, Journal, Put, Table


def test_the_usual_duration_is_the_median_of_the_same_template_and_event() -> None:
    known = Durations()
    for duration_ms in (100, 900, 300):
        known.add("flow", "START_ACTIVITY", duration_ms)
    known.add("flow", "CONFIGURE", 5)
    known.add("other", "START_ACTIVITY", 7)
    assert known.usual_ms("flow", "START_ACTIVITY") == 300
    assert (known.usual_ms("flow", "CONFIGURE"), known.usual_ms("other", "START_ACTIVITY")) == (5, 7)
    assert known.usual_ms("flow", "RESET") == 0


def test_old_durations_give_way_to_new_ones() -> None:
    known = Durations()
    for duration_ms in (*[10_000] * 100, *[50] * KEPT):
        known.add("flow", "CONFIGURE", duration_ms)
    assert known.usual_ms("flow", "CONFIGURE") == 50


def test_a_clock_that_was_set_back_gives_no_negative_duration() -> None:
    known = Durations()
    known.add("flow", "CONFIGURE", -5000)
    assert known.usual_ms("flow", "CONFIGURE") == 0


async def test_a_restart_takes_them_up_from_the_journal(tmp_path: Path) -> None:
    first = await Journal.open(tmp_path / "journal.sqlite")
    known = Durations()
    for duration_ms in (100, 200, 300):
        await first.append(known.add("flow of mine", "CONFIGURE", duration_ms))
    await first.put(Table.DURATIONS, "RESET broken", b"{}")
    await first.put(Table.DURATIONS, "RESET empty", b"[]")
    await first.close()
    second = await Journal.open(tmp_path / "journal.sqlite")
    again = Durations()
    again.restore(await second.load(Table.DURATIONS))
    await second.close()
    assert again.usual_ms("flow of mine", "CONFIGURE") == 200
    assert again.usual_ms("broken", "RESET") == again.usual_ms("empty", "RESET") == 0
    again.add("flow of mine", "CONFIGURE", 400)
    assert again.usual_ms("flow of mine", "CONFIGURE") == 250


def test_the_template_that_was_used_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_KEYS", 2)
    known = Durations()
    known.add("a", "RESET", 1)
    known.add("b", "RESET", 1)
    known.add("a", "RESET", 1)
    records = known.add("c", "RESET", 1)
    assert records == [Put(Table.DURATIONS, "RESET c", b"[1]"), Delete(Table.DURATIONS, "RESET b")]
    assert (known.usual_ms("a", "RESET"), known.usual_ms("b", "RESET")) == (1, 0)
