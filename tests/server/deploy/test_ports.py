"""The allocator against real sockets."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from occ.errors import RefusedError
from server.deploy.ports import CONTROL_PORTS, DATA_PORTS, PortAllocator
from server.deploy.ranges import count

ONE = f"one-{os.getpid()}"
"""An instance that begins at other ports than that of another process that runs these tests now."""


@contextlib.contextmanager
def listening(port: int, address: str = "127.0.0.1") -> Iterator[None]:
    with socket.socket() as server:
        server.bind((address, port))
        server.listen()
        yield


def test_data_and_control_ports_come_from_their_own_ranges() -> None:
    ports = PortAllocator(ONE)
    assert DATA_PORTS[0] <= ports.take_data() <= DATA_PORTS[1]
    assert CONTROL_PORTS[0] <= ports.take_control() <= CONTROL_PORTS[1]


def test_a_port_is_never_given_twice_while_it_is_taken() -> None:
    ports = PortAllocator(ONE)
    given = [ports.take_data() for _ in range(300)]
    assert len(set(given)) == 300


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    first = PortAllocator(ONE).take_data()
    with listening(first):
        assert PortAllocator(ONE).take_data() != first


def test_a_released_port_is_not_the_next_one_given() -> None:
    ports = PortAllocator(ONE)
    port = ports.take_data()
    ports.release([port])
    assert ports.take_data() != port


def test_two_instances_begin_at_different_places() -> None:
    assert PortAllocator("one").take_data() != PortAllocator("two").take_data()


def test_ports_run_out_with_words_and_come_back_after_release() -> None:
    probe = PortAllocator(ONE).take_data()
    ports = PortAllocator(ONE, data=(probe, probe))
    assert ports.take_data() == probe
    with pytest.raises(RefusedError, match=f"no free port between {probe} and {probe}"):
        ports.take_data()
    ports.release([probe])
    assert ports.take_data() == probe


def test_static_ports_are_taken_all_or_none() -> None:
    ports = PortAllocator(ONE)
    first, second = ports.take_data(), ports.take_data()
    ports.release([first, second])
    with listening(second):
        with pytest.raises(RefusedError, match=f"port {second} is in use"):
            ports.take([first, second])
    ports.take([first, second])
    with pytest.raises(RefusedError, match=f"port {first} is used by another task"):
        ports.take([first])


def test_what_is_free_is_what_was_not_given() -> None:
    ports = PortAllocator(ONE)
    every = count(ports.free())
    port = ports.take_data()
    ports.occupy([CONTROL_PORTS[0]])
    assert count(ports.free()) == every - 2
    assert not any(low <= port <= high for low, high in ports.free())
