"""Globs with sets and alternatives. Over role paths ``*`` and ``?`` stay within a name and ``**`` crosses dots (core.md 2.1.3);
over names of repositories and revisions ``*`` crosses everything (workflows-config.md 8.3).
"""

from __future__ import annotations

from collections.abc import Callable

MAX_PATTERN = 1000
"""Characters; more than anybody types."""
MAX_KNOWN = 4096
"""Steps that are remembered of one pattern."""

_Test = Callable[[str], bool]


class GlobError(ValueError):
    """The pattern is no glob."""


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for role paths; an empty pattern matches nothing.

    Raises:
        GlobError: a bracket or brace is not closed, or a set is empty.
    """
    return _matcher(pattern, is_path=True)


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test for names without parts; an empty pattern matches nothing.

    Raises:
        GlobError: a bracket or brace is not closed, or a set is empty.
    """
    return _matcher(pattern, is_path=False)


def _matcher(pattern: str, *, is_path: bool) -> Callable[[str], bool]:
    if not pattern:
        return lambda text: False
    if len(pattern) > MAX_PATTERN:
        raise GlobError(f"it has {len(pattern)} characters, more than {MAX_PATTERN}")
    return _Automaton(pattern, is_path=is_path).accepts


class _Automaton:
    """Follows all ways through a pattern at once: what a text costs grows with its length, whatever the pattern.

    An expression of ``re`` would try one way after the other, in ``*?*?*?*?*?*?*?*!`` for hours.
    """

    def __init__(self, pattern: str, *, is_path: bool) -> None:
        self._is_path = is_path
        self._jumps: list[list[int]] = [[]]
        """By place in the pattern: where one stands as well."""
        self._tests: list[_Test | None] = [None]
        """By place: what a letter must be to go on from there."""
        self._targets: list[int] = [0]
        """By place: where a letter leads."""
        self._end = self._read(pattern)
        self._start = self._with_jumps({0})
        self._known: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def accepts(self, text: str) -> bool:
        """Say whether the whole text is one that the pattern describes."""
        here, known = self._start, self._known
        for letter in text:
            there = known.get((here, letter))
            if there is None:
                there = self._step(here, letter)
                if len(known) >= MAX_KNOWN:
                    known.clear()
                known[here, letter] = there
            if not there:
                return False
            here = there
        return self._end in here

    def _step(self, here: frozenset[int], letter: str) -> frozenset[int]:
        tests, targets = self._tests, self._targets
        return self._with_jumps({targets[at] for at in here if (test := tests[at]) is not None and test(letter)})

    def _with_jumps(self, places: set[int]) -> frozenset[int]:
        open_ends = list(places)
        while open_ends:
            for place in self._jumps[open_ends.pop()]:
                if place not in places:
                    places.add(place)
                    open_ends.append(place)
        return frozenset(places)

    # ---- from the pattern --------------------------------------------------------------------

    def _place(self) -> int:
        self._jumps.append([])
        self._tests.append(None)
        self._targets.append(0)
        return len(self._jumps) - 1

    def _one(self, at: int, test: _Test) -> int:
        """Go on by one letter; return the place behind it."""
        self._tests[at], self._targets[at] = test, self._place()
        return self._targets[at]

    def _many(self, at: int, test: _Test) -> int:
        """Go on by any number of letters; return the place behind them."""
        loop, behind = self._place(), self._place()
        self._jumps[at].append(loop)
        self._tests[loop], self._targets[loop] = test, loop
        self._jumps[loop].append(behind)
        return behind

    def _branch(self, start: int) -> int:
        place = self._place()
        self._jumps[start].append(place)
        return place

    def _read(self, pattern: str) -> int:
        """Put the places together; return the last one."""
        within = _not_dot if self._is_path else _any
        braces: list[tuple[int, list[int]]] = []
        """Of each that is open: where its alternatives begin, and where those that are complete end."""
        at = place = 0
        while at < len(pattern):
            char = pattern[at]
            at += 1
            if char == "*":
                is_double = pattern[at : at + 1] == "*"
                at += is_double
                place = self._many(place, _any if is_double else within)
            elif char == "?":
                place = self._one(place, within)
            elif char == "[":
                end = pattern.find("]", at + 1)
                if end < 0:
                    raise GlobError("'[' is not closed")
                place = self._one(place, _set(pattern[at:end], is_path=self._is_path))
                at = end + 1
            elif char == "{":
                braces.append((place, []))
                place = self._branch(place)
            elif char == "}" and braces:
                _, ends = braces.pop()
                behind = self._place()
                for end in (*ends, place):
                    self._jumps[end].append(behind)
                place = behind
            elif char == "," and braces:
                start, ends = braces[-1]
                ends.append(place)
                place = self._branch(start)
            elif char == "\\":
                if at == len(pattern):
                    raise GlobError("nothing follows the last backslash")
                place = self._one(place, pattern[at].__eq__)
                at += 1
            else:
                place = self._one(place, char.__eq__)
        if braces:
            raise GlobError("'{' is not closed")
        return place


def _any(letter: str) -> bool:
    return True


def _not_dot(letter: str) -> bool:
    return letter != "."


def _set(body: str, *, is_path: bool) -> _Test:
    """Return the test of ``[body]``: characters and ranges, negated by ``!`` or ``^``.

    Raises:
        GlobError: a range runs backwards, or the set is empty.
    """
    is_negated = body[:1] in ("!", "^")
    left = body[is_negated:]
    ranges: list[tuple[str, str]] = []
    while left:
        if len(left) > 2 and left[1] == "-":
            if left[0] > left[2]:
                raise GlobError(f"range {left[:3]!r} runs backwards")
            ranges.append((left[0], left[2]))
            left = left[3:]
        else:
            ranges.append((left[0], left[0]))
            left = left[1:]
    if not ranges:
        raise GlobError("a set is empty")

    def test(letter: str) -> bool:
        if is_path and letter == ".":
            return False
        return any(low <= letter <= high for low, high in ranges) is not is_negated

    return test
