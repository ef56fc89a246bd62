"""The times and limits of an executor that nobody set are those of the original (occ-executor-mesos.md 8)."""

from __future__ import annotations

from executor.settings import Settings


def test_times_are_those_of_the_original() -> None:
    settings = Settings()
    assert (settings.port_open_s, settings.standby_s) == (45.0, 30.0)
    assert settings.ladder_call_s == 5.0
    assert (settings.done_s, settings.sigterm_s, settings.sigint_s) == (1.0, 2.0, 3.0)
