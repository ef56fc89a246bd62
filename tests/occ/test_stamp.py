"""What a sink counts as an error, without sockets."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occ.errors import ConfigError
from occ.properties import Properties
from occ.samples.channels import wirings
from occ.samples.stamp import Continuity, Stamp, Verifier
from occ.samples.worker import RateMeter


def errors(numbers: list[int], window: int = 1000) -> int:
    continuity = Continuity(window)
    for number in numbers:
        continuity.accept(number)
    return continuity.finish()


@given(st.permutations(range(50)))
def test_overtaking_within_the_window_is_no_error(numbers: list[int]) -> None:
    assert errors(numbers) == 0


@given(st.sets(st.integers(0, 200), min_size=1))
def test_each_gap_between_first_and_last_counts_once(numbers: set[int]) -> None:
    assert errors(sorted(numbers)) == max(numbers) - min(numbers) + 1 - len(numbers)


@given(st.lists(st.integers(0, 100), min_size=1))
def test_whatever_comes_doubles_and_gaps_are_all_there_is(numbers: list[int]) -> None:
    missing = max(numbers) - min(numbers) + 1 - len(set(numbers))
    assert errors(numbers) == missing + len(numbers) - len(set(numbers))


@given(st.lists(st.integers(0, 1000)))
def test_memory_is_bounded_by_the_window(numbers: list[int]) -> None:
    continuity = Continuity(10)
    for number in numbers:
        continuity.accept(number)
    assert len(continuity._ahead) <= 10 and len(continuity._before) <= 10


def test_a_stamp_survives_the_wire_and_nothing_else_is_taken_for_one() -> None:
    stamp = Stamp(source=7, run=500123, sequence=2**40, crc=5)
    assert Stamp.unpack(stamp.pack()) == stamp
    mark = Stamp(7, 500123, 12, 0, ends_run=True)
    assert Stamp.unpack(mark.pack()) == mark
    assert Stamp.unpack(b"") is None
    assert Stamp.unpack(b"x" * len(stamp.pack())) is None


def test_only_right_messages_of_this_run_are_counted() -> None:
    verifier = Verifier(run=5)
    good = b"payload"
    crc = zlib.crc32(good)
    for stamp, payload in [
        (Stamp(1, 5, 0, crc), good),
        (Stamp(2, 5, 0, crc), good),
        (Stamp(1, 5, 1, crc), b"damaged"),
        (Stamp(1, 5, 2, crc), good),
        (Stamp(1, 5, 2, crc), good),
        (Stamp(1, 4, 9, crc), good),
        (None, good),
    ]:
        verifier.accept(stamp, payload)
    verifier.finish()
    assert (verifier.messages, verifier.bytes, verifier.strays) == (3, 3 * len(good), 1)
    assert verifier.errors == 4, "damaged, no stamp, double, and the gap that the damaged one left"


def test_a_rate_is_that_of_the_last_second_and_falls_to_0() -> None:
    meter = RateMeter()
    assert meter.rate(0, 10.0) == 0
    assert meter.rate(500, 10.5) == 1000
    assert meter.rate(1000, 11.0) == 1000
    assert meter.rate(1000, 11.5) == 500
    assert meter.rate(1000, 12.0) == 0
    assert meter.rate(10, 12.5) == 0, "the counter began anew"
    assert meter.rate(20, 13.0) == 20
    assert meter.rate(9000, 60.0) == 0, "nobody asked for long"


def test_channels_are_read_from_the_properties_of_the_core() -> None:
    properties = Properties.from_arguments(
        [
            ("chans.data.numSockets", "1"),
            ("chans.data.0.address", "tcp://*:9000"),
            ("chans.data.0.method", "bind"),
            ("chans.data.0.type", "push"),
            ("chans.data.0.sndBufSize", "10"),
            ("chans.data.0.transport", "default"),
            ("chans.empty.numSockets", "1"),
            ("other", "1"),
        ]
    )
    (wiring,) = wirings(properties)
    assert (wiring.name, wiring.kind, wiring.method, wiring.address) == ("data", "push", "bind", "tcp://*:9000")
    assert (wiring.send_limit, wiring.receive_limit, wiring.is_inbound) == (10, 1000, False)


@pytest.mark.parametrize(
    ("key", "value"), [("type", "pair"), ("method", "guess"), ("transport", "pigeon"), ("rcvBufSize", "x")]
)
def test_a_channel_that_cannot_be_opened_is_named(key: str, value: str) -> None:
    keys = {"address": "ipc://@x", "type": "pull", "method": "connect"} | {key: value}
    with pytest.raises(ConfigError, match="data"):
        wirings(Properties.from_arguments([(f"chans.data.0.{name}", text) for name, text in keys.items()]))
