"""What an environment shall be made of: hosts and detectors, the command that asks for it, what would keep it from working."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from form_world import spec
from hypothesis import given
from hypothesis import strategies as st

from console import resolve
from console.creation import Creation, Reference, Surroundings, assignment
from console.parse import parse
from console.preflight import Grade, checks, obstacles
from console.store import Store
from server.api.model import Batch, Change, Core, Drain, Environment, Host, Part
from server.api.replies import RepoInfo, RepoListing, TemplateListing, VariableSpec

REPO = "github.com/A/Workflows"
HOSTS = {
    "flp001": Host(name="flp001", detector="ITS", executor_state="ATTACHED"),
    "flp002": Host(name="flp002", detector="TPC", executor_state="SILENT"),
    "flp003": Host(name="flp003", detector="TPC", executor_state="ATTACHED"),
    "flp004": Host(name="flp004", detector="TOF"),
    "qc01": Host(name="qc01"),
}
AROUND = Surroundings(HOSTS, ("ITS", "TOF", "TPC"), {"TOF": "2abCDE"})
SPECS = (
    spec("hosts", default='["flp001","flp002"]', type="list"),
    spec("rate", default="50", type="number"),
    spec("its_qc", default="none"),
    spec("tof_qc", default="none"),
)


def listing(template: str = "demo", revision: str = "main", specs: tuple[VariableSpec, ...] = SPECS) -> TemplateListing:
    return TemplateListing(REPO, template, revision, "what it does", specs)


def chosen(**more: object) -> Creation:
    creation = Creation()
    creation.choose(listing(**more))  # type: ignore[arg-type]
    return creation


def words_of(creation: Creation, around: Surroundings = AROUND, refusal: str = "") -> dict[str, tuple[Grade, str]]:
    return {check.what: (check.grade, check.words) for check in checks(creation, around, refusal)}


# ---- template ----------------------------------------------------------------------------------


def test_a_template_is_named_as_shortly_as_the_core_finds_it() -> None:
    repos = RepoListing((RepoInfo(REPO, True, "main", ()), RepoInfo("other", False, "v1", ())), "main")
    assert Reference(REPO, "demo", "main").short(repos) == "demo"
    assert Reference(REPO, "demo", "dev").short(repos) == "demo@dev"
    assert Reference("other", "demo", "v1").short(repos) == "other/workflows/demo"
    assert Reference("gone", "demo", "v1").short(repos) == "gone/workflows/demo@v1"
    assert Reference(REPO, "demo", "main").short(None) == f"{REPO}/workflows/demo@main"
    assert Reference("", "demo").full == "demo"


def test_another_template_keeps_what_it_offers_too_and_coming_back_finds_the_rest() -> None:
    creation = chosen()
    creation.form.set("rate", "70")
    creation.form.set("its_qc", "fast")
    creation.set_hosts(["flp003"])
    creation.choose(listing("other", specs=(spec("rate", default="10", type="number"), spec("more"))))
    assert creation.form.changed == {"rate": "70", "hosts": '["flp003"]'}
    creation.form.set("rate", "80")
    creation.choose(listing())
    assert creation.form.changed == {"rate": "70", "its_qc": "fast", "hosts": '["flp003"]'}


def test_a_template_that_was_read_again_keeps_its_form() -> None:
    creation = chosen()
    creation.form.set("rate", "70")
    form = creation.form
    creation.choose(listing())
    assert creation.form is form
    creation.choose(listing(specs=SPECS[:2]))
    assert creation.form is not form and creation.form.changed == {"rate": "70"}


# ---- hosts and detectors -----------------------------------------------------------------------


def test_the_hosts_of_the_template_are_taken_and_not_sent() -> None:
    creation = chosen()
    assert creation.hosts == ("flp001", "flp002") and creation.detectors(AROUND) == ("ITS", "TPC")
    assert creation.toggle_host("flp001", AROUND) == "" and creation.hosts == ("flp002",)
    assert creation.toggle_host("qc01", AROUND) == "" and creation.hosts == ("flp002", "qc01")
    creation.toggle_host("qc01", AROUND)
    creation.toggle_host("flp001", AROUND)
    assert creation.hosts == ("flp001", "flp002") and creation.form.changed == {}


def test_a_host_whose_detector_is_in_use_cannot_be_taken_but_left_out() -> None:
    creation = chosen()
    assert creation.toggle_host("flp004", AROUND) == "TOF is in use by 2abCDE" and "flp004" not in creation.hosts
    creation.set_hosts(["flp004"])
    assert creation.toggle_host("flp004", AROUND) == "" and creation.hosts == ()


def test_a_detector_is_taken_with_all_its_hosts() -> None:
    creation = chosen()
    assert creation.toggle_detector("TPC", AROUND) == "" and creation.hosts == ("flp001", "flp002", "flp003")
    assert creation.toggle_detector("TPC", AROUND) == "" and creation.hosts == ("flp001",)
    assert creation.toggle_detector("TOF", AROUND) == "TOF is in use by 2abCDE"
    creation.set_hosts(["flp004", "flp001"])
    assert creation.toggle_detector("TOF", AROUND) == "" and creation.hosts == ("flp001",)


def test_a_drained_host_is_not_taken_and_a_detector_comes_without_it() -> None:
    drained = replace(HOSTS["flp002"], drain=Drain(who="kim", why="new disk", since_ms=1_764_000_000_000))
    around = replace(AROUND, hosts=HOSTS | {"flp002": drained})
    creation = chosen(specs=(spec("hosts", default="[]", type="list"),))
    assert creation.toggle_host("flp002", around).startswith("flp002 is drained by kim since 2025-11-24")
    assert creation.toggle_detector("TPC", around) == ""
    assert creation.hosts == ("flp003",)
    assert creation.toggle_detector("TPC", around) == ""
    assert creation.hosts == ()
    shut = replace(AROUND, hosts=HOSTS | {"flp002": drained, "flp003": replace(drained, name="flp003")})
    assert creation.toggle_detector("TPC", shut) == "TPC is drained: no task can be placed on flp002, flp003"
    creation.set_hosts(["flp001", "flp002"])
    assert words_of(creation, around)["hosts"] == (Grade.BAD, "drained, nothing new is placed there: flp002")


def test_a_range_takes_what_is_free_and_says_what_is_not() -> None:
    creation = chosen()
    assert creation.toggle_hosts(["flp002", "flp003", "flp004"], AROUND) == "TOF is in use by 2abCDE"
    assert creation.hosts == ("flp001", "flp002", "flp003")
    assert creation.toggle_hosts(["flp002", "flp003"], AROUND) == "" and creation.hosts == ("flp001",)


def test_hosts_are_typed_in_several_ways() -> None:
    creation = chosen()
    for text in ("flp009, flp008", "flp008 flp009", '["flp009","flp008"]'):
        assert creation.type_hosts(text) == "" and creation.hosts == ("flp008", "flp009")
    assert creation.type_hosts("flp002,flp001") == "" and creation.form.changed == {}
    assert creation.type_hosts("") == "" and creation.form.changed == {"hosts": "[]"}
    assert "no list" in creation.type_hosts('["flp001"') and "no name" in creation.type_hosts("a'b")


def test_without_an_inventory_detectors_are_named() -> None:
    nothing = Surroundings({}, ("ITS", "TPC"), {"TPC": ""}, is_inventory=False)
    creation = chosen()
    assert creation.toggle_detector("ITS", nothing) == "" and creation.form.changed == {"detectors": '["ITS"]'}
    assert creation.toggle_detector("TPC", nothing) == "TPC is in use"
    assert creation.detectors(nothing) == ("ITS",)
    assert creation.words()[3:] == ["--detectors", "ITS"]
    creation.toggle_detector("ITS", nothing)
    assert creation.form.changed == {}


def test_a_template_that_offers_no_hosts_is_asked_with_those_that_were_chosen() -> None:
    creation = chosen(specs=SPECS[1:])
    assert creation.hosts == ()
    creation.set_hosts(["flp003"])
    assert creation.words()[3:] == ["--hosts", "flp003"]
    creation.set_hosts([])
    assert creation.words()[3:] == []


def test_variables_of_detectors_that_do_not_take_part_are_foreign() -> None:
    creation = chosen()
    assert creation.is_foreign("tof_qc", AROUND) and not creation.is_foreign("its_qc", AROUND)
    assert not creation.is_foreign("rate", AROUND)
    creation.form.set("tof_qc", "x")
    assert not creation.is_foreign("tof_qc", AROUND)
    creation.set_hosts([])
    assert not creation.is_foreign("tof_qc", AROUND)


def test_the_surroundings_are_those_of_the_picture() -> None:
    store = Store()
    core = Core(detectors=("ITS", "MFT"), active_detectors=("MFT", "ITS"))
    things = (core, *HOSTS.values(), Environment(id="2ab", detectors=("ITS",)))
    store.apply(Batch("e", 1, Part.NONE, tuple(Change(one, 1) for one in things)))
    around = Surroundings.of(store)
    assert around.detectors == ("ITS", "MFT", "TOF", "TPC") and around.taken == {"ITS": "2ab", "MFT": ""}
    assert around.refusal("flp001") == "ITS is in use by 2ab" and around.refusal("qc01") == ""
    assert around.is_inventory and not Surroundings.of(store, is_advisory=True).is_inventory
    assert not Surroundings.of(Store()).is_inventory


# ---- the command -------------------------------------------------------------------------------


def test_the_command_says_what_is_sent() -> None:
    creation = chosen()
    creation.set_hosts(["flp001", "flp003"])
    creation.form.set("rate", "70")
    creation.form.add("note=it's here")
    assert creation.command() == (
        f"aliecs env create {REPO}/workflows/demo@main --hosts flp001,flp003 -e rate=70 -e 'note=it'\"'\"'s here'"
    )


@given(
    st.dictionaries(
        st.text("abcXYZ_09.", min_size=1, max_size=8), st.text(st.characters(codec="utf-8"), max_size=25), max_size=5
    ),
    st.lists(st.sampled_from([*HOSTS, "odd,name"]), max_size=4),
)
def test_the_command_line_reads_back_what_was_changed(values: dict[str, str], hosts: list[str]) -> None:
    creation = chosen()
    for name, text in values.items():
        if name not in ("hosts", "detectors"):
            creation.form.set(name, text)
    creation.set_hosts(hosts)
    words = shlex.split(creation.command())
    _, args = parse(words[1:])
    sent = resolve.variables(args.extra_vars)
    for name in ("hosts", "detectors"):
        if getattr(args, name):
            sent[name] = resolve.name_list(getattr(args, name))
    assert sent == dict(creation.form.changed) and args.template == creation.name


def test_a_value_that_would_be_taken_apart_is_written_as_json() -> None:
    assert assignment("k", "a,b") == "k=a,b" and assignment("k", "a=1,b=2") == '{"k": "a=1,b=2"}'
    assert assignment("k", "") == "k="


# ---- preflight ---------------------------------------------------------------------------------


def test_nothing_chosen_is_said() -> None:
    found = checks(Creation(), AROUND, "data is 7 s old")
    assert obstacles(found) == ["template: none is chosen (step 1)", "core: data is 7 s old"]


def test_a_creation_that_can_work_has_no_obstacle() -> None:
    creation = chosen()
    creation.set_hosts(["flp001", "flp003"])
    creation.form.set("rate", "70")
    found = checks(creation, AROUND, "")
    assert obstacles(found) == [] and {check.grade for check in found} == {Grade.GOOD}
    said = words_of(creation)
    assert said["hosts"] == (Grade.GOOD, "2 hosts: flp001, flp003") and said["detectors"][1] == "ITS, TPC free"
    assert said["values"][1] == "1 changed, the others are the template's"


@pytest.mark.parametrize(
    ("hosts", "what", "grade", "words"),
    [
        (["flp009", "flp001"], "hosts", Grade.BAD, "not in the inventory: flp009"),
        (["flp002"], "hosts", Grade.DOUBTFUL, "no answer from the executor of flp002"),
        ([], "hosts", Grade.DOUBTFUL, "none is named; only templates that need none will work"),
        (["flp004"], "detectors", Grade.BAD, "TOF is in use by 2abCDE"),
        (["qc01"], "detectors", Grade.GOOD, "none is needed"),
    ],
)
def test_hosts_and_detectors_are_looked_at(hosts: list[str], what: str, grade: Grade, words: str) -> None:
    creation = chosen()
    creation.set_hosts(hosts)
    assert words_of(creation)[what] == (grade, words)


def test_hosts_that_nobody_can_check_are_only_doubtful() -> None:
    creation = chosen()
    grade, words = words_of(creation, Surroundings(is_inventory=False))["hosts"]
    assert grade is Grade.DOUBTFUL and "does not say which there are" in words
    computed = chosen(specs=(spec("hosts", default="{{ all() }}"),))
    assert words_of(computed)["hosts"] == (Grade.DOUBTFUL, "the core works them out: {{ all() }}")


def test_wrong_values_and_strange_conditions_are_named() -> None:
    creation = chosen(specs=(*SPECS, spec("odd", visible_if="now()", label="Odd one")))
    creation.form.set("rate", "fast")
    assert words_of(creation)["values"] == (Grade.BAD, "rate: fast is no number")
    assert words_of(creation)["conditions"] == (Grade.DOUBTFUL, "shown because not understood: odd")
    creation.form.set("rate", "5")
    creation.form.add("strange=1")
    assert words_of(creation)["values"] == (Grade.DOUBTFUL, "the template does not offer strange")
