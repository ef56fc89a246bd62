"""Filters of component templates."""

from __future__ import annotations

import pytest
from payloads import render

from server.config.payload.errors import PayloadError
from server.config.payload.filters import FILTERS

_LINK = '{2}<a href="http://{0}" rel="nofollow">{1}</a>'

CASES = [
    ("5|add:2", "7"),
    ("5|add:2.5", "7.500000"),
    ("seven|add:1", "71"),
    ("markup|addslashes|safe", "a<b & \\\"c\\\" > \\'d\\'"),
    ("'éa b'|capfirst", "Éa b"),
    ("5|capfirst", ""),
    ("'ab'|center:7|cut:'x'", "   ab  "),
    ("'ab'|center:1", "ab"),
    ("words|cut:' '", "threelittlewords"),
    ("empty|default:'d'", "d"),
    ("zero|default:'d'", "0"),
    ("nothing|default:host", "flp042"),
    ("nothing|default", ""),
    ("empty|default_if_none:'d'", ""),
    ("nothing|default_if_none:'d'", "d"),
    ("21|divisibleby:'7'", "True"),
    ("21|divisibleby:0", "False"),
    ("'<'|e", "&amp;lt;"),  # and once more on the way out
    ("'<'|escape|safe", "&lt;"),
    ("'a 1\\\\n<é'|escapejs", "a \\u0031\\u000A\\u003C\\u00E9"),
    ("json.Unmarshal(list)|first", "MFT"),
    ("host|last", "2"),
    ("5|first", ""),
    ("'1.5'|float", "1.500000"),
    ("2.345|floatformat", "2.3"),
    ("2.0|floatformat", "2"),
    ("2.0|floatformat:2", "2.00"),
    ("2.0|floatformat:'2'", "2"),
    ("2.345|floatformat:'-2'", "2.35"),
    ("12345|get_digit:2", "4"),
    ("12345|get_digit:9", "12345"),
    ("'a b?ü/'|iriencode", "a+b?%C3%BC/"),
    ("'12.9'|integer", "12"),
    ("json.Unmarshal(list)|join:' + '", "MFT + TOF"),
    ("'abc'|join:','", "a,b,c"),
    ("5|join:','", "5"),
    ("accents|length", "5"),
    ("json.Unmarshal(map)|length", "4"),
    ("5|length", "0"),
    ("host|length_is:6", "True"),
    ("host|length_is:'7'", "False"),
    ("'ab'|ljust:4|add:'|'", "ab  |"),
    ("'ÄB'|lower", "äb"),
    ("accents|make_list|last", "e"),
    ("'0800-FLOWER'|phone2numeric", "0800-356937"),
    ("1|pluralize", ""),
    ("2|pluralize", "s"),
    ("2|pluralize:'es'", "es"),
    ("1|pluralize:'y,ies'", "y"),
    ("0|pluralize:'y,ies'", "ies"),
    ("'x'|random", "x"),
    ("'<b>bold</b> <i>x</i><br/>'|removetags:'b,br'|safe", "bold <i>x</i>"),
    ("'<b>bold</b> <i>x</i><em>y</em>'|removetags:'[bi]'|safe", "bold x<em>y</em>"),
    (
        "'at cern.ch, www.a.de/b?c=d&e'|urlize|safe",
        _LINK.format("www.a.de/b?c=d&e", "www.a.de/b?c=d&amp;e", "at cern.ch, "),
    ),
    (
        "'x.org'|urlize",
        _LINK.format("x.org", "x.org", "").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;"),
    ),
    ("'https://a/ü&'|urlize:false|safe", '<a href="https://a/%C3%BC&" rel="nofollow">https://a/ü&</a>'),
    ("'to a_1@b.cern2'|urlize|safe", 'to <a href="mailto:a_1@b.cern">a_1@b.cern</a>2'),
    ("'no@more a@b.c'|urlize", "no@more a@b.c"),
    ("'http://abcdef'|urlizetrunc:8|safe", '<a href="http://abcdef" rel="nofollow">http:...</a>'),
    ("'http://ab'|urlizetrunc:3|safe", '<a href="http://ab" rel="nofollow">http://ab</a>'),
    ("'http://aé日é'|urlizetrunc:13|safe", '<a href="http://a%C3%A9%E6%97%A5%C3%A9" rel="nofollow">http://aé...</a>'),
    ("'ab'|rjust:4", "  ab"),
    ("host|slice:'1:3'", "lp"),
    ("host|slice:'-2:'", "42"),
    ("host|slice:':-4'", "fl"),
    ("host|slice:'4:2'", ""),
    ("host|slice:'9:'", ""),
    ("'a,b'|split:','|last", "b"),
    ("'ab'|split:''|join:'-'", "a-b"),
    ("'<p>a <b>b</b></p> '|striptags", "a b"),
    ("'a > b < c'|striptags", "a &gt; b &lt; c"),
    ("'hello wORLD x_y'|title", "Hello World X_y"),
    ("5|title", ""),
    ("words|truncatechars:8", "three..."),
    ("words|truncatechars:2", "th"),
    ("'<p>three <b>little</b> words</p>'|truncatechars_html:10", "<p>three <b>l...</b></p>"),
    ("words|truncatewords:2", "three little ..."),
    ("words|truncatewords:0", ""),
    ("'<p>three <b>little </b>words</p>'|truncatewords_html:2", "<p>three <b>little ...</b></p>"),
    ("'äß'|upper", "Äß"),
    ("'a b&c/ü'|urlencode", "a+b%26c%2F%C3%BC"),
    ("words|wordcount", "3"),
    ("words|wordwrap:2", "three little\nwords"),
    ("words|wordwrap:0", "three little words"),
    ("true|yesno", "yes"),
    ("empty|yesno", "no"),
    ("nothing|yesno", "maybe"),
    ("nothing|yesno:'on,off'", "maybe"),
    ("nothing|yesno:'on,off,none'", "none"),
    ("5|stringformat:'%03d'", "005"),
    ("accents|linebreaksbr", "Grüße"),
]


