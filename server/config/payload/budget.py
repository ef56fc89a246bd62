"""What one rendering may use: steps, characters, nesting and time, so that a payload cannot hang or fill the core."""

from __future__ import annotations

import time

from server.config.payload.errors import LimitError

MAX_STEPS = 1_000_000
"""Nodes executed and operands evaluated."""
MAX_WORK = 256 << 20
"""Characters read and, four times as dear, written by filters, functions and operators, all together."""
MAX_TEXT = 8 << 20
"""Characters of one value, and of the result."""
MAX_DEPTH = 40
"""Macros, includes and parents' blocks inside each other, while rendering and while reading."""
MAX_NESTING = 50
"""Tags inside tags, and brackets inside brackets."""
MAX_TOKENS = 200_000
"""Names, numbers, symbols and pieces of text of a template and all that it brings in."""
MAX_ENTRIES = 500
"""Entries that one template reads."""
DEADLINE_S = 10.0
"""Of the processor's time: a machine that is busy with other things makes no template a bad one."""

_CHECKED_EVERY = 64


class Budget:
    """Counts what one rendering uses, in the thread that makes it. Every method raises LimitError when there is too much."""

    __slots__ = ("_deadline", "_next_check", "_steps", "_work", "depth")

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline = time.thread_time() + deadline_s
        self._steps = 0
        self._next_check = _CHECKED_EVERY
        self._work = 0
        self.depth = 0

    def step(self, count: int = 1) -> None:
        """Count nodes or operands."""
        self._steps += count
        if self._steps >= self._next_check:
            self._next_check = self._steps + _CHECKED_EVERY
            self.check_time()
        if self._steps > MAX_STEPS:
            raise LimitError(f"more than {MAX_STEPS} steps", hint="is there a loop in a loop over long lists?")

    def read(self, value: object) -> None:
        """Count a value that is looked through."""
        self._spend(size(value))

    def wrote(self, value: object) -> None:
        """Count a value that was made."""
        length = size(value)
        if length > MAX_TEXT:
            raise LimitError(f"a value of {length} characters, at most {MAX_TEXT} are allowed")
        self._spend(4 * length)

    def reserve(self, length: int) -> None:
        """Refuse a text that would be too long, before it is made."""
        if length > MAX_TEXT:
            raise LimitError(f"a value of more than {length} characters, at most {MAX_TEXT} are allowed")

    def enter(self, what: str) -> None:
        """Count one level; the caller takes it off ``depth`` again."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LimitError(
                f"{what}: more than {MAX_DEPTH} levels of macros and includes", hint="does it call itself?"
            )

    def check_time(self) -> None:
        if time.thread_time() > self._deadline:
            raise LimitError("rendering takes too long")

    def _spend(self, work: int) -> None:
        self._work += work
        if work > _LONG:
            self.check_time()
        if self._work > MAX_WORK:
            raise LimitError("too many characters are made or looked through")


_LONG = 65_536
_ITEM = 16
"""Characters that an element of a list counts for."""


def size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return len(value) * _ITEM if isinstance(value, (list, tuple, dict)) else 1
