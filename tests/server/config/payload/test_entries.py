"""Component templates that include, import and extend other entries, and the cache of parsed ones."""

from __future__ import annotations

import threading

import pytest
from payloads import BASE, ENTRY, VARIABLES, render

from server.config.payload.errors import MissingEntryError, PayloadError
from server.config.payload.templates import PayloadTemplates

ENTRIES = {
    "part": "<{{ host }}{{ a }}>",
    "deep/one": "1{% include 'two' %}",
    "deep/two": "deep two",
    "two": "two",
    "frame": "({% block head %}h{{ host }}{% endblock %}|{% block tail %}t{% endblock %})",
    "middle": "{% extends 'frame' %}ignored{% block head %}m[{{ block.Super }}]{% endblock %}",
    "macros": "{% macro hi(a) export %}hi {{ a }}{{ host }}{% endmacro %}{% macro own() %}{% endmacro %}text",
    "broken": "\n{% if %}",
    "lost": "{% include 'absent' %}",
    "loop": "{{ forloop.Counter }}{{ x }}{% for y in 'a' %}{{ forloop.Parentloop.Counter }}{% endfor %};",
    "counting": "{% cycle 'a' 'b' 'c' %}",
    "qc/ANY/anyone/main": "a folder that begins like ours",
    "qc/PHYSICS/any/main": "another folder",
}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{% include 'part' %}", "<flp042>"),
        ("{% include 'qc/ANY/any/part' %}", "<flp042>"),
        ("{% include 'deep/one' %}", "1two"),  # relative to the entry asked for, not to the one that includes
        ("{% include 'qc/ANY/anyone/main' %}", "a folder that begins like ours"),
        ("{% include 'part' with a=1 %}", "<flp0421>"),
        ("{% include 'part' with a=host only %}", "<flp042>"),
        ("{% include 'part' with a='<' %}", "<flp042&lt;>"),
        ("{% include ('pa' + 'rt') with a=1 host=2 %}", "<21>"),
        ("{% set a = 5 %}{% include 'part' %}", "<flp0425>"),
        ("{% include 'absent' if_exists %}x", "x"),
        ("{% include 'lost' if_exists %}x", "x"),  # what is missing inside counts too
        ("{% include ('ab' + 'sent') if_exists %}x", "x"),
        ("{% include ('lo' + 'st') if_exists %}x", "x"),
        (
            "{% autoescape off %}{% include 'part' with a='<' %}{% endautoescape %}",
            "<flp042&lt;>",
        ),  # escaping begins anew
        ("{% for x in 'pq' %}{% include 'loop' %}{% endfor %}", "1p;2q;"),  # of loops outside only forloop is seen
        ("{% for x in 'pqr' %}{% include 'counting' %}{% endfor %}", "abc"),
        ("{% for x in 'pqr' %}{% include ('count' + 'ing') %}{% endfor %}", "aaa"),  # read anew each time
        ("{% include 'counting' %}{% include 'counting' %}", "aa"),
        ("{% include 'middle' %}", "(m[hflp042]|t)"),
        ("{% ssi 'part' parsed %}", "<flp042>"),
        ("{% import 'macros' hi %}{{ hi('x') }}", "hi xflp042"),
        ("{% import 'macros' hi as ho %}{{ ho('<') }}{{ hi }}", "hi &lt;flp042"),
        ("{% include 'macros' %}", "text"),
        ("{% extends 'frame' %}{% block tail %}T{{ block.Super }}{% endblock tail %}", "(hflp042|Tt)"),
        ("{% extends 'middle' %}{% block head %}x{{ block.Super }}{% endblock %}", "(xm[hflp042]|t)"),
        ("x{% extends 'frame' %}y", "(hflp042|t)"),
        ("{% block own %}{{ block.Super }}o{% endblock %}", "o"),
    ],
)
def test_other_entries_are_brought_in(template: str, result: str) -> None:
    assert render(template, ENTRIES) == result


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% include 'absent' %}", "main:1:12: there is no entry qc/ANY/any/absent"),
        ("{% if empty %}{% include 'absent' %}{% endif %}", "main:1:26: there is no entry"),  # read before it is needed
        ("{% include 'lost' %}", "qc/ANY/any/lost:1:12: there is no entry qc/ANY/any/absent"),
        ("{% include 'broken' %}", "qc/ANY/any/broken:2:4: expected a number"),
        ("{% include 'broken' if_exists %}", "qc/ANY/any/broken:2:4: expected a number"),
        ("{% include 'qc/PHYSICS/any/main' %}", "no entry qc/ANY/any/qc/PHYSICS/any/main"),
        ("{% include '/qc/ANY/any/part' %}", "no entry /qc/ANY/any/part"),
        ("{% include nothing %}", "main:1:4: include: the name of the entry is empty"),
        ("{% include ('ab' + 'sent') %}", "main:1:4: there is no entry"),
        ("{% include 'part' only %}", "too much in {% include %}, found 'only'"),
        ("{% include 'part' with only %}", "expected '='"),
        ("{% include 'pa' + 'rt' %}", "there is no entry qc/ANY/any/pa"),  # a name in quotes is the whole name
        ("{% include %}", "expected a number, a string or a name"),
        ("{% for k in json.Unmarshal(map) %}{% include 'part' %}{% endfor %}", "'' is not the name of a variable"),
        ("{% set hi = 1 %}{% include 'macros' %}", "the variable hi has the name of an exported macro"),
        ("{% include 'main' %}", "an entry includes itself: qc/ANY/any/main > qc/ANY/any/main"),
        ("{% include ('ma' + name) %}", "more than 40 levels"),
        ("{% extends 'main' %}", "includes itself"),
        ("{% extends 'absent' %}", "main:1:12: there is no entry"),
        ("{% extends host %}", "extends: expected the name of an entry in quotes"),
        ("{% extends 'frame' %}{% extends 'frame' %}", "only one entry can be extended"),
        ("{% if host %}{% extends 'frame' %}{% endif %}", "only outside of other tags"),
        ("{% block a %}{% endblock b %}", "expected a, found 'b'"),
        ("{% block a %}{% endblock %}{% block a %}{% endblock %}", "block a is there twice"),
        ("{% block a %}{{ block == block }}{% endblock %}", "blocks cannot be compared"),
        ("{% import 'macros' own %}", "no macro of that name is exported"),
        ("{% import 'macros' %}", "expected the name of a macro"),
        ("{% import 'absent' x %}", "main:1:11: there is no entry"),
        ("{% import macros hi %}", "expected the name of an entry in quotes"),
        (
            "{% macro m() export %}{% endmacro %}{% macro m() export %}{% endmacro %}",
            "another macro m is exported already",
        ),
        ("{% macro host() export %}{% endmacro %}", "the variable host has the name of an exported macro"),
        ("{% ssi '/etc/hostname' %}", "files of the machine are not read"),
        ("{% ssi 'absent' parsed %}", "there is no entry"),
    ],
)
def test_what_cannot_be_brought_in_says_where(template: str, reason: str) -> None:
    variables = {**VARIABLES, "name": "in"}
    with pytest.raises(PayloadError) as caught:
        render(template, ENTRIES, variables)
    assert reason in caught.value.message


