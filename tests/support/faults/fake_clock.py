"""The wall clock of processes that are started with these variables, set at will, while their monotonic clock goes on.

Not libfaketime: it breaks timed waits on the monotonic clock now and then.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")
MISSING = "no C compiler: the wall clock of processes cannot be set"
SOURCE = Path(__file__).with_name("wall_clock.c")


class FakeClock:
    """A wall clock.

    Args:
        folder: gets the library that processes load, and the file that tells by how much it differs from the true one.
    """

    def __init__(self, folder: Path) -> None:
        assert COMPILER, MISSING
        self._library = folder / "wall_clock.so"
        self._path = folder / "offset"
        self.set(0.0)
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"], check=True, timeout=120
        )

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment of the processes."""
        return {"LD_PRELOAD": str(self._library), "ALIECS_TEST_CLOCK": str(self._path)}

    def set(self, hours: float) -> None:
        """Let the clock differ by so many hours from now on."""
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.write(struct.pack("d", 3600 * hours))
