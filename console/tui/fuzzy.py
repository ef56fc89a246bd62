"""How well what somebody typed fits a text, and which letters of it they meant. Plain strings; no widgets."""

from __future__ import annotations

from typing import NamedTuple

BEGIN, INSIDE, SCATTERED = 0, 1, 2
"""Of one typed word: a word of the text begins with it, it stands inside one, its letters come in this order."""


class Match(NamedTuple):
    """A text that fits."""

    tier: int
    """BEGIN, INSIDE or SCATTERED: the worst of all typed words."""
    score: int
    """Within a tier; smaller is better."""
    at: frozenset[int]
    """Places of the letters that were typed."""


def match(typed: str, text: str) -> Match | None:
    """Return how the text fits, None if it does not: each typed word must, in any order; case does not matter."""
    lowered = text.casefold()
    tier, score, places = BEGIN, 0, set[int]()
    for word in typed.casefold().split():
        found = _word(word, lowered)
        if found is None:
            return None
        tier = max(tier, found[0])
        score += found[1][-1] - len(word) + 1 - (found[1][0] if found[0] == SCATTERED else 0)
        places.update(found[1])
    return Match(tier, score, frozenset(places))


def _word(word: str, text: str) -> tuple[int, list[int]] | None:
    at = first = text.find(word)
    while at >= 0:
        if at == 0 or not text[at - 1].isalnum():
            return BEGIN, list(range(at, at + len(word)))
        at = text.find(word, at + 1)
    if first >= 0:
        return INSIDE, list(range(first, first + len(word)))
    places = []
    at = -1
    for letter in word:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        places.append(at)
    return SCATTERED, places
