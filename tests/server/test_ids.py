"""Ids: layout, order, validation."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ids import ALPHABET, EPOCH_S, IdSource, decode, encode, is_valid_id, new_id, this_machine_id


def test_an_id_holds_ticks_sequence_and_machine() -> None:
    source = IdSource(machine_id=0xBEEF, clock=lambda: EPOCH_S + 12.345)
    first, second = source.new_number(), source.new_number()
    assert first == 1234 << 24 | 0 << 16 | 0xBEEF
    assert second == 1234 << 24 | 1 << 16 | 0xBEEF


def test_ids_grow_when_a_tick_is_full_and_when_the_clock_goes_back() -> None:
    times = iter([EPOCH_S + 5.0] * 300 + [EPOCH_S + 1.0] * 10)
    source = IdSource(machine_id=7, clock=lambda: next(times))
    numbers = [source.new_number() for _ in range(310)]
    assert numbers == sorted(set(numbers))


def test_ids_of_several_threads_are_all_different() -> None:
    source = IdSource(machine_id=1)
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda to=to: to.extend(source.new_id() for _ in range(500))) for to in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({text for to in made for text in to}) == 2000


def test_an_id_of_today_has_eleven_characters_and_is_valid() -> None:
    assert len(new_id()) == 11
    assert is_valid_id(new_id())


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_every_64_bit_number_survives_base58(number: int) -> None:
    assert decode(encode(number)) == number


@given(st.text())
def test_validation_never_raises_and_accepts_only_the_alphabet(text: str) -> None:
    if is_valid_id(text):
        assert text
        assert set(text) <= set(ALPHABET)


@pytest.mark.parametrize("text", ["", "0", "2abc def", "2l", "IO", "2abc\n", "é", "z" * 12, "z" * 10_000, "\x00"])
def test_what_is_no_base58_of_64_bits_is_not_valid(text: str) -> None:
    assert not is_valid_id(text)


def test_the_largest_id_is_valid_and_the_next_number_is_not() -> None:
    assert is_valid_id(encode(2**64 - 1))
    assert not is_valid_id(encode(2**64))


def test_the_machine_id_is_the_start_of_the_node_part(tmp_path: Path) -> None:
    file = tmp_path / "machine-id"
    file.write_text("0123456789abcdef0123BEEF89abcdef\n")
    assert this_machine_id(file) == 0xBEEF


@pytest.mark.parametrize("text", ["", "short", "x" * 32])
def test_a_machine_without_a_usable_id_is_number_42(tmp_path: Path, text: str) -> None:
    file = tmp_path / "machine-id"
    file.write_text(text)
    assert this_machine_id(file) == 42
    assert this_machine_id(tmp_path / "none") == 42
