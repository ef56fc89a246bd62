"""The collector of garbage, kept from stopping the loops of both ends of a link for tens of milliseconds at a time."""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 2_000, 5, 100
"""New objects before the young are looked through, which takes less than a millisecond; how often before more of them are."""


def spare_long_looks() -> None:
    """Look no more at what is there now, which start-up made to stay, and more seldom at what stays from now on.

    Nearly all garbage goes without the collector; cycles are what exceptions leave now and then.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
