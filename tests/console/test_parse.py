"""Words become calls, and wrong words become helpful errors."""

from __future__ import annotations

import argparse
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.command import NOUNS
from console.commands import COMMANDS, find
from console.exit_codes import USAGE, ExitError
from console.parse import HelpAsked, duration, parse, parser_of


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("env ls", "env ls"),
        ("environment list", "env ls"),
        ("e l", "env ls"),
        ("env c -w x", "env create"),
        ("e new -w x", "env create"),
        ("env ctl 2abc -e START_ACTIVITY", "env control"),
        ("e t 2abc -e CONFIGURE", "env control"),
        ("env g 2abc", "env show"),
        ("env des 2abc", "env destroy"),
        ("start 2abc", "env start"),
        ("wait 2abc --state RUNNING", "env wait"),
        ("t cl", "task clean"),
        ("r q 2abc", "role query"),
        ("template l", "templ ls"),
        ("repository del 1", "repo rm"),
        ("repo update", "repo refresh"),
        ("info", "info"),
    ],
)
def test_names_and_aliases_of_coconut_lead_to_the_verb(words: str, name: str) -> None:
    assert parse(words.split())[0].name == name


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("env strat 2abc", "env has no verb 'strat'", "aliecs env start"),
        ("envv ls", "there is no verb 'envv'", "aliecs env"),
        ("xyzzy", "there is no verb 'xyzzy'", "aliecs --help"),
        ("env start", "the following arguments are required: env", "aliecs env start --help"),
        ("env start a b", "unrecognized arguments: b", "aliecs env start --help"),
        ("env wait a --state RUNNING --timeout 3q", "'3q' is no duration", "aliecs env wait --help"),
        ("env ls -o xml", "invalid choice: 'xml'", "aliecs env ls --help"),
        ("env stop a --timeou 3s", "unrecognized arguments: --timeou", "aliecs env stop --help"),
    ],
)
def test_a_wrong_word_is_named_with_what_to_do(words: str, message: str, hint: str) -> None:
    with pytest.raises(ExitError) as caught:
        parse(words.split())
    assert caught.value.code == USAGE
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("words", [["env"], ["env", "--help"], ["env", "create", "-h"], ["task", "ls", "--help"]])
def test_help_is_asked_for_by_a_noun_alone_or_an_option(words: list[str]) -> None:
    with pytest.raises(HelpAsked) as caught:
        parse(words)
    assert "usage: aliecs" in str(caught.value)


def test_every_command_has_a_function_and_a_parser_and_is_found_by_each_of_its_names() -> None:
    for command in COMMANDS:
        assert parser_of(command).format_help().startswith("usage: aliecs")
        noun, _, verb = command.name.partition(" ")
        for alias in (verb, *command.aliases):
            words = [alias[1:]] if alias.startswith("/") else [noun, alias] if verb else [noun]
            found = find(words)
            assert found is not None and found[0] is command, (command.name, alias)
        if command.name not in ("about", "keys", "repl", "tui"):  # those are front ends, in front.py
            module, _, name = command.run.partition(":")
            assert callable(getattr(importlib.import_module(f"console.verbs.{module}"), name))


def test_no_name_leads_to_two_verbs() -> None:
    alone = [alias for command in COMMANDS for alias in command.aliases if alias.startswith("/")]
    assert len(alone) == len(set(alone))
    for noun in NOUNS:
        names = [name for command in COMMANDS if command.name.startswith(f"{noun} ")
                 for name in (command.name.split()[1], *command.aliases)]  # fmt: skip
        assert len(names) == len(set(names)), noun


@pytest.mark.parametrize(
    ("text", "seconds"), [("3s", 3), ("2m", 120), ("1h30m", 5400), ("500ms", 0.5), ("1.5", 1.5), ("0", 0), ("1m5s", 65)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@given(st.text(max_size=6))
def test_what_is_no_duration_is_refused_and_never_crashes(text: str) -> None:
    try:
        assert 0 <= duration(text) < 1e9
    except argparse.ArgumentTypeError as error:
        assert "duration" in str(error)
