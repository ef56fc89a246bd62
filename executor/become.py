"""A program that becomes another one, as setpriv does, for hosts whose setpriv is too old or missing: it takes its options.

It runs in a process of its own, not between fork and exec of the executor, which has threads: a child of those dies now
and then before its exec.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change who we are as told, then become the command; how that fails goes to stderr, with exit code 127."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--pdeathsig", required=True)
    parser.add_argument("--reuid", type=int)
    parser.add_argument("--regid", type=int)
    parser.add_argument("--groups", default="")
    parser.add_argument("--clear-groups", action="store_true")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    try:
        environment = _environment()  # first: another user may not read it
        libc = ctypes.CDLL(None)
        if asked.reuid is not None:
            os.setgroups([int(group) for group in asked.groups.split(",") if group])
            os.setregid(asked.regid, asked.regid)
            os.setreuid(asked.reuid, asked.reuid)
        # Last: a change of the user takes it away.
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.Signals[f"SIG{asked.pdeathsig}"]))
        os.execve(asked.command[0], asked.command, environment)
    except OSError as error:
        sys.stderr.write(f"{asked.command[0]}: {error.strerror}\n")
        sys.exit(127)


def _environment() -> dict[bytes, bytes]:
    """Return our environment as it was given: an interpreter may add a locale to it."""
    entries = (entry.partition(b"=") for entry in Path("/proc/self/environ").read_bytes().split(b"\0"))
    return {name: value for name, separator, value in entries if separator}


if __name__ == "__main__":
    main()