def test_an_entry_that_is_not_there_is_an_error_of_its_own() -> None:
    with pytest.raises(MissingEntryError, match="qc/ANY/any/main: there is no entry qc/ANY/any/main"):
        PayloadTemplates().render({}.get, ENTRY, {})


def test_a_parsed_template_with_its_includes_is_kept_until_it_is_invalidated() -> None:
    entries = {ENTRY: "1{% include 'part' %}{% include ('pa' + 'rt') %}", f"{BASE}/part": "a"}
    templates = PayloadTemplates()
    assert templates.render(entries.get, ENTRY, {}) == "1aa"
    entries.update({ENTRY: "2{% include 'part' %}", f"{BASE}/part": "b"})
    assert templates.render(entries.get, ENTRY, {}) == "1ab"  # names known only while rendering are read each time
    templates.invalidate()
    assert templates.render(entries.get, ENTRY, {}) == "2b"


def test_a_template_that_failed_is_read_anew() -> None:
    entries = {ENTRY: "{% include 'part' %}"}
    templates = PayloadTemplates()
    with pytest.raises(MissingEntryError):
        templates.render(entries.get, ENTRY, {})
    entries[f"{BASE}/part"] = "there now"
    assert templates.render(entries.get, ENTRY, {}) == "there now"


def test_each_rendering_begins_its_cycles_anew() -> None:
    templates = PayloadTemplates()
    entries = {ENTRY: "{% for x in 'ab' %}{% cycle '1' '2' '3' %}{% ifchanged %}x{% endifchanged %}{% endfor %}"}
    assert [templates.render(entries.get, ENTRY, {}) for _ in range(2)] == ["1x2", "1x2"]


def test_what_was_read_before_an_invalidation_is_not_kept_after_it() -> None:
    templates = PayloadTemplates()

    def fetch(path: str) -> str | None:
        templates.invalidate()  # as another thread may while an entry is read
        return "old"

    assert templates.render(fetch, ENTRY, {}) == "old"
    assert templates.render({ENTRY: "new"}.get, ENTRY, {}) == "new"


def test_several_threads_render_at_once() -> None:
    entries = {
        f"{BASE}/e{number}": f"{number}{{% for x in 'abc' %}}{{% cycle '1' '2' %}}{{% endfor %}}{{{{ v }}}}"
        for number in range(4)
    }
    templates = PayloadTemplates()
    wrong: list[str] = []

    def work(mine: int) -> None:
        for turn in range(50):
            number = (turn + mine) % 4
            result = templates.render(entries.get, f"{BASE}/e{number}", {"v": str(mine)})
            if turn % 10 == mine:
                templates.invalidate()
            if result != f"{number}121{mine}":
                wrong.append(result)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
