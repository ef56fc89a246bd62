"""What an act needs: its level, the words of what will happen, and what confirms it."""

from __future__ import annotations

from argparse import Namespace

import pytest

from console.commands import COMMANDS, find
from console.gates import Need, missing, need
from server.api.model import Environment

CONFIGURED = Environment(id="2ab1CDEFgh", state="CONFIGURED", hosts=2, tasks_total=8)
RUNNING = Environment(id="2ab1CDEFgh", state="RUNNING", run_number=571204, hosts=2, tasks_total=8)
FAILED_RUN = Environment(id="2ab1CDEFgh", state="ERROR", run_number=571204)


def of(words: str, target: Environment | None = None, **args: object) -> Need:
    found = find(words.split())
    assert found is not None
    return need(found[0], Namespace(**args), target)


@pytest.mark.parametrize(
    ("words", "target", "args", "level", "token"),
    [
        ("env ls", None, {}, 0, "all"),
        ("env create", None, {"template": "readout"}, 2, "all"),
        ("env deploy", CONFIGURED, {}, 1, "2ab1CDEFgh"),
        ("env configure", CONFIGURED, {}, 1, "2ab1CDEFgh"),
        ("env reset", CONFIGURED, {}, 1, "2ab1CDEFgh"),
        ("env start", CONFIGURED, {}, 2, "2ab1CDEFgh"),
        ("env stop", RUNNING, {}, 3, "571204"),
        ("env control", RUNNING, {"event": "stop"}, 3, "571204"),
        ("env control", CONFIGURED, {"event": "START_ACTIVITY"}, 2, "2ab1CDEFgh"),
        ("env destroy", CONFIGURED, {}, 3, "2ab1CDEFgh"),
        ("env destroy", CONFIGURED, {"force": True}, 4, "2ab1CDEFgh"),
        ("env destroy", RUNNING, {"allow_in_running_state": True}, 4, "2ab1CDEFgh"),
        ("env destroy", FAILED_RUN, {}, 4, "2ab1CDEFgh"),
        ("task clean", None, {"tasks": ["task7"]}, 3, "task7"),
        ("task clean", None, {"tasks": []}, 4, "all"),
        ("task transition", None, {"task": "task7", "event": "RESET"}, 2, "task7"),
        ("task kill", None, {"task": "task7"}, 3, "task7"),
        ("task kill", None, {"task": "task7", "force": True}, 4, "task7"),
        ("host drain", None, {"host": "flp001"}, 2, "flp001"),
        ("host undrain", None, {"host": "flp001"}, 1, "flp001"),
        ("host restart", None, {"host": "flp001"}, 3, "flp001"),
        ("host restart", None, {"host": "flp001", "force": True}, 4, "flp001"),
        ("repo add", None, {}, 1, "all"),
        ("repo refresh", None, {"index": "2"}, 1, "2"),
        ("repo default", None, {"index": "2"}, 3, "2"),
        ("repo default-revision", None, {"arguments": ["main"]}, 3, "main"),
        ("repo rm", None, {"index": "2"}, 4, "2"),
    ],
)
def test_every_act_has_the_level_of_what_it_can_break(
    words: str, target: Environment | None, args: dict[str, object], level: int, token: str
) -> None:
    needed = of(words, target, **args)
    assert (needed.level, needed.token) == (level, token)
    assert needed.needs_reason == (level == 4)


def test_a_part_of_the_name_of_a_host_never_confirms() -> None:
    needed = of("host restart", None, host="flp001")
    assert (needed.wanted, missing(needed, "flp0"), missing(needed, "flp001")) == ("flp001", "type flp001", "")


def test_what_changes_something_says_what_it_does() -> None:
    for command in COMMANDS:
        needed = need(command, Namespace(event="START", template="x", index="1"), CONFIGURED)
        assert needed.what
        assert (needed.level > 0) == bool(command.rpc)
        if needed.level > 1:
            assert needed.consequence.endswith("."), command.name


def test_the_words_tell_a_clean_end_from_a_kill() -> None:
    assert "SHUTDOWN" in of("env destroy", CONFIGURED).consequence
    assert "Run 571204 is stopped first" in of("env destroy", RUNNING).consequence
    killed = of("env destroy", RUNNING, force=True).consequence
    assert killed.startswith("KILL: nothing is stopped or reset") and "hooks" in killed and "571204" in killed
    assert "go on running" in of("env destroy", CONFIGURED, keep_tasks=True).consequence


def test_what_a_script_made_itself_needs_level_two_at_most() -> None:
    command = find(["env", "destroy"])
    assert command is not None
    assert need(command[0], Namespace(), RUNNING, own=True).level == 2


@pytest.mark.parametrize("typed", ["571204", "204", "1204", "2ab1", "2ab1CDEFgh", " 204 "])
def test_a_run_is_stopped_by_its_last_digits_or_the_start_of_the_id(typed: str) -> None:
    assert missing(of("env stop", RUNNING), typed) == ""


@pytest.mark.parametrize("typed", ["", "04", "571", "2ab", "2ab2", "yes", "@run", "all"])
def test_anything_else_does_not_stop_a_run(typed: str) -> None:
    assert missing(of("env stop", RUNNING), typed) == "type 204 or more of 571204"


def test_the_highest_level_wants_the_whole_name_and_a_reason() -> None:
    needed = of("env destroy", RUNNING, force=True)
    assert missing(needed, "2ab1", "the beam was dumped") == "type 2ab1CDEFgh"
    assert missing(needed, "2ab1CDEFgh", "short") == "give a reason of at least 10 characters"
    assert missing(needed, "2ab1CDEFgh", "the beam was dumped") == ""
    assert missing(needed, "571204", "the beam was dumped") == ""


def test_a_run_number_of_few_digits_is_typed_whole() -> None:
    needed = of("env stop", Environment(id="2ab1CDEFgh", state="RUNNING", run_number=7))
    assert needed.short_token == "7"
    assert missing(needed, "7") == "" and missing(needed, "07")
