"""A component template can neither hang nor fill the core, whatever it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import VARIABLES, render

from server.config.payload import budget
from server.config.payload.budget import Budget
from server.config.payload.errors import LimitError, PayloadError

LONG = {**VARIABLES, "long": "x" * 30_000, "data": f"[{','.join(['0'] * 20_000)}]"}

HOSTILE = {
    "loops in loops": "{% for a in long %}{% for b in long %}{% endfor %}{% endfor %}",
    "a text that doubles": "{% set s = long %}" + "{% set s = s + s %}" * 30,
    "a text joined by itself": "{{ long|make_list|join:long }}",
    "a macro that calls itself": "{% macro m() %}{% if host %}{{ m() }}{% endif %}{% endmacro %}{{ m() }}",
    "a macro that calls itself for an argument": "{% macro m(a=m()) %}{% endmacro %}{{ m() }}",
    "an include of itself by name": "{% include ('ma' + 'in') %}",
    "brackets in brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "subscripts in subscripts": "{{ " + "a[" * 3000 + "1" + "]" * 3000 + " }}",
    "calls in calls": "{{ " + "strings.ToUpper(" * 3000 + "'a'" + ")" * 3000 + " }}",
    "tags in tags": "{% if host %}" * 3000 + "{% endif %}" * 3000,
    "powers of powers": "{{ " + "^".join(["1"] * 3000) + " }}",
    "relations of relations": "{{ " + "<".join(["1"] * 3000) + " }}",
    "a very wide text": "{{ host|center:99999999 }}",
    "a very wide text on the left": "{{ host|ljust:99999999 }}",
    "a very wide text on the right": "{{ host|rjust:99999999 }}",
    "very many tokens": "{{ " + "+".join(["1"] * 150_000) + " }}",
    "a long text searched again and again": "{% for x in long %}{% if 'zz' in long %}{% endif %}{% endfor %}",
    "a long result": "{% for x in long %}{{ long }}{% endfor %}",
    "a long result of a body": "{% filter upper %}{% for x in long %}{{ long }}{% endfor %}{% endfilter %}",
    "tags of HTML in each other": "{% filter truncatewords_html:9 %}"
    + "<a>" * 30_000
    + "</b>" * 30_000
    + "{% endfilter %}",
}


@pytest.mark.parametrize("template", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_template_that_wants_too_much_is_stopped(template: str) -> None:
    with pytest.raises(PayloadError, match="qc/ANY/any/main"):
        render(template, variables=LONG)


EXPENSIVE = {
    "open brackets of HTML": ("{% spaceless %}" + "<" * 300_000 + "{% endspaceless %}", "<" * 300_000),
    "many pairs of tags": ("{% spaceless %}" + "<a> " * 30_000 + "{% endspaceless %}", "<a>" * 29_999 + "<a> "),
    "tags that never end": ("{% filter striptags %}" + "<" * 300_000 + "{% endfilter %}", "<" * 300_000),
    "a long sum": ("{{ " + "+".join(["1"] * 20_000) + " }}", "20000"),
    "many operands": ("{{ " + " or ".join(["empty"] * 20_000) + " }}", "False"),
    "a number that is no number": ("{{ '" + "9" * 300_000 + "'|integer }}", "0"),
    "many underscores": ("{{ '" + "1_" * 50_000 + "'|integer }}", "0"),
    "deep JSON": ("{{ json.Unmarshal('" + "[" * 50_000 + "') }}", ""),
    "a long list": ("{% for x in json.Unmarshal(data) sorted %}{% endfor %}x", "x"),
    "brackets within the limit": ("{{ " + "(" * 40 + "1" + ")" * 40 + " }}", "1"),
    "tags within the limit": ("{% if host %}" * 40 + "x" + "{% endif %}" * 40, "x"),
}


@pytest.mark.parametrize(("template", "result"), EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_a_template_that_is_only_long_is_rendered(template: str, result: str) -> None:
    assert render(template, variables=LONG) == result


def test_numbers_that_no_machine_has_are_refused() -> None:
    with pytest.raises(PayloadError, match="the number is too great"):
        render("{{ " + "9" * 5000 + " }}")
    with pytest.raises(PayloadError, match="the number is too great"):
        render("{{ " + "9" * 400 + ".0 }}")
    assert render("{{ strings.Atoi(x) }} {{ " + "0" * 5000 + "7 }}", variables={"x": "9" * 5000}) == f"{2**63 - 1} 7"


def test_entries_that_include_each_other_in_a_long_row_are_refused() -> None:
    entries = {f"e{number}": f"{{% include 'e{number + 1}' %}}" for number in range(budget.MAX_DEPTH + 1)}
    with pytest.raises(LimitError, match="entries that include each other"):
        render("{% include 'e0' %}", entries)


def test_entries_that_include_each_other_many_times_are_read_once_each() -> None:
    entries = {f"e{number}": f"{{% include 'e{number + 1}' %}}" * 2 for number in range(30)}
    with pytest.raises(LimitError, match="more than 1000000 steps"):
        render("{% include 'e0' %}", {**entries, "e30": "x"})
    assert render("{% include 'e0' if_exists %}x", entries) == "x"  # the last one is missing


def test_very_many_entries_are_refused() -> None:
    entries = {f"e{number}": "x" for number in range(budget.MAX_ENTRIES)}
    with pytest.raises(LimitError, match="more than 500 entries are included"):
        render("".join(f"{{% include '{name}' %}}" for name in entries), entries)


def test_an_entry_that_is_too_long_is_refused() -> None:
    with pytest.raises(LimitError, match="the entry is longer than"):
        render("x" * (budget.MAX_TEXT + 1))


def test_rendering_ends_at_its_deadline() -> None:
    spent = Budget(deadline_s=-1)
    with pytest.raises(LimitError, match="takes too long"):
        for _ in range(100):
            spent.step()


# ---- anything at all -------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    "{{ }} {% %} {{- -}} {%- -%} {# #} if elif else endif for in endfor empty set = with endwith include 'part' ('pa'+'rt') "
    "if_exists only macro m ( ) export endmacro {{m()}} import as block b endblock extends 'frame' block.Super comment "
    "endcomment filter endfilter cycle ifchanged endifchanged ifequal endifequal firstof now 'Mon' autoescape off "
    "endautoescape spaceless endspaceless widthratio templatetag openblock verbatim {%verbatim%} ssi parsed host list map "
    "nothing forloop.Counter json json.Unmarshal(list) json.Marshal strings.ToUpper(host) util.SuffixInRange uid.New | : , . "
    "[ ] + - * / % ^ ! not and or && || == != < <= in true false 1 0 2.5 'x' \"y\" upper default safe join slice:'1:2' "
    "stringformat:'%5d' length first add truncatechars:3 wordwrap:2 yesno pluralize floatformat:2 > & ' \" \\ é "
    "9223372036854775807".split(" ")
)
_SOUP = st.lists(st.one_of(_WORDS, st.just(" "), st.just("\n"), st.text(max_size=3)), max_size=40).map(" ".join)
_EXPRESSION = st.lists(_WORDS, min_size=1, max_size=12).map(lambda words: f"{{{{ {' '.join(words)} }}}}")
_TAG = st.lists(_WORDS, min_size=1, max_size=12).map(lambda words: f"{{% {' '.join(words)} %}}")
_PIECES = st.lists(st.one_of(_EXPRESSION, _TAG, st.text(max_size=5)), max_size=12).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), _SOUP, _PIECES), st.one_of(st.text(max_size=30), _SOUP), st.text(max_size=20))
def test_any_text_is_a_template_or_an_error_that_says_where(template: str, part: str, host: str) -> None:
    entries = {"part": part, "frame": "{% block b %}x{% endblock %}"}
    try:
        result = render(template, entries, {**VARIABLES, "host": host})
    except PayloadError as error:
        assert error.entry.startswith("qc/ANY/any/")
    else:
        result.encode("utf-8")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40).filter(lambda text: "{" not in text))
def test_a_text_without_braces_is_itself(text: str) -> None:
    assert render(text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_a_variable_is_escaped_so_that_unescaping_gives_it_back(text: str) -> None:
    shown = render("{{ x }}", variables={"x": text})
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        shown = shown.replace(name, character)
    assert shown == text
    assert render("{{ x|safe }}", variables={"x": text}) == text


def test_a_payload_writes_no_file(tmp_path: Path) -> None:
    file = tmp_path / "dumped"
    variables = {"text": "x", "file": str(file)}
    assert render("{{ util.Dump(text, file) }} {{ Dump(text, file) }}", variables=variables) == "x x"
    assert not file.exists()
