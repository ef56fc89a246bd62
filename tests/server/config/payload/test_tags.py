"""Tags of component templates."""

from __future__ import annotations

import pytest
from payloads import render

from server.config.payload.errors import PayloadError


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{% if empty %}1{% elif zero %}2{% elif host %}3{% else %}4{% endif %}", "2"),
        ("{% if empty %}1{% elif nothing %}2{% else %}3{% endif %}", "3"),
        ("{% if empty %}1{% endif %}", ""),
        ("{% if host == 'flp042' %}yes{% endif %}", "yes"),
        ("{% if empty %}1{% else %}2{% elif empty %}3{% else %}4{% endif %}", "3"),  # bodies and conditions are counted
        ("{% ifequal host 'flp042' %}same{% else %}other{% endifequal %}", "same"),
        ("{% ifequal seven 7 %}same{% else %}other{% endifequal %}", "other"),
        ("{% ifequal seven 7 %}same{% endifequal %}", ""),
        ("{% ifnotequal seven 7 %}other{% else %}same{% endifnotequal %}", "other"),
        ("{% firstof nothing empty zero host %}", "0"),
        ("{% firstof nothing markup %}", "a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;"),
        ("{% firstof markup|safe %}", "a<b & \"c\" > 'd'"),
        ("{% firstof %}", ""),
    ],
)
def test_a_condition_chooses_what_is_written(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{% for d in json.Unmarshal(list) %}{{ forloop.Counter }}{{ d }}{% if !forloop.Last %},{% endif %}{% endfor %}",
         "1MFT,2TOF"),
        ("{% for d in json.Unmarshal(list) reversed %}{{ forloop.Counter0 }}{{ d }}{{ forloop.First }} {% endfor %}",
         "0TOFTrue 1MFTFalse "),
        ("{% for d in json.Unmarshal(list) %}{{ forloop.Revcounter }}{{ forloop.Revcounter0 }}{% endfor %}", "2110"),
        ("{% for k, v in json.Unmarshal(map) sorted %}{{ k }}:{{ v }} {% endfor %}",
         "inner:<map[string]interface {} Value> name:tof none: rate:12.000000 "),
        ("{% for k in json.Unmarshal(map) reversed sorted %}{{ k }} {% endfor %}", "rate none name inner "),
        ("{% for x in 'c,a,b'|split:',' sorted %}{{ x }}{% endfor %}", "abc"),
        ("{% for x in 'c,a,b'|split:',' reversed sorted %}{{ x }}{% endfor %}", "cba"),
        ("{% for x in json.Unmarshal(numbers) sorted %}{{ x|integer }} {% endfor %}", "10 9 1 "),  # those have no order
        ("{% for c in host %}{{ c }}.{% endfor %}", "f.l.p.0.4.2."),
        ("{% for c in accents %}{{ c }}{% endfor %}", "Grüße"),
        ("{% for c in 'é' %}{{ c }}.{% endfor %}", "\ufffd.\ufffd."),
        ("{% for c in 'abc' reversed %}{{ c }}{{ forloop.Counter }}{{ forloop.Last }}{% endfor %}", "c3Trueb2Truea1True"),
        ("{% for x in nothing %}x{% empty %}none{% endfor %}", "none"),
        ("{% for x in 5 %}x{% empty %}none{% endfor %}", "none"),
        ("{% for x in json.Unmarshal('[]') %}x{% endfor %}", ""),
        ("{% for a in 'ab' %}{% for b in 'xy' %}{{ forloop.Parentloop.Counter }}{{ forloop.Counter }} {% endfor %}{% endfor %}",
         "11 12 21 22 "),
        ("{% for x in 'ab' %}{% set y = x %}{% endfor %}[{{ y }}{{ x }}{{ forloop.Counter }}]", "[]"),
        ("{% for x in 'ab' %}{{ y }}{% set y = x %}{% endfor %}", "a"),
        ("{% for x in 'abcd' %}{% cycle '1' '2' host %}{% endfor %}", "12flp0421"),
        ("{% cycle '<' 'b' as c %}{{ c }}{% cycle c %}{{ c }}{{ c.String }}", "<<bbb"),
        ("{% cycle 'a' 'b' as c silent %}{% cycle c %}{{ c }}", "b"),
        ("{% for x in 'aab' %}{% ifchanged x %}{{ x }}{% else %}-{% endifchanged %}{% endfor %}", "a-b"),
        ("{% for x in 'aab' %}{% ifchanged %}<{{ x }}>{% endifchanged %}{% endfor %}", "<a><b>"),
    ],
)  # fmt: skip
def test_loops_repeat_their_body(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{% set x = host|upper %}{{ x }}", "FLP042"),
        ("{% if host %}{% set x = 1 %}{% endif %}{{ x }}", "1"),
        ("{% set strings = 'x' %}{{ strings }}", "x"),
        ("{% with a=host b='2' %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}[{{ a }}{{ c }}]", "flp0422[]"),
        ("{% with host as a %}{{ a }}{% endwith %}", "flp042"),
        ("{% macro m(a, b='x') %}<{{ a }}{{ b }}>{% endmacro %}{{ m() }}{{ m('1') }}{{ m('1', 2) }}", "<x><1x><12>"),
        ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m('<') }}{{ m('<'|safe) }}", "&lt;&lt;"),
        ("{% macro m() %}<{% endmacro %}{% set x = m() %}{{ x }}{{ m() + '' }}{{ m()|upper }}", "<&lt;&lt;"),
        (
            "{% macro m(host) %}[{{ host }}]{% endmacro %}{{ m() }}",
            "[]",
        ),  # an argument hides a variable, also when not given
        ("{% macro m() %}{{ later }}{% endmacro %}{% set later = 1 %}{{ m() }}{{ m }}", "11"),
        ("{% widthratio 5 10 100 %} {% widthratio seven 10 100 as w %}{{ w }}", "51 71"),
        ("{% widthratio 5 0 100 %}", "-9223372036854775808"),
    ],
)
def test_names_are_set_for_what_follows_or_for_a_body(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{% autoescape off %}{{ markup }}{% endautoescape %}", "a<b & \"c\" > 'd'"),
        ("{% autoescape off %}{% autoescape on %}{{ '<' }}{% endautoescape %}{{ '<' }}{% endautoescape %}{{ '<' }}", "&lt;<&lt;"),
        ("a{% comment %}{{ host }}{% nonsense %}{% if %}{% endcomment %}b", "ab"),
        ("a{# {{ host }} #}b", "ab"),
        ("{% filter upper|cut:'L' %}{{ host }}<{{ '<' }}{% endfilter %}", "FP042<&T;"),
        ("{% spaceless %}<p>\n <b>x y</b>  <i> z</i> </p>{% endspaceless %}", "<p><b>x y</b><i> z</i></p>"),
        ("{% spaceless %}> <b> <i\n> <u>{% endspaceless %}", "> <b> <i\n> <u>"),
        ("{% templatetag openvariable %}{% templatetag closeblock %}{% templatetag opencomment %}", "{{%}{#"),
        ("{% verbatim %}{{ host }}{% if %}{% endverbatim %}{{ host }}", "{{ host }}{% if %}flp042"),
        ("{% now '2006-01-02T15:04:05.000Z07:00' fake %}", "2014-02-05T18:31:45.000Z"),
        ("{% now 'Mon Monday Jan January 1 _2 2 3 4 5 06 PM pm MST -0700 -07:00 002 __2 _2006 x' fake %}",
         "Wed Wednesday Feb February 2  5 5 6 31 45 14 PM pm UTC +0000 +00:00 036  36 _2014 x"),
        ("{% now 'Janu Mond .x 150405 1.0' fake %}", "Janu Mond .x 183145 2.0"),
        ("{% now '15h' %}", None),
    ],
)  # fmt: skip
def test_tags_change_the_text_itself(template: str, result: str | None) -> None:
    assert render(template) == result if result is not None else render(template).endswith("h")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("a {{- host -}} b", "aflp042b"),
        ("a\n\t{%- if host -%}\n b \n{%- endif %} c", "ab c"),
        ("{{-host-}} ", "flp042"),
        ("a\n{{ host }}\n{% if host %}\n  b\n{% endif %}\n", "a\nflp042\n\n  b\n\n"),
        ("{{ host }}{# #} {{- host }}", "flp042flp042"),
        ("{{host}}{%if host%}x{%endif%}", "flp042x"),
        ("{{\thost\r}}", "flp042"),
        ("{ { host } } %} }} #}", "{ { host } } %} }} #}"),
        ("{{ 'a\\\\b' }}", "a\\b"),
        ('{{ "say \\"x\\"" }}', "say &quot;x&quot;"),
        ("", ""),
    ],
)
def test_white_space_stays_where_no_dash_takes_it(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("template", "place", "reason"),
    [
        ("a\n  {{ host", "2:6", "expected '}}', found the end"),
        ("{{", "1:1", "expected a number, a string or a name"),
        ("{{ }}", "1:4", "expected a number, a string or a name, found '}}'"),
        ("{{ host\n}}", "1:8", "a newline inside"),
        ("{{ 'a }}", "1:4", "the string is not closed"),
        ("{{ 'a\n' }}", "1:6", "a newline in a string"),
        ("{{ 'a\\q' }}", "1:6", r"unknown escape \\q"),
        ("{# a", "1:1", "the comment is not closed"),
        ("x{# a\n #}", "1:2", "a newline in a comment"),
        ("{% verbatim %}x", "1:1", "verbatim is not closed"),
        ("{% verbatim %}{% endverbatim %}", "1:1", "verbatim is not closed"),  # it takes at least one character
        ("{% nonsense %}", "1:4", "unknown tag, found 'nonsense'"),
        ("\n{% endif %}", "2:4", "unknown tag, found 'endif'"),
        ("{% 5 %}", "1:4", "expected the name of a tag"),
        ("{% if host", "1:7", "expected '%}', found the end"),
        ("{% if host %}x", "1:14", "expected {% elif %} or {% else %} or {% endif %}, found the end"),
        ("{% if host host %}{% endif %}", "1:12", "too much in {% if %}, found 'host'"),
        ("{% if %}{% endif %}", "1:4", "expected a number, a string or a name, found the end"),
        ("{% if a %}{% else a %}{% endif %}", "1:19", "too much in {% else %}"),
        ("{% for in x %}{% endfor %}", "1:8", "expected the name of a variable, found 'in'"),
        ("{% for x of y %}{% endfor %}", "1:10", "expected 'in', found 'of'"),
        ("{% for x in y sideways %}{% endfor %}", "1:15", "too much in {% for %}"),
        ("{% for x, in y %}{% endfor %}", "1:11", "expected the name of a second variable"),
        ("{% set x host %}", "1:10", "expected '='"),
        ("{% with x %}{% endwith %}", "1:9", "expected '=', found the end"),
        ("{% with %}{% endwith %}", "1:4", "with: expected name=value"),
        ("{% macro %}{% endmacro %}", "1:4", "expected the name of the macro"),
        ("{% macro m(a b) %}{% endmacro %}", "1:14", "expected ',' or ')'"),
        ("{% cycle %}", "1:4", "cycle: no values"),
        ("{% cycle 'a' as 5 %}", "1:17", "expected a name after 'as'"),
        ("{% autoescape maybe %}{% endautoescape %}", "1:15", "autoescape: expected on or off"),
        ("{% comment %}{% endcomment x %}", "1:28", "too much in {% endcomment %}"),
        ("{% filter nonsense %}{% endfilter %}", "1:11", "unknown filter"),
        ("{% templatetag x %}", "1:16", "templatetag: unknown word"),
        ("{% now %}", "1:4", "now: expected a layout in quotes"),
        ("{% lorem 5 x %}", "1:12", "lorem: expected w, p or b, found 'x'"),
        ("{% lorem 5 w twice %}", "1:14", "too much in {% lorem %}, found 'twice'"),
        ("{% for x in 'ba' sorted %}{% endfor %}", "1:4", "a text cannot be sorted"),
        ("{% set forloop = 1 %}{% for x in 'a' %}{% endfor %}", "1:25", "forloop is set to something else"),
        (
            "{% for x in 'aa' %}{% ifchanged x %}{% endifchanged %}{% endfor %}",
            "1:23",
            "nothing has changed, and there is no",
        ),
        ("{% macro m() %}{% endmacro %}{{ m(1) }}", "1:4", "macro m takes 0 arguments, 1 are given"),
        ("{{ strings.ToUpper(a b) }}", "1:22", "expected ',' or ')' after an argument"),
        ("{{ a. }}", "1:7", "expected a name or a number after the '.'"),
        ("{{ a[1 }}", "1:8", "expected ']'"),
        ("{{ (1 }}", "1:7", "expected ')'"),
        ("{{ {{ host }} }}", "1:4", "expected a number, a string or a name"),
        ("{{ a ? b }}", "1:6", "expected '}}', found '? b }}'"),
    ],
)
def test_an_error_says_where_it_is_and_what_was_expected(template: str, place: str, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        render(template)
    error = caught.value
    assert f"{error.line}:{error.column}" == place
    assert error.entry == "qc/ANY/any/main"
    assert reason.replace("\\\\", "\\") in error.message
    assert error.message.startswith(f"qc/ANY/any/main:{place}: ")


def test_lorem_gives_words_or_paragraphs_again_and_again() -> None:
    assert render("{% lorem 3 w %}|{% lorem 1 p %}")[:36] == "Lorem ipsum dolor|<p>Lorem ipsum dol"
    assert render("{% lorem 8 %}").split("\n")[7] == render("{% lorem %}")
    assert len(render("{% lorem 600 w %}").split()) == 600
    assert set(render("{% lorem 9 w random %}").split()) <= set(render("{% lorem 7 %}").split())
    assert render("{% lorem 2 p random %}").count("</p>") == 2
    assert render("{% lorem 0 %}") == ""


def test_lorem_without_end_is_stopped() -> None:
    with pytest.raises(PayloadError, match="longer than"):
        render("{% lorem 99999999999 p %}")
