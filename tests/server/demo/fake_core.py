"""A core as the launcher sees one: a port, a ready line, processes of its own; no gRPC. ``--manner`` says how it behaves."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

from server.demo.processes import adopt_orphans


def main() -> int:
    adopt_orphans()  # to wait for all that it kills: a killed process lives on until it has its turn
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    manner, port = arguments["--manner"], int(arguments["--controlPort"])
    if manner == "broken":
        sys.stderr.write("core: journal is broken\n")
        return 3
    listener = socket.create_server(("127.0.0.1", port))
    children = [
        subprocess.Popen(["sleep", "600"], start_new_session=True),
        subprocess.Popen(["sh", "-c", "trap '' TERM INT; sleep 601 & sleep 602"], start_new_session=True),
    ]
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    if manner == "mute":
        signal.sigwait([signal.SIGUSR2])
    with os.fdopen(int(os.environ["ALIECS_READY_FD"]), "w") as ready:
        ready.write(f"{port}\n")
    if manner == "dying":
        return 4  # and its children live on
    if manner == "stubborn":
        signal.sigwait([signal.SIGUSR2])
    signal.sigwait([signal.SIGTERM])
    for child in children:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    listener.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
