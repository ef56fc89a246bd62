"""Who has a control port: asked of the kernel, before a task is started there and when somebody answers.

gRPC servers of C++ tasks share a port in silence (SO_REUSEPORT), so that an open port alone says nothing about whose it is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

from occ.errors import TaskError

_LISTENING = "0A"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_COMMAND_CHARACTERS = 80


def refuse_taken(port: int, owner: Callable[[int], str]) -> None:
    """Check that nobody listens on the port.

    Args:
        owner: names the task that has a session, "" if none has.

    Raises:
        TaskError: somebody does; says who.
    """
    if not accepts(port):
        return
    who = "a process that cannot be seen from here"
    if pid := holder_of(port):
        who = _owned(pid, owner) or describe(pid)
    raise TaskError(f"control port {port} is taken already by {who}")


def find_stranger(pid: int, port: int, leader: int, task_id: str, owner: Callable[[int], str]) -> str:
    """Say what is wrong if the process that answered on a control port is not of the task; "" if it is, or nobody can tell.

    A process that does not exist here is of a container, perhaps: its numbers are its own, and may be those of somebody else
    here, who does not have the port.

    Args:
        leader: the process that was started for the task.
        owner: as above.
    """
    if session_of(pid) is None or is_of(pid, leader, task_id):
        return ""
    owned = _owned(pid, owner)
    if not owned and not holds(pid, port):
        pid = holder_of(port)
        if not pid or is_contained(pid) or is_of(pid, leader, task_id):
            return ""
        owned = _owned(pid, owner)
    return f"control port {port} is answered by {owned or describe(pid)}, which is not of this task"


def is_of(pid: int, leader: int, task_id: str) -> bool:
    """Whether the process is of the session of the leader, was started below it, or has the mark of the task."""
    return session_of(pid) == leader or leader in _ancestors(pid) or is_marked(pid, task_id)


def accepts(port: int) -> bool:
    """Whether somebody listens on the loopback interface, as far as can be told now; does not block."""
    try:
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return False  # no descriptor is left
    # There the kernel answers within the call: no wait, and no loop iteration per port.
    with probe:
        probe.setblocking(False)
        error = probe.connect_ex(("127.0.0.1", port))
        if error and probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        return is_connected(probe)


def is_connected(probe: socket.socket) -> bool:
    """Whether there is another end; of a port that nobody has, a socket that happens to get its number may reach itself."""
    try:
        return bool(probe.getpeername() != probe.getsockname())
    except OSError:
        return False


def holder_of(port: int) -> int:
    """Return the id of a process that listens on the port; 0 if there is none, or it is of somebody whose files we may not see.

    Looks at every process: some milliseconds, for when something is wrong.
    """
    sockets = _listening(port)
    if not sockets:
        return 0
    return next((int(name) for name in os.listdir("/proc") if name.isdigit() and _has(int(name), sockets)), 0)


def holds(pid: int, port: int) -> bool:
    """Whether the process listens on the port, as far as may be seen."""
    return _has(pid, _listening(port))


def session_of(pid: int) -> int | None:
    """Return the session of a process; 0 if one from outside of this container leads it, None if there is no such process."""
    try:
        return os.getsid(pid) if pid > 0 else None
    except ProcessLookupError:
        return None


def is_contained(pid: int) -> bool:
    """Whether the process counts processes in another way than this one, as in a container."""
    return _link(f"/proc/{pid}/ns/pid") != _link("/proc/self/ns/pid")


def is_marked(pid: int, task_id: str) -> bool:
    """Whether the process has the environment of this task, which also one in a session of its own has inherited."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"ALIECS_TASK_ID={task_id}".encode() in file.read().split(b"\0")
    except OSError:
        return False


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            return
        yield pid


def describe(pid: int) -> str:
    """Return ``process 4711 (python3 task.py)``."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        command = ""
    return f"process {pid} ({command[:_COMMAND_CHARACTERS]})" if command else f"process {pid}"


def _owned(pid: int, owner: Callable[[int], str]) -> str:
    session = session_of(pid)
    return owner(session) if session else ""


def _listening(port: int) -> set[str]:
    """Return the sockets that listen on the port, as the links of open files name them."""
    found: set[str] = set()
    for table in _TABLES:
        try:
            with open(table) as file:
                lines = file.readlines()[1:]
        except OSError:
            continue  # no IPv6 here
        for line in lines:
            fields = line.split(maxsplit=10)
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _has(pid: int, sockets: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False  # ended meanwhile, or of another user
    return any(_link(f"{folder}/{name}") in sockets for name in names)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""  # closed meanwhile; what else is open counts all the same
