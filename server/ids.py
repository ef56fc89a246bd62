"""Ids of environments and tasks: 64-bit numbers that grow with time, written in base58 (core.md 2.1.1).

Run numbers are not made here: server/config/runs.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Base58 as Bitcoin writes it: no 0, O, I, l."""

EPOCH_S = 1_257_894_000
"""2009-11-10T23:00:00Z, where the ticks start."""
TICKS_PER_S = 100
SEQUENCE_BITS = 8
MACHINE_BITS = 16
TICK_BITS = 39

MACHINE_ID_FILE = Path("/etc/machine-id")
FALLBACK_MACHINE_ID = 42


class IdSource:
    """Makes ids that no other source with another machine id makes.

    Ids of one source grow strictly. When more than 256 are asked for within one tick of 10 ms, or the clock goes
    back, the source runs ahead of the clock instead of waiting for it. Safe to use from several threads.
    """

    def __init__(self, machine_id: int | None = None, clock: Callable[[], float] = time.time) -> None:
        """Args:
        machine_id: 16 bits; None takes it from the machine.
        clock: seconds since 1970.
        """
        self._machine = (this_machine_id() if machine_id is None else machine_id) & ((1 << MACHINE_BITS) - 1)
        self._clock = clock
        self._last = -1
        self._lock = threading.Lock()

    def new_number(self) -> int:
        """Return the next 64-bit number."""
        now = int((self._clock() - EPOCH_S) * TICKS_PER_S) << SEQUENCE_BITS
        with self._lock:
            self._last = max(now, self._last + 1)
            count = self._last
        return (count & ((1 << (TICK_BITS + SEQUENCE_BITS)) - 1)) << MACHINE_BITS | self._machine

    def new_id(self) -> str:
        """Return the next id, usually 11 characters."""
        return encode(self.new_number())


def new_id() -> str:
    """Return a new id of this process's own source."""
    return _SOURCE.new_id()


def is_valid_id(text: str) -> bool:
    """Tell whether the text is base58 of a 64-bit value; never raises."""
    try:
        decode(text)
    except ValueError:
        return False
    return True


def encode(number: int) -> str:
    """Return base58 of a number that is not negative."""
    digits = []
    while number:
        number, rest = divmod(number, 58)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits)) or ALPHABET[0]


def decode(text: str) -> int:
    """Return the number that the text stands for.

    Raises:
        ValueError: empty, a character outside the alphabet, or more than 64 bits.
    """
    if not text:
        raise ValueError("an id is not empty")
    number = 0
    for character in text:
        digit = _VALUES.get(character)
        if digit is None:
            raise ValueError(f"{character!r} is not a base58 character")
        number = number * 58 + digit
        if number >> 64:
            raise ValueError(f"{text[:40]!r} is more than 64 bits")
    return number


def this_machine_id(path: Path = MACHINE_ID_FILE) -> int:
    """Return the first two bytes of the node part of the machine's id; 42 where there is none."""
    try:
        return int(path.read_text(encoding="ascii").strip()[20:24], 16)
    except (OSError, ValueError):
        return FALLBACK_MACHINE_ID


_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_SOURCE = IdSource()
