"""Runs a command that neither outlives the core nor writes endless files: ``python -m … PARENT BYTES COMMAND…``.

For transfers of git, which another end feeds and which start processes of their own. It leads their process group.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, max_bytes: int, command: list[str]) -> int:
    """Run the command and return its exit code.

    Args:
        parent: pid of the process whose end ends the command and all that it started.
        max_bytes: of any file that it writes.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: os.killpg(0, signal.SIGKILL))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
