"""The baseline of G3: start N task processes at once, as plain as can be, and wait until all have opened their ports.

Arguments: N and the command. Each line on stdin is one round, answered by its milliseconds.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time


def one_round(count: int, command: list[str]) -> float:
    """Return the milliseconds from the first start to the last open port; the processes are ended afterwards."""
    waiting = selectors.DefaultSelector()
    processes = []
    ports = free_ports(count)
    began = time.perf_counter()
    for port in ports:
        reader, writer = os.pipe()
        environment = os.environ | {"OCC_READY_FD": str(writer), "OCC_CONTROL_PORT": str(port)}
        processes.append(subprocess.Popen(command, env=environment, pass_fds=(writer,), stdout=subprocess.DEVNULL))
        os.close(writer)
        waiting.register(reader, selectors.EVENT_READ)
    left = count
    while left:
        for key, _ in waiting.select():
            assert os.read(key.fd, 64), "a task ended before its port was open"
            waiting.unregister(key.fd)
            os.close(key.fd)
            left -= 1
    elapsed = (time.perf_counter() - began) * 1000
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    return elapsed


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    number, *words = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while sys.stdin.readline().strip():
        sys.stdout.write(f"{one_round(int(number), words)}\n")
        sys.stdout.flush()
