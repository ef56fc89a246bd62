"""Values in component templates: escaping, text forms, truth, equality, members, functions."""

from __future__ import annotations

import pytest
from payloads import render

from server.config.payload.errors import PayloadError


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ host }}", "flp042"),
        ("{{ markup }}", "a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;"),
        ("{{ markup|safe }}", "a<b & \"c\" > 'd'"),
        ("{{ list }}", "[&quot;MFT&quot;,&quot;TOF&quot;]"),
        ("{{ '<'|safe + '>' }}", "&lt;&gt;"),  # both sides must be safe
        ("{{ '<'|safe + '>'|safe }}", "<>"),
        (
            "{% set x = markup|safe %}{{ x }}",
            "a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;",
        ),  # safe is written, not kept
        ("{{ nothing }}", ""),
        ("{{ nothing.at.all }}", ""),
        ("{{ nothing('x') }}", ""),
        ("{{ true }} {{ false }} {{ 1 == 1 }}", "True False True"),
        ("{{ 2 }} {{ 2.5 }} {{ 1.0 }} {{ 100000.125 }}", "2 2.500000 1.000000 100000.125000"),
        ("{{ 1/0.0 }} {{ 0/0.0 }}", "+Inf NaN"),
        ("{{ json.Unmarshal(numbers).0 }}", "10.000000"),
        ("{{ json.Unmarshal(numbers) }}", "<[]interface {} Value>"),
        ("{{ json.Unmarshal(map) }}", "<map[string]interface {} Value>"),
        ("{{ host|make_list }}", "<[]string Value>"),
        ("{{ strings }}", "<map[string]interface {} Value>"),
        ("{{ pongo2.version }}", "6.0.0"),
    ],
)
def test_a_value_shows_as_the_original_shows_it(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("value", "is_true"),
    [
        ("host", True),
        ("no", True),  # a text, not a truth value
        ("zero", True),
        ("empty", False),
        ("nothing", False),
        ("0", False),
        ("0.0", False),
        ("0.1", True),
        ("json.Unmarshal('[]')", False),
        ("json.Unmarshal('{}')", False),
        ("json.Unmarshal('null')", False),
        ("json.Unmarshal('[0]')", True),
        ("strings.IsTruthy(no)", False),
    ],
)
def test_what_is_not_empty_and_not_zero_is_true(value: str, *, is_true: bool) -> None:
    assert render(f"{{% if {value} %}}yes{{% else %}}no{{% endif %}}") == ("yes" if is_true else "no")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ seven == 7 }}", "False"),
        ("{{ seven|integer == 7 }}", "True"),
        ("{{ 7 == 7.0 }}", "False"),
        ("{{ nothing == '' }}", "False"),
        ("{{ nothing == nowhere }}", "True"),
        ("{{ json.Unmarshal(numbers) == 'x' }}", "False"),
        ("{{ host.0 == 102 }}", "True"),  # an element of a text is a byte
        ("{{ 'LP' in host|upper }}", "True"),
        ("{{ nothing in host }}", "True"),  # the empty text is in every text
        ("{{ 'TOF' in json.Unmarshal(list) }}", "True"),
        ("{{ 10 in json.Unmarshal(numbers) }}", "False"),  # numbers from JSON are floats
        ("{{ 10.0 in json.Unmarshal(numbers) }}", "True"),
        ("{{ 'rate' in json.Unmarshal(map) }}", "True"),
        ("{{ 'x' in 5 }}", "False"),
    ],
)
def test_values_of_different_types_are_never_equal(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ json.Unmarshal(map).name }}", "tof"),
        ("{{ json.Unmarshal(map)['na' + 'me'] }}", "tof"),
        ("{{ json.Unmarshal(map).inner.on.1 }}", "x"),
        ("{{ json.Unmarshal(map).inner.on.0 }}", "True"),
        ("{{ json.Unmarshal(map).absent }}", ""),
        ("{{ json.Unmarshal(map).none }}", ""),
        ("{{ json.Unmarshal(map)[7] }}", ""),
        ("{{ json.Unmarshal(list).9 }}", ""),
        ("{{ json.Unmarshal(list)[1] }}", "TOF"),
        ("{{ host.0 }} {{ host[5] }} {{ host.99 }}", "102 50 "),
        ("{{ accents.2 }}", "195"),
    ],
)
def test_members_of_maps_lists_and_texts_are_reached(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ host.name }}", "host.name: no field 'name' in a value of type string"),
        ("{{ json.Unmarshal(map).0 }}", "no index in a value of type map"),
        ("{{ json.Unmarshal(map)[nothing] }}", "the key is not defined"),
        ("{{ json.Unmarshal(list).name }}", r"no field 'name' in a value of type \[\]interface"),
        ("{{ json.Unmarshal(map).name.__class__ }}", "no field '__class__' in a value of type string"),
        ("{{ json.Unmarshal(list) == json.Unmarshal(list) }}", "cannot be compared"),
        ("{{ strings.ToUpper == 1 }}", "takes 1 arguments, 0 are given"),
        ("{{ 5 in json.Unmarshal(map) }}", "a number cannot be a key of a map"),
        ("{{ host() }}", "host is not a function but of type string"),
        ("{{ json.Unmarshal(list)[0].x }}", "expected '}}'"),  # nothing may follow a subscript
    ],
)
def test_what_a_value_does_not_have_is_an_error(template: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        render(template)


@pytest.mark.parametrize("name", ["__class__", "__init__", "format", "keys", "fields", "frame", "mro", "_parts"])
@pytest.mark.parametrize(
    "value", ["host", "strings", "strings.ToUpper", "pongo2", "5", "json.Unmarshal(map)", "m", "forloop", "block", "c"]
)
def test_nothing_of_python_can_be_reached(value: str, name: str) -> None:
    template = (
        "{% macro m() %}{% endmacro %}{% cycle 'a' as c silent %}{% for x in 'a' %}{% block b %}"
        f"{{{{ {value}.{name} }}}}{{% endblock %}}{{% endfor %}}"
    )
    try:
        assert render(template) == ""
    except PayloadError as error:
        assert error.line == 1


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{ strings.ToUpper(host) }}", "FLP042"),
        ("{{ ToUpper(host) }}", "FLP042"),
        ("{{ strings.ToUpper(accents) }}", "GRÜßE"),
        ("{{ strings.Atoi(seven) + 1 }}", "8"),
        ("{{ strings.Itoa(7) + '1' }}", "71"),
        ("{{ strings.IsFalsy(no) }} {{ strings.IsTruthy(host) }}", "True False"),
        ("{{ strings.TrimSpace(' x ') }}{{ strings.TrimQuotes(list) }}", "x[&quot;MFT&quot;,&quot;TOF&quot;]"),
        (
            "{{ json.Marshal(json.Unmarshal(map))|safe }}",
            '{"inner":{"on":[true,"x"]},"name":"tof","none":null,"rate":12}',
        ),
        ("{{ json.Marshal(nothing) }} {{ json.Marshal(host|slice:':2'|make_list)|safe }}", 'null ["f","l"]'),
        ("{{ json.Marshal(1/0.0) }}", ""),
        ("{{ json.Sort(json.Unmarshal(numbers))|join:' ' }}", "1 10 9.5"),
        ("{{ json.Unmarshal('{').a }}", ""),
        ("{{ util.PrefixedOverride('host', 'x') }}", "flp042"),
        ("{{ util.SuffixInRange(host, 'flp', '1', '42') }}", "true"),
        ("{{ util.SuffixInRange('42', '', '1', '42') }}", "false"),  # without a prefix nothing is a suffix
        ("{{ strings.ToUpper('a',) }}", "A"),
        ("{{ uid.New()|length > 5 }} {{ uid.New|length > 5 }}", "True True"),  # called without brackets too
    ],
)
def test_functions_of_aliecs_can_be_called(template: str, result: str) -> None:
    assert render(template) == result


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("strings.ToUpper(nothing)", "argument 1 must be of type string, found nothing"),
        ("strings.ToUpper(5)", "argument 1 must be of type string, found int"),
        ("strings.Itoa('5')", "argument 1 must be of type int, found string"),
        ("strings.Itoa(json.Unmarshal('5'))", "found float64"),
        ("strings.Itoa(host.0)", "found uint8"),
        ("strings.ToUpper('a', 'b')", "takes 1 arguments, 2 are given"),
        ("util.Nullable('x')", "must be of type nil"),
        ("strings()", "strings is not a function"),
    ],
)
def test_an_argument_of_another_type_is_refused(call: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        render(f"{{{{ {call} }}}}")


def test_functions_hide_variables_of_their_name_and_names_are_trimmed() -> None:
    assert render("{{ strings.ToUpper(x) }}", variables={"strings": "mine", " x ": "a"}) == "A"


def test_a_variable_whose_name_is_none_is_refused() -> None:
    with pytest.raises(PayloadError, match=r"qc/ANY/any/main: 'a.b' is not the name of a variable"):
        render("x", variables={"a.b": "1"})
    with pytest.raises(PayloadError, match="is not the name of a variable"):
        render("x", variables={"": "1"})


def test_halves_of_characters_from_outside_become_the_replacement_character() -> None:
    assert render("{{ x }}|{{ x|length }}", variables={"x": "a\ud800\udcc3b"}) == "a\ufffd\ufffdb|4"
