"""Whose is a port? Asked of the kernel, about this process and children of it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from executor import holder
from occ.errors import TaskError

LISTENER = """
import socket, sys
six = ":" in sys.argv[1]
one = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if six else socket.AF_INET, dualstack_ipv6=six)
print(one.getsockname()[1], flush=True)
sys.stdin.read()
"""

RESTLESS = """
import os, socket
lower = os.pipe()
one = socket.create_server(("127.0.0.1", 0))
print(one.getsockname()[1], flush=True)
while True:
    for end in lower: os.close(end)
    lower = os.pipe()
"""

CONTAINER = ["unshare", "--fork", "--pid", "--kill-child"]

LED_FROM_OUTSIDE = """
import os, subprocess, sys
from executor import holder
with subprocess.Popen([sys.executable, "-c", sys.argv[1], "127.0.0.1"], stdin=-1, stdout=-1) as child:
    port = int(child.stdout.readline())
    print(holder.session_of(child.pid), holder.find_stranger(child.pid, port, os.getpid() + 1000, "t1", str))
    child.stdin.close()
"""


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::"])
def listener(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Process id and port of a child that listens, in a session of its own and with the mark of a task."""
    child = subprocess.Popen(
        [sys.executable, "-c", LISTENER, request.param],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, "ALIECS_TASK_ID": "t7"},
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline() or pytest.skip(f"no {request.param} here"))


def test_a_process_that_listens_is_found_and_described(listener: tuple[int, int]) -> None:
    pid, port = listener
    assert holder.accepts(port)
    assert holder.holder_of(port) == pid
    assert holder.holds(pid, port) and not holder.holds(os.getpid(), port)
    assert holder.session_of(pid) == pid != holder.session_of(os.getpid())
    assert holder.is_marked(pid, "t7") and not holder.is_marked(pid, "t")
    assert holder.is_of(pid, pid, "") and holder.is_of(pid, os.getpid(), "") and holder.is_of(pid, 0, "t7")
    assert not holder.is_of(os.getpid(), pid, "t7")
    assert holder.describe(pid).startswith(f"process {pid} ({sys.executable} -c ")


def test_a_stranger_is_told_from_the_task_from_other_tasks_and_from_who_only_has_its_number(
    listener: tuple[int, int],
) -> None:
    pid, port = listener
    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True)
    with other:
        asked = (port, other.pid, "t1")
        assert holder.find_stranger(pid, *asked, lambda session: "") == (
            f"control port {port} is answered by {holder.describe(pid)}, which is not of this task"
        )
        assert "answered by task t7, which" in holder.find_stranger(pid, *asked, lambda session: "task t7")
        assert holder.find_stranger(other.pid, *asked, lambda session: "") == ""
        with_our_number = holder.find_stranger(os.getpid(), *asked, lambda session: "")
        assert with_our_number.startswith(f"control port {port} is answered by {holder.describe(pid)}, which")
        assert holder.find_stranger(os.getpid(), port, other.pid, "t7", lambda session: "") == ""
        assert holder.find_stranger(0, *asked, lambda session: "") == ""
    with pytest.raises(TaskError, match=rf"control port {port} is taken already by process {pid} \("):
        holder.refuse_taken(port, lambda session: "")
    with pytest.raises(TaskError, match=f"control port {port} is taken already by task t7"):
        holder.refuse_taken(port, lambda session: "task t7" if session == pid else "")


def test_who_answers_from_a_container_under_a_number_of_its_own_is_not_taken_for_a_stranger() -> None:
    command = [*CONTAINER, sys.executable, "-c", LISTENER, "127.0.0.1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        port = int(child.stdout.readline() or pytest.skip("no namespace of processes may be made here"))
        assert holder.is_contained(holder.holder_of(port)) and not holder.is_contained(os.getpid())
        assert holder.find_stranger(os.getpid(), port, child.pid, "t1", lambda session: "") == ""
        child.stdin.close()


def test_a_stranger_whose_session_is_led_from_outside_of_this_container_is_one_all_the_same() -> None:
    """As of what is started by ``docker exec`` or ``nsenter``: its session has no number here."""
    command = [*CONTAINER, "--mount-proc", sys.executable, "-c", LED_FROM_OUTSIDE, LISTENER]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in ended.stderr:
        pytest.skip(f"no namespace of processes may be made here: {ended.stderr}")
    assert re.match(r"0 control port \d+ is answered by process \d+ \(", ended.stdout), ended


def test_a_process_that_opens_and_closes_files_all_the_time_still_has_its_port() -> None:
    command = [sys.executable, "-c", RESTLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            assert all(holder.holds(child.pid, port) for _ in range(100))
            assert holder.holder_of(port) == child.pid
        finally:
            child.kill()


def test_a_port_that_nobody_has_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert holder.holds(os.getpid(), port)
    assert not holder.accepts(port)
    assert holder.holder_of(port) == 0


def test_what_does_not_exist_has_no_session_no_mark_and_only_a_number() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert holder.session_of(child.pid) is holder.session_of(0) is holder.session_of(-1) is None
    assert not holder.is_marked(child.pid, "t7")
    assert holder.describe(child.pid) == f"process {child.pid}"


def test_a_socket_that_reached_itself_is_not_taken_for_a_listener() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        probe.connect(probe.getsockname())
        assert not holder.is_connected(probe)
