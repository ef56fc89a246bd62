"""The time that the core writes down."""

from __future__ import annotations

import time

import pytest

from server.clock import Clock


def test_a_clock_that_is_set_is_followed_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before_ms = clock.now_ms()
    true_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true_ns() - 3600 * 1_000_000_000)
    assert before_ms <= clock.now_ms() < before_ms + 10_000
    assert clock.follow() == pytest.approx(-3600, abs=1)
    assert clock.now_ms() == pytest.approx(true_ns() // 1_000_000 - 3_600_000, abs=10_000)
    assert clock.follow() == pytest.approx(0, abs=1)
