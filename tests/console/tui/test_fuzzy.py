"""What was typed is found in texts: words at their beginning before words inside before scattered letters."""

from __future__ import annotations

import pytest

from console.tui.fuzzy import BEGIN, INSIDE, SCATTERED, match


@pytest.mark.parametrize(
    ("typed", "text", "tier", "letters"),
    [
        ("", "env start", BEGIN, ""),
        ("st", "env start 2ab", BEGIN, "st"),
        ("2AB", "env start 2ab", BEGIN, "2ab"),
        ("st", "hosts", INSIDE, "st"),
        ("start env", "env start", BEGIN, "envstart"),
        ("estp", "env stop", SCATTERED, "estp"),
        ("env osts", "env hosts", INSIDE, "envosts"),
    ],
)
def test_every_typed_word_is_looked_for(typed: str, text: str, tier: int, letters: str) -> None:
    found = match(typed, text)
    assert found is not None and found.tier == tier
    assert "".join(text[at] for at in sorted(found.at)) == letters


@pytest.mark.parametrize("typed", ["stop", "pots", "env start x"])
def test_what_has_other_letters_is_not_found(typed: str) -> None:
    assert match(typed, "env start") is None


def test_the_nearer_text_has_the_better_score() -> None:
    near, far = match("st", "env start"), match("st", "environment of start")
    assert near is not None and far is not None and near.score < far.score
