"""What several tests of expressions stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.template.errors import ExpressionError
from server.template.zones import load_zone, local_zone


@pytest.fixture
def clock_shows_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    try:
        load_zone("Europe/Zurich")
    except ExpressionError:
        pytest.skip("needs the zone database of the system")
    monkeypatch.setenv("TZ", "UTC")
    local_zone.cache_clear()
    yield
    local_zone.cache_clear()
