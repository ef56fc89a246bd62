"""Words that name an environment: ids and their beginnings, the last one, a run, a detector."""

from __future__ import annotations

import pytest

from console.exit_codes import NOT_FOUND, USAGE, ExitError
from console.resolve import choose
from server.api.model import Environment

KNOWN = (
    Environment(id="2aaa1111111", created_ms=1, detectors=("ITS", "TPC"), run_number=7),
    Environment(id="2aab2222222", created_ms=3, detectors=("TOF", "MFT")),
    Environment(id="2bcc3333333", created_ms=2, detectors=("MFT",)),
)


@pytest.mark.parametrize(
    ("word", "at"), [("2aab2222222", 1), ("2bc", 2), ("@last", 1), ("@run", 0), ("@7", 0), ("@tpc", 0), ("@TOF", 1)]
)
def test_a_word_names_an_environment(word: str, at: int) -> None:
    assert choose(word, KNOWN) is KNOWN[at]


@pytest.mark.parametrize("word", ["2zz", "2a", ""])
def test_an_id_that_nobody_has_is_left_to_the_core(word: str) -> None:
    assert choose(word, KNOWN) is None


@pytest.mark.parametrize(
    ("word", "code", "message", "hint"),
    [
        ("2aa", USAGE, "2aa begins several ids", "add a character"),
        ("@8", NOT_FOUND, "run 8 is not on", "env ls"),
        ("@mft", USAGE, "@mft: 2 environments hold MFT", "2aab2222222, 2bcc3333333"),
        ("@emc", USAGE, "@emc names no environment", "@DETECTOR"),
    ],
)
def test_a_word_that_names_none_or_several_is_refused_with_what_there_is(
    word: str, code: int, message: str, hint: str
) -> None:
    with pytest.raises(ExitError) as caught:
        choose(word, KNOWN)
    assert caught.value.code == code and message in caught.value.message and hint in caught.value.hint


def test_without_environments_there_is_no_last_one() -> None:
    with pytest.raises(ExitError, match="there is no environment"):
        choose("@last", ())
