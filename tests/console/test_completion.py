"""A half-typed line is completed with what fits its slot, what is possible now first, from memory alone."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import pytest

from console.candidates import Candidate, Sources
from console.command import FLAG, SCREEN, Command
from console.commands import COMMANDS
from console.completion import SHOWN, complete, cut, wanted
from console.legality import Place, reason
from console.store import Store
from server.api.model import Batch, Change, Core, Environment, Host, Part, Role, Task, Thing
from server.api.replies import RepoInfo, TemplateListing, VariableSpec

IDLE = Environment(id="2aaa1111111", state="CONFIGURED", created_ms=1, detectors=("ITS", "TPC"))
BUSY = Environment(id="2aab2222222", state="RUNNING", created_ms=2, run_number=571204, detectors=("TOF",))
OTHER = Environment(id="2bcc3333333", state="DEPLOYED", created_ms=3, template="demo")
THINGS: tuple[Thing, ...] = (
    IDLE, BUSY, OTHER,
    Core(detectors=("ITS", "TPC", "TOF", "MFT"), active_detectors=("ITS", "TPC", "TOF")),
    Host(name="flp001", detector="ITS", executor_state="ATTACHED"), Host(name="flp002", detector="TPC", executor_state="LOST"),
    Task(task_id="task-a", name="readout", host="flp001", state="RUNNING", environment_id=BUSY.id, locked=True),
    Task(task_id="task-b", name="sink", host="flp002", state="ERROR", critical=True, environment_id=IDLE.id, locked=True),
    Task(task_id="task-c", name="sink", host="flp001", state="STANDBY"),
    Role(environment_id=IDLE.id, path="demo.flp001.readout", state="CONFIGURED"),
)  # fmt: skip


def spec(name: str, default: str = "", allowed: tuple[str, ...] = (), label: str = "") -> VariableSpec:
    return VariableSpec(name, default, "string", label, "", "", "", allowed, 0, "", "", 0)


TEMPLATES = (
    TemplateListing("r.org/a/b", "readout-demo", "main", "A small one\nmore", (spec("rate", "5", ("5", "9"), "Rate"), spec("n"))),
    TemplateListing("r.org/a/b", "readout-demo", "v1", "", ()),
    TemplateListing("r.org/a/b", "flp only", "main", "", ()),
)  # fmt: skip


class Link(Namespace):
    store: Store

    def refusal(self) -> str:
        return ""


def sources(*things: Thing, **more: object) -> Sources:
    store = Store()
    store.apply(Batch("e", 1, Part.BEGIN, tuple(Change(thing, 1) for thing in things or THINGS), 1))
    store.apply(Batch("e", 1, Part.END, (), 1))
    place: Place = Link(store=store)
    given = Sources(
        store=store, reason=lambda command, environment_id: reason(command, place, environment_id), templates=TEMPLATES,
        repos=(RepoInfo("r.org/a/b", True, "main", ()),), files=("run one.aliecs",), themes=("dark", "mono"),
        settings={"output": ("table", "json"), "notify": ("error", "none")}, recordings=("calm.jsonl",),
    )  # fmt: skip
    return replace(given, **more)  # type: ignore[arg-type]  # fields of Sources


def at_end(line: str, **more: object) -> list[Candidate]:
    return complete(line, len(line), sources(**more))


def texts(line: str, **more: object) -> list[str]:
    return [one.text for one in at_end(line, **more)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("en", ["env", "events"]),
        ("env cr", ["create"]),
        ("env start 2a", [IDLE.id, BUSY.id]),
        ("env stop 2a", [BUSY.id, IDLE.id]),
        ("env show @la", ["@last"]),
        ("env show @ru", ["@run"]),
        ("env show @5", ["@571204"]),
        ("env show @t", ["@tof", "@tpc"]),
        ("env show @TP", ["@tpc"]),
        ("task show task-", ["task-b", "task-c", "task-a"]),
        ("task show readout", ["task-a"]),
        ("task show flp002", ["task-b"]),
        ("task clean ", ["task-c"]),
        ("env create readout-demo --hosts flp001,", ["flp001", "flp002"]),
        ("env create readout-demo --detectors ITS,M", ["MFT"]),
        ("env create --detectors ", ["MFT", "ITS", "TOF", "TPC"]),
        ("role query 2aaa demo.f", ["demo.flp001.readout"]),
        ("env create rea", ["readout-demo"]),
        ("env create -w rea", ["readout-demo"]),
        ("env create --workflow-template=rea", ["readout-demo"]),
        ("env create readout-demo@", ["readout-demo@main", "readout-demo@v1"]),
        ("templ vars flp", ['"flp only"']),
        ("env create readout-demo -e ", ["rate=", "n="]),
        ("env create readout-demo -e rate=", ["rate=5", "rate=9"]),
        ("env create readout-demo -e n=1,ra", ["rate="]),
        ("env create -p ", ["true", "false"]),
        ("templ ls -i ", ["main", "v1"]),
        ("repo rm ", ["r.org/a/b"]),
        ("env wait 2aaa --state RUN", ["RUNNING"]),
        ("env wait 2aaa -s RUNNING,ER", ["ERROR"]),
        ("task ls --state ", ["ERROR", "STANDBY", "RUNNING"]),
        ("env control 2aaa -e ST", ["START_ACTIVITY", "STOP_ACTIVITY"]),
        ("env control 2aab -e ST", ["STOP_ACTIVITY", "START_ACTIVITY"]),
        ("env show 2aaa --w", ["--workflow"]),
        ("env ls --output ", ["table", "json", "ndjson", "id"]),
        ("env ls | gr", ["grep"]),
        ("env ls | where sta", ["state="]),
        ("env ls | grep x | select de", ["detectors"]),
        ("task ls | count ho", ["host"]),
        ("env ls; task sh", ["show"]),
        ("id = env cr", ["create"]),
        ('env create -e "ra', []),
        ("nonsense ", []),
        ("env show 2aaa 2aab", []),
    ],
)  # fmt: skip
def test_what_fits_the_slot_is_offered(line: str, expected: list[str]) -> None:
    assert texts(line) == expected


def test_what_is_possible_now_comes_first_and_the_rest_says_why_not() -> None:
    offered = {one.text: one.meta for one in at_end("env ", in_use=IDLE.id)}
    assert "needs RUNNING, the environment is CONFIGURED" in offered["stop"]
    assert offered["start"] == "start a run"
    order = list(offered)
    assert order.index("start") < order.index("stop")
    assert texts("st", in_use=BUSY.id)[:2] == ["stop", "start"]


def test_candidates_say_what_they_are() -> None:
    metas = {one.text: one.meta for line in ("env show ", "task show task-", "env create --hosts ", "env create rea")
             for one in at_end(line)}  # fmt: skip
    assert metas[BUSY.id] == "● RUN  run 571204  TOF"
    assert metas[OTHER.id] == "◔ DEP  demo"
    assert metas["@last"].startswith(OTHER.id)
    assert metas["task-b"] == "✖! ER!  sink  flp002"
    assert metas["flp002"] == "TPC  lost  0 tasks"
    assert metas["readout-demo"] == "A small one"
    assert at_end("env create readout-demo -e ra")[0].meta == "Rate = 5"


def test_the_replaced_part_begins_where_the_word_or_its_last_item_does() -> None:
    assert at_end("env show 2aa")[0].start == len("env show ")
    assert at_end("env create x --hosts flp001,flp0")[0].start == len("env create x --hosts flp001,")
    assert at_end('templ vars "flp o')[0].start == len("templ vars ")
    assert at_end("env create --workflow-template=rea")[0].start == len("env create --workflow-template=")


def test_only_what_stands_before_the_cursor_counts() -> None:
    assert [one.text for one in complete("env cr 2aaa", len("env cr"), sources())] == ["create"]


def test_what_has_to_be_fetched_is_named_and_nothing_else() -> None:
    assert wanted("env create -e ra", 16) == ("templates", "ra")
    assert wanted("repo rm ", 8) == ("repos", "")
    assert wanted("env ls | save ru", 16) == ("file", "ru")
    assert wanted("env show 2a", 11) == ("", "2a")


def test_many_tasks_are_cut_to_what_a_person_may_read_worst_first() -> None:
    tasks = [Task(task_id=f"t{n:05}", name="sink", state="RUNNING", environment_id="e") for n in range(5000)]
    crowd = sources(*tasks, Task(task_id="t99999", name="sink", state="ERROR", environment_id="e"))
    found = complete("task show t", 11, crowd)
    assert len(found) == SHOWN and found[0].text == "t99999"


def test_a_line_is_cut_as_the_command_line_would_cut_it() -> None:
    half = cut("env create -e 'a b' -w \"x")
    assert half.words == ("env", "create", "-e", "a b", "-w") and half.word == "x"
    assert cut("env ls | grep 'a | b' | cou").before_pipe == ("env", "ls")
    assert cut("env ls | grep 'a | b' | cou").word == "cou"
    assert cut("").words == ()


def test_every_slot_of_every_command_answers_and_none_crashes() -> None:
    for one in COMMANDS:
        for surface in one.surfaces:
            for arg in one.args:
                if arg.kind != FLAG:
                    _probe(one, f"{arg.name} " if arg.name.startswith("--") else "", surface)


def _probe(one: Command, option: str, surface: str) -> None:
    for word in ("", "x", "@", "-", "a=", "'"):
        line = f"{one.name} {option}{word}"
        complete(line, len(line), sources(surface=surface))


def test_the_line_of_the_screen_offers_the_verbs_of_the_screen() -> None:
    assert "tui" not in texts("", surface=SCREEN)
