"""The expression language: each rule of workflows-config.md 6 with an example of our own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.template.errors import ExpressionError
from server.template.render import names_in, render
from server.template.scope import Function

VARIABLES = {
    "host": "flp7", "number": "3", "on": "true", "empty": "", "list": '["b","a"]', "object": '{"x":{"y":[1,2.5]}}',
    "odd-name": "odd",
}  # fmt: skip


def value(expression: str, variables: dict[str, str] = VARIABLES, **objects: object) -> str:
    return render("{{ " + expression + " }}", variables, objects)


def refused(expression: str, **objects: object) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(expression, **objects)
    return caught.value


# ---- scanner -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no tags", "no tags"),
        ("}} first", "}} first"),
        ("{{host}}{{ number }}", "flp73"),
        ("a-{{host}}}}", "a-flp7}}"),
        ("{{ host /* which */ }}", "flp7"),
        ("{{\n host // which\n}}", "flp7"),
        ("${host} {host}", "${host} {host}"),
    ],
)
def test_only_what_stands_between_double_braces_is_evaluated(text: str, expected: str) -> None:
    assert render(text, VARIABLES) == expected


@pytest.mark.parametrize("text", ["{{", "{{ }}", "{{}}", "a {{ host", "{{ '}}' }}", "{{{ host }}}"])
def test_a_tag_without_expression_or_end_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        render(text, VARIABLES)


def test_a_substituted_value_is_not_evaluated_again() -> None:
    assert render("{{ a }}", {"a": "{{ b }}", "b": "x"}) == "{{ b }}"


# ---- grammar -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2 ** 2", "-4"),
        ("2 ** 3 ** 2", "512"),
        ("2 ^ 3", "8"),
        ("10 - 3 - 2", "5"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("-7 % 3", "-1"),
        ("0x1F + 1_000", "1031"),
        (".5 + 1.", "1.5"),
        ("1 < 2 < 3", "true"),
        ("3 > 2 > 2", "false"),
        ("1 .. 3", "[1 2 3]"),
        ("[1 .. 3]", "[[1,2,3]]"),
        ("not false and true", "true"),
        ("!(host == 'x') || false", "true"),
        ("'a' not in ['b']", "true"),
        ("host not contains 'zz'", "true"),
        ("nil ?? nil ?? 'z'", "z"),
        ("1 + (nil ?? 2)", "3"),
        ("true ? 'a' : false ? 'b' : 'c'", "a"),
        ("if number == '3' { 'three' } else { 'other' }", "three"),
        ("if number == '4' { 1 } else if number == '3' { 2 } else { 3 }", "2"),
        ("let x = 2; let y = 3; x * y", "6"),
        ("1; 2; 3", "3"),
        ("host | upper() | split('L')", '["F","P7"]'),
        ("{a: 1, 'b': 2, 3: 4}", "map[3:4 a:1 b:2]"),
        ("{('k' + '1'): 'v'}.k1", "v"),
        ("[1, 2, 3,][1:]", "[2,3]"),
        ("[1, 2, 3][-1]", "3"),
        ("'abcdef'[1:3]", "bc"),
        ("'abcdef'[:-2]", "abcd"),
        ("len('日本')", "2"),
        ("`raw \\n`", "raw \\n"),
        (r"'tab\t\x41B\u00e9\101'", "tab\tABéA"),
        ("$env['odd-name']", "odd"),
        ("'host' in $env", "true"),
        ("$env?.nothing", "<nil>"),
        ("::len('ab')", "2"),
    ],
)
def test_the_grammar_of_expressions(expression: str, expected: str) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "1 +", "(1", "[1", "{a 1}", "'open", "'two\nlines'", "12ab", "0x", "a b", "?", "f(", "a.", "a.1", "1 = 2",
        "1 ?? 2 + 3 + nil ?? 1 && 2", "let x 2; x", "let host = 1; host", "if true { 1 }", "#", "9223372036854775808",
        r"'\q'", r"'\xZZ'", "a ~ b", "filter([1])", "map([1], # + #nope)", "len()", "len('a', 'b')",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(expression: str) -> None:
    refused(expression)


def test_coalescing_does_not_mix_with_other_operators() -> None:
    assert "parentheses" in refused("nil ?? 1 + 2").message


def test_long_sums_and_deep_nesting_do_not_break_the_engine() -> None:
    assert value("+".join(["1"] * 4000)) == "4000"
    assert value("(" * 30 + "1" + ")" * 30) == "1"
    refused("(" * 3000 + "1" + ")" * 3000)
    refused("!" * 3000 + "true")
    refused("a" + ".b" * 3000)
    refused("[" * 3000)
    refused("true ? " * 3000)


def test_an_expression_cannot_take_all_memory() -> None:
    assert "budget" in refused("1 .. 10000000000").message
    assert "budget" in refused("repeat('x', 1000000000)").message
    assert "budget" in refused("map(1..1000, map(1..1000, map(1..1000, 1)))").message


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "nope", "nope == nil", "nope ?? 'x'", "true || nope == 'x'", "true ? 1 : nope", "len(nope)", "nope.x", "[nope]",
        "map(['a'], nope)", "nope()", "nope.F()", "$env['nope']", "FromJson(nope)",
    ],
)  # fmt: skip
def test_an_undefined_name_is_an_error_that_names_it(expression: str) -> None:
    error = refused(expression)
    assert error.missing == "nope"
    assert "nope" in error.message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("strings.IsFalsy(nope)", "true"),
        ("strings.ToLower(nope)", ""),
        ("json.Unmarshal(nope)", "<nil>"),
        ("util.PrefixedOverride(nope, host)", ""),
        ("strings.ToUpper(strings.ToLower(nope))", ""),
        ("strings.ToUpper(nope == 'x' ? 'a' : 'b')", "B"),
        ("strings.IsFalsy(number == 5 ? 'yes' : 'no')", "true"),
        ("SuffixInRange(nope, 'a', '1', '2')", "false"),
        ("get($env, 'nope')", "<nil>"),
    ],
)
def test_an_undefined_name_below_a_dotted_call_is_empty(expression: str, expected: str) -> None:
    assert value(expression) == expected


def test_an_undefined_name_below_a_flat_text_function_fails_when_called() -> None:
    error = refused("IsFalsy(nope)")
    assert not error.missing


def test_a_variable_named_like_a_builtin_hides_it() -> None:
    variables = {"len": "7", "x": "abc"}
    assert value("len", variables) == "7"
    with pytest.raises(ExpressionError):
        value("len(x)", variables)
    assert value("len(x)", {"x": "abc"}) == "3", "the same text, without the variable"


def test_functions_do_what_those_of_go_do() -> None:
    assert value("strings.ToUpper('ßé')") == value("upper('ßé')") == "ßÉ", "no character becomes two"
    assert (
        value("strings.ToLower('ΑΣ')")
        == value("lower('ΑΣ')")
        == "\N{GREEK SMALL LETTER ALPHA}\N{GREEK SMALL LETTER SIGMA}"
    )
    assert value("json.Marshal(1/0)") == "", "what JSON cannot say"
    assert value("util.SuffixInRange('5', '', '1', '9')") == "false", "without a prefix nothing is a suffix"
    assert value("util.SuffixInRange('x5', 'x', '1', '9')") == "true"


def test_objects_hide_variables_of_the_same_name() -> None:
    assert render("{{ strings.ToUpper(x) }}", {"strings": "hidden", "x": "a"}) == "A"


def test_the_same_text_is_checked_anew_when_its_names_change() -> None:
    assert value("a == 'x'", {"a": "x"}) == "true"
    with pytest.raises(ExpressionError):
        value("a == 'x'", {})
    assert value("a == 'x'", {"a": ""}) == "false"


def test_the_names_that_a_text_uses_are_known() -> None:
    assert names_in("{{ a + b.c }} {{ strings.ToLower(d) }}") == {"a", "b", "d", "strings"}


# ---- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "number == 5", "on ? 1 : 2", "!on", "on && true", "'a' + 1", "1 + 'a'", "nil + 'a'", "-host", "host.x", "host[0]",
        "'a' in 'abc'", "1 < 'a'", "number in [1, 2]", "host contains 1", "true > false", "[1] + [2]", "{a: 1} < 2",
        "len(5)", "upper(5)", "filter([1], 'x')", "filter('abc', true)", "[1]['a']", "1[2:3]", "host('x')", "nil ? 1 : 2",
        "1.5 % 2", "1 % 0", "host matches '('", "host matches 1",
    ],
)  # fmt: skip
def test_operands_that_do_not_fit_are_refused(expression: str) -> None:
    refused(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 == 1.0", "true"),
        ("nil == 'x'", "false"),
        ("json.Unmarshal(number) == 'x'", "false"),
        ("json.Unmarshal(number) == 3", "true"),
        ("json.Unmarshal('true') && true", "true"),
        ("[1, 'a'] == [1.0, 'a']", "true"),
        ("true == true", "true"),
        ("json.Unmarshal('1') == true", "false"),
        ("host matches '^f.p[0-9]$'", "true"),
    ],
)
def test_comparisons_across_types(expression: str, expected: str) -> None:
    assert value(expression) == expected


def test_what_comes_from_a_dotted_call_is_checked_when_evaluated() -> None:
    refused("json.Unmarshal(list) + 1")
    refused("json.Unmarshal(number) ? 1 : 2")
    refused("json.Unmarshal(list)[2]")
    refused("json.Unmarshal(object).no.where")
    assert value("json.Unmarshal(object)?.no?.where") == "<nil>"
    assert value("json.Unmarshal(object).x.y[1]") == "2.5"


# ---- builtins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("map(1..3, # * 2)", "[2,4,6]"),
        ("filter([1, 5, 9], # > 4)", "[5,9]"),
        ("map([{n: 'a'}, {n: 'b'}], .n)", '["a","b"]'),
        ("map(['a', 'b'], {# + string(#index)})", '["a0","b1"]'),
        ("all([1, 2], # > 0) && none([1], # > 1) && any([1, 2], # == 2) && one([1, 2], # == 2)", "true"),
        ("count([1, 2, 3], # > 1)", "2"),
        ("count([true, false])", "1"),
        ("sum([1, 2.5])", "3.5"),
        ("sum(['a', 'bb'], len(#))", "3"),
        ("find([1, 2, 3], # > 1)", "2"),
        ("findLast([1, 2, 3], # > 1)", "3"),
        ("findIndex([1, 2], # == 9)", "<nil>"),
        ("findLastIndex([2, 2], # == 2)", "1"),
        ("groupBy(['a', 'b', 'a'], #)", "map[a:[a a] b:[b]]"),
        ("sortBy([{k: 2}, {k: 1}], .k)", "[{\"k\":1},{\"k\":2}]"),
        ("sortBy([1, 3, 2], #, 'desc')", "[3,2,1]"),
        ("reduce(1..4, #acc + #)", "10"),
        ("reduce([], #acc + #, 5)", "5"),
        ("sort([3, 1, 2])", "[1,2,3]"),
        ("join(sort(['b', 'a'], 'desc'), '-')", "b-a"),
        ("trim('  a ') + trim('xax', 'x')", "aa"),
        ("trimPrefix('abc', 'a') + trimSuffix('abc', 'c')", "bcab"),
        ("replace('aaa', 'a', 'b', 2)", "bba"),
        ("indexOf('日本', '本')", "3"),
        ("splitAfter('a,b', ',')", '["a,","b"]'),
        ("split('a,b,c', ',', 2)", '["a","b,c"]'),
        ("max(1, [7, 3]) - min(4, 2)", "5"),
        ("mean([1, 2]) + median([5, 1, 3])", "4.5"),
        ("int('42') + int(1.9)", "43"),
        ("float('1.5')", "1.5"),
        ("abs(-3) + round(2.5) + floor(1.9) + ceil(1.1)", "9"),
        ("type(nil) + type([]) + type(1)", "nilarrayint"),
        ("keys({b: 1, a: 2})", '["a","b"]'),
        ("values({b: 1, a: 2})", "[2,1]"),
        ("fromPairs(toPairs({a: 1}))", "map[a:1]"),
        ("first([]) == nil && last([1, 2]) == 2", "true"),
        ("take([1, 2, 3], 2)", "[1,2]"),
        ("uniq([1, 1.0, 'a', 'a'])", '[1,"a"]'),
        ("flatten([1, [2, [3]]])", "[1,2,3]"),
        ("concat([1], [2])", "[1,2]"),
        ("reverse([1, 2])", "[2,1]"),
        ("fromBase64(toBase64('é'))", "é"),
        ("fromJSON('[1]')[0]", "1"),
        ("string([1, 'a'])", "[1 a]"),
        ("bitand(6, 3) + bitor(1, 2) + bitxor(1, 3) + bitshl(1, 4) + bitnot(0)", "22"),
    ],
)  # fmt: skip
def test_builtin_functions(expression: str, expected: str) -> None:
    assert value(expression) == expected


# ---- functions that are given --------------------------------------------------------------------


def test_a_plain_callable_takes_texts() -> None:
    assert value("f('a', host)", f=lambda a, b: a + b) == "aflp7"
    refused("f('a')", f=lambda a, b: a + b)
    refused("f('a', 1)", f=lambda a, b: a + b)


def test_a_namespace_of_callables() -> None:
    assert value("plug.Name()", plug={"Name": lambda: "x"}) == "x"
    refused("plug.Other()", plug={"Name": lambda: "x"})
    refused("plug.Name('a')", plug={"Name": lambda: "x"})


def test_a_typed_function_is_checked_before_it_is_called() -> None:
    called: list[int] = []
    function = Function(("int",), lambda n: called.append(n) or n, "int")
    assert value("F(2) + 1", F=function) == "3"
    refused("F('2')", F=function)
    refused("F()", F=function)
    assert called == [2]


def test_an_untaken_branch_calls_nothing() -> None:
    called: list[str] = []
    assert value("host == 'x' ? gen.F() : ''", gen={"F": lambda: called.append("x") or "x"}) == ""
    assert called == []


def test_an_error_says_where_in_which_expression() -> None:
    error = refused("host + nope")
    assert (error.offset, error.expression) == (8, " host + nope ")
    assert error.message == "unknown name nope in {{ host + nope }}, character 9"


# ---- anything ------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        "host", "nope", "1", "2.5", "'a'", '"b"', "true", "nil", "(", ")", "[", "]", "{", "}", ",", ":", ";", "?", "??", "?.",
        ".", "..", "+", "-", "*", "/", "%", "**", "==", "!=", "<", ">", "&&", "||", "!", "not", "in", "contains", "matches",
        "let", "if", "else", "=", "|", "#", "len", "map", "filter", "strings", "ToLower", "json", "Unmarshal", "$env", "x",
        "::", "upper", "sum", "reduce", "first", "get", "int",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(_WORDS, max_size=14))
def test_no_sequence_of_words_breaks_the_engine(words: list[str]) -> None:
    try:
        value(" ".join(words))
    except ExpressionError as error:
        assert error.message


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_no_text_breaks_the_engine(text: str) -> None:
    for whole in (text, "{{" + text + "}}"):
        try:
            render(whole, VARIABLES)
        except ExpressionError as error:
            assert error.message


@given(st.text().filter(lambda text: "{{" not in text))
def test_a_text_without_tags_stays_as_it_is(text: str) -> None:
    assert render(text, {}) == text


@given(st.dictionaries(st.from_regex(r"[a-z]{3,8}_", fullmatch=True), st.text(), min_size=1))
def test_a_variable_is_rendered_as_it_is(variables: dict[str, str]) -> None:
    name = next(iter(variables))
    assert render(f"<{{{{ {name} }}}}>", variables) == f"<{variables[name]}>"