@pytest.mark.parametrize(("expression", "result"), CASES)
def test_a_filter_does_to_a_value_what_the_original_does(expression: str, result: str) -> None:
    assert render(f"{{{{ {expression} }}}}") == result


@pytest.mark.parametrize(
    ("name", "body", "result"),
    [
        ("linebreaks", "a\nb\n\nc", "<p>a<br />b</p><p>c</p>"),
        ("linebreaksbr", "a\nb", "a<br />b"),
        ("linenumbers", "a\nb", "1. a\n2. b"),
        ("wordcount", " a \n b ", "2"),
    ],
)
def test_filters_of_lines_work_on_the_body_of_the_filter_tag(name: str, body: str, result: str) -> None:
    assert render(f"{{% filter {name} %}}{body}{{% endfilter %}}") == result


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("host|nonsense", "1:9: unknown filter, found 'nonsense'"),
        ("host|", "1:10: expected the name of a filter, found '}}'"),
        ("host|'upper'", "expected the name of a filter"),
        ("host|default:", "expected a number, a string or a name"),
        ("host|pluralize", "pluralize: 'flp042' is not a number"),
        ("5|pluralize:'a,b,c'", "more than two endings"),
        ("host|slice:'1'", "slice: '1' is no range"),
        ("host|yesno:'a'", "has 1 words"),
        ("host|yesno:'a,b,c,d'", "has 4 words"),
        ("host|date:'2006'", "no value is a date"),
        ("'a b c d e f g'|wordwrap:5", "cannot wrap 7 words"),
        ("host|removetags:'b('", r"removetags: invalid regular expression '</\?b\(/\?>'"),
        ("host|ljust:99|removetags:'(b+)+'", "may take too long"),
        ("host|truncatechars:nothing|truncatechars:host.9|add:1|slice:1", "is no range"),
        ("1.5|floatformat:2000", "at most 1000"),
    ],
)
def test_a_filter_that_cannot_work_says_why(expression: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        render(f"{{{{ {expression} }}}}")


def test_every_filter_has_a_case() -> None:
    tried = " ".join(expression for expression, _ in CASES) + "linebreaks linenumbers date time"
    assert [name for name in FILTERS if name not in tried] == []


@pytest.mark.parametrize(
    ("value", "form", "result"),
    [
        ("5", "%d|%%", "5|%"),
        ("5", "%5d|", "    5|"),
        ("5", "%-5d|", "5    |"),
        ("5", "%+d", "+5"),
        ("5", "%05d", "00005"),
        ("-5", "%05d", "-0005"),
        ("255", "%x %X", "ff %!X(MISSING)"),
        ("255", "%#x", "0xff"),
        ("5", "%b", "101"),
        ("65", "%c", "A"),
        ("65", "%q", "'A'"),
        ("65", "%U", "U+0041"),
        ("5", "%s", "%!s(int=5)"),
        ("5", "%.3d", "005"),
        ("2.5", "%f", "2.500000"),
        ("2.5", "%8.2f|", "    2.50|"),
        ("-2.5", "%08.2f", "-0002.50"),
        ("2.5", "%v", "2.5"),
        ("2500000.0", "%v", "2.5e+06"),
        ("2.5", "%e", "2.500000e+00"),
        ("0.000012345", "%.2g", "1.2e-05"),
        ("2.5", "%d", "%!d(float64=2.5)"),
        ("1/0.0", "%08.1f|", "    +Inf|"),
        ("0/0.0", "%f", "NaN"),
        ("'x'", "%s", "x"),
        ("'x'", "%4s|%", "   x|%!(NOVERB)"),
        ("'xyz'", "%.2s", "xy"),
        ("'x\"é'", "%q", '"x\\"é"'),
        ("'xé'", "%x", "78c3a9"),
        ("'xé'", "% X", "78 C3 A9"),
        ("'x'", "%d", "%!d(string=x)"),
        ("true", "%t", "true"),
        ("true", "%v", "true"),
        ("true", "%d", "%!d(bool=true)"),
        ("nothing", "%v", "<nil>"),
        ("nothing", "%s", "%!s(<nil>)"),
        ("nothing", "x", "x%!(EXTRA <nil>)"),
        ("'x'", "none", "none%!(EXTRA string=x)"),
        ("5", "%T", "int"),
        ("json.Unmarshal(list)", "%s", "[MFT TOF]"),
        ("json.Unmarshal(map)", "%v", "map[inner:map[on:[true x]] name:tof none:<nil> rate:12]"),
        ("json.Unmarshal(list)", "%d", "[%!d(string=MFT) %!d(string=TOF)]"),
    ],
)
def test_stringformat_formats_as_go_does(value: str, form: str, result: str) -> None:
    value = "0 - 5" if value == "-5" else "0 - 2.5" if value == "-2.5" else value
    assert (
        render(f"{{% set v = {value} %}}{{% set f = form %}}{{{{ v|stringformat:f|safe }}}}", variables=_with(form))
        == result
    )


def _with(form: str) -> dict[str, str]:
    return {
        "form": form,
        "list": '["MFT","TOF"]',
        "map": '{"rate":12,"name":"tof","none":null,"inner":{"on":[true,"x"]}}',
    }


@pytest.mark.parametrize(
    ("value", "form", "result"),
    [
        ("5", "%*d|", "%!d(MISSING)|"),
        ("5", "%[1]*[1]d|", "    5|"),
        ("'x'", "%*s", "%!(BADWIDTH)%!s(MISSING)"),
        ("2", "%.*f", "%!f(MISSING)"),
        ("5", "%[1]d %[1]x %[2]d %[x]d", "5 5 %!d(BADINDEX) %!d(BADINDEX)"),
        ("5", "%99999999d", "%!(NOVERB)%!(EXTRA int=5)"),
        ("5", "%#O %!", "0o05 %!!(MISSING)"),
        ("host", "%#v", '"flp042"'),
        ("host.0", "%#v", "0x66"),
        ("host.0", "%T", "uint8"),
        ("host", "%#q", "`flp042`"),
        ("'é`'", "%+q", '"\\u00e9`"'),
        ("233", "%+q", "'\\u00e9'"),
        ("55296", "%q", "'\ufffd'"),
        ("json.Unmarshal(list)", "%#v", '[]interface {}{"MFT", "TOF"}'),
        (
            "json.Unmarshal(map).inner",
            "%#v|%#v",
            'map[string]interface {}{"on":[]interface {}{true, "x"}}|%!v(MISSING)',
        ),
        ("json.Unmarshal(empty)", "%#v %#v", "<nil> %!v(MISSING)"),
        ('json.Unmarshal("[null]")', "%#v", "[]interface {}{interface {}(nil)}"),
        ("list|split:','", "%#v", '[]string{"[\\"MFT\\"", "\\"TOF\\"]"}'),
        ("json.Unmarshal(list)", "%w", "%!w([]interface {}=[MFT TOF])"),
        ("json.Unmarshal(list)", "%5.1s|", "[    M     T]|"),
        ("1.5", "%x", "0x1.8p+00"),
        ("1.5", "%.0X", "0X1P+01"),
        ("2.5", "%.1x", "0x1.4p+01"),
        ("0.1", "%#.3x", "0x1.99ap-04"),
        ("0.0", "%x", "0x0p+00"),
        ("1.0", "%b", "4503599627370496p-52"),
        ("0.0", "%b", "0p-1074"),
        ("2.0", "%#g", "2.00000"),
        ("0.0", "%#g", "0.00000"),
        ("250000.0", "%#.2g", "2.5e+05"),
        ("2.0", "%#.0f", "2."),
        ("2.0", "%#v", "2"),
        ("1.5", "%p", "%!p(float64=1.5)"),
    ],
)
def test_stringformat_knows_the_rare_forms_of_go_too(value: str, form: str, result: str) -> None:
    template = f"{{% set v = {value} %}}{{{{ v|stringformat:form|safe }}}}"
    assert render(template, variables={**_with(form), "host": "flp042", "empty": ""}) == result


@pytest.mark.parametrize(("value", "form"), [("strings", "%v"), ("json.Unmarshal(list)", "%p"), ("strings", "")])
def test_a_format_that_would_show_an_address_in_memory_is_refused(value: str, form: str) -> None:
    with pytest.raises(PayloadError, match="lies in memory"):
        render(f"{{{{ {value}|stringformat:form }}}}", variables=_with(form))


@pytest.mark.parametrize("form", ["%9999999d", "%.9999999f", "%9999999v"])
def test_a_format_that_is_too_wide_is_refused_before_it_is_made(form: str) -> None:
    value = "json.Unmarshal(list)" if form.endswith("v") else "5" if form.endswith("d") else "1.5"
    with pytest.raises(PayloadError, match="at most"):
        render(f"{{{{ {value}|stringformat:form }}}}", variables=_with(form))


@pytest.mark.parametrize("text", ["www." * 500_000 + "\n", " a" * 500_000, "a@" * 500_000, "a" * 1_000_000 + "@b.c"])
def test_links_are_looked_for_in_time_that_grows_with_the_text_only(text: str) -> None:
    assert render("{{ text|urlize|safe|length }}", variables={"text": text}) == str(len(text))
