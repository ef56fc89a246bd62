"""The collector of garbage leaves alone what start-up made, and still lets go of what is in cycles."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, weakref
kept = [[number] for number in range(50_000)]
from executor.api.collector import spare_long_looks
spare_long_looks()
class Cycle:
    def __init__(self):
        self.me = self
first, made = weakref.ref(Cycle()), 0
while first() is not None and made < 100_000:
    Cycle()
    made += 1
print(gc.get_freeze_count() > len(kept), made < 100_000)
"""


def test_what_start_up_made_is_not_looked_at_again_and_cycles_are_let_go() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "True"]
