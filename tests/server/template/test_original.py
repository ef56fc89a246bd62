"""Where Go and expr-lang differ from what one would write in Python: each rule with an example of our own.

The results are those of expr-lang 1.17.7, called the way AliECS calls it.
"""

from __future__ import annotations

import pytest

from server.template.errors import ExpressionError
from server.template.render import render

VARIABLES = {"host": "flp7", "list": "[2,1]", "object": '{"x":{"y":[1,2.5]},"none":null}'}


def value(expression: str, variables: dict[str, str] = VARIABLES) -> str:
    return render("{{ " + expression + " }}", variables)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2.e1 + 1_0 + 0b1_1", "33"),
        ("5e1_0 > 4e10", "true"),
        ("007 + 0O10", "15"),
        ("1 .. 3", "[1 2 3]"),
        (r"'\u{e9}\x2d\101'", "é-A"),
        (r"'\ud800'", "�"),
        ("`one``two`", "one`two"),
        ("````", "`"),
        ("'up\rdown'", "up\ndown"),
        ("6 \xa0 + \u2003 7", "13"),
        ("map([4], # * #)", "[16]"),
        ("reduce([1, 2], # acc + #)", "3"),
        ("'b' not 'in' ['a']", "true"),
    ],
)
def test_words_are_those_of_the_original(expression: str, expected: str) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "1e400", "1.5.5", "0x1.8", "0b12", "1e", r"'\"'", r'"\'"', r"'\777'", r"'\?'", r"'\u{110000}'", r"'\u{}'",
        "'a\r\nb'", "7\x1c", "²", "filter([1], #in [1])", "5[0]", "nil?.a", "true.a", "[1] | first().a",
        "count([1],)", "sortBy([1], #,)", "1 <& 2",
    ],
)  # fmt: skip
def test_what_the_original_does_not_read_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        value(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("json.Unmarshal(object)?.none.y.z", None),
        ("json.Unmarshal(object).none?.y.z", "<nil>"),
        ("(json.Unmarshal(object).none?.y).z", "<nil>"),
        ("json.Unmarshal(object).none?.y[0]", None),
        ("json.Unmarshal(object)?.['x'].y[1]", "2.5"),
        ("json.Unmarshal(object).none?.['y'].z", "<nil>"),
    ],
)
def test_a_run_of_members_that_may_be_nil_ends_at_a_subscript(expression: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            value(expression)
    else:
        assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("len == nil", "true"),
        ("sum ?? 4", "4"),
        ("3 == $env", "false"),
        ("false ? first([1]) + 'a' : 2", "2"),
        ("false ? first(split('a', ',')) + 'a' : 'b'", "b"),
        ("false ? mean(1, 2) + 'a' : 2", None),
        ("mean(1, 3) == 2", None),
        ("mean(1, 3) == 2.0", "true"),
        ("[[1], ['a']][0][0] - 1", None),
        ("nil in {a: 1}", None),
        ("1 in nil", None),
        ("map([1], nil)", None),
        ("[nil][0] + 1", None),
        ("false ? (true ? 1 : {a: 'b'}.a) + 'c' : 1", None),
    ],
)
def test_static_types_are_those_of_the_original(expression: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            value(expression)
    else:
        assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true && json.Unmarshal('5')", "5"),
        ("json.Unmarshal('5') && true", "5"),
        ("json.Unmarshal('5') && false", "false"),
        ("json.Unmarshal('5') || 1 == 1", "true"),
        ("true ? 1 : 2 % (3 - 3)", None),
        ("json.Unmarshal('5') in ['a', 'b']", None),
        ("json.Unmarshal('5') in ['a', 5]", "true"),
        ("json.Unmarshal('null') in ['a', '']", "true"),
    ],
)
def test_literals_decide_before_the_evaluation(expression: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            value(expression)
    else:
        assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ToJson(nowhere)", "null"),
        ("SuffixInRange(nowhere + 1, 'a', '1', '2')", None),
        ("SuffixInRange(len(nowhere) ?? 'a', 'a', '1', '2')", None),
        ("FromJson(nowhere)", None),
        ("ToLower(nowhere)", None),
        ("strings.ToLower(ToLower(nowhere))", ""),
        ("strings.ToLower(nowhere == 1 ? 'A' : 'B')", "b"),
        ("$env.ToUpper(host)", "FLP7"),
        ("$env.ToUpper(1)", None),
    ],
)
def test_arguments_are_checked_as_far_as_the_original_looks(expression: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            value(expression)
    else:
        assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{a: 1, a: 2}", "map[a:1]"),
        ("toPairs({a: 1})", "[[a 1]]"),
        ("take(toPairs({a: 1}), 1)", "[[a 1]]"),
        ("reverse(toPairs({a: 1}))", '[["a",1]]'),
        ("groupBy([1, 2, 3], # % 2)[1]", "[1,3]"),
        ("groupBy([1, 2, 3], # % 2)['1']", "null"),
        ("get(groupBy([1], #), 9)", "<nil>"),
        ("len(fromPairs([[1, 'a'], ['1', 'b'], [1.0, 'c'], [1, 'd']]))", "3"),
        ("fromPairs([[1, 'a']])[1]", "a"),
        ("json.Marshal(groupBy([1], #))", ""),
        ("concat([])", "null"),
        ("concat([]) == nil", "true"),
        ("split('a', ',', 0)", "null"),
        ("sort(json.Unmarshal('5'))", "null"),
        ("sort([nil])", "[null]"),
        ("sort([nil, nil])", None),
        ("{a: 1} == {a: 1.0}", "false"),
        ("[1] == [1.0]", "true"),
        ("map(json.Unmarshal('\"ab\"'), #)", "[97,98]"),
        ("first(json.Unmarshal('\"ab\"'))", "97"),
        ("get(json.Unmarshal('[1]'), 'a')", None),
        ("get({a: 1}, 5)", None),
        ("max([])", "<nil>"),
        ("max(json.Unmarshal('\"a\"'))", "a"),
        ("max(1, [[2.5]])", "2.5"),
        ("+json.Unmarshal('\"a\"')", "a"),
        ("trimPrefix(' a') + trimSuffix('b ')", "ab"),
        ("int('9223372036854775808')", None),
        ("int(1e300)", "-9223372036854775808"),
        ("float('0x1p-2') + float('1e3')", "1000.25"),
        ("float('1_0.5') + float('0x_f_fp0')", "265.5"),
        ("float('1__0')", None),
        ("0.1 ** 15", "1.0000000000000017e-15"),
        ("(-10) ** 401", "-Inf"),
        ("0 ** -1", "+Inf"),
        ("9007199254740993 == 9007199254740992.0", "true"),
        ("toJSON({b: [1e-7, -0.0], a: []})", '{\n  "a": [],\n  "b": [\n    1e-7,\n    -0\n  ]\n}'),
        ("fromBase64('YQ==\n')", None),
        ("fromBase64('YQ' + `==\n`)", "a"),
        ("json.Unmarshal('null') contains 'a'", "false"),
        ("toPairs({a: 1})[0]", "[a 1]"),
        ("toJSON(toPairs({a: 1})[0])", '[\n  "a",\n  1\n]'),
        ("sort(split('a', ',', 0))", "[]"),
        ("FromJson(json.Unmarshal('null'))", "<nil>"),
        ("ceil(-0.5)", "-0"),
        ("mean(-2.5, 0.1, [-2.5, 2.5])", "-0.6000000000000001"),
        ("mean(0.1, [[0.2, 0.3]])", "0.19999999999999998"),
        ("json.Unmarshal('[1e400, 2]')", "[null,2]"),
        ("fromJSON('[1e400, 2]')", None),
        ("strings.Atoi('-9223372036854775809')", "-9223372036854775808"),
        ("sum([host, 'b', host])", "flp7bflp7"),
        ("sum(['a', 'b'])", None),
        ("sort(toPairs({a: 'b'})[0])", "null"),
        ("join(toPairs({}))", None),
        ("$env[nowhere]", "<nil>"),
    ],
)
def test_values_are_those_of_the_original(expression: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            value(expression)
    else:
        assert value(expression) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("x7", "[[:alpha:]][[:digit:]]$", True),
        ("x7", "[[:^alpha:]]x", False),
        ("é", "^[[:^alpha:]]$", True),
        ("é", r"\\w", False),
        ("ab\\n", "b$", False),
        ("ab\\nc", "(?m)b$", True),
        ("aBC", "a(?i)bc", True),
        ("aBC", "(a(?i)b)c", False),
        ("C", "a(?i)b|c", True),
        ("a.c", r"\\Qa.c\\E$", True),
        ("abc", r"\\Qa.c", False),
        ("b{,2}", "^b{,2}$", True),
        ("b", "^*b", True),
        ("S", r"\\123", True),
        ("b", r"b\\z", True),
        ("b", "b*+", None),
        ("b", "b{1001}", None),
        ("b", "(?=b)", None),
        ("b", "(?x)b", None),
        ("b", r"\\Z", None),
        ("b", r"(b)\\1", None),
        ("b", "[[:letters:]]", None),
        ("b", "|*", None),
        ("b", ")", None),
    ],
)
def test_regular_expressions_are_those_of_go(text: str, pattern: str, matches: bool | None) -> None:
    expression = f"'{text}' matches '{pattern}'"
    if matches is None:
        with pytest.raises(ExpressionError):
            value(expression)
    else:
        assert value(expression) == str(matches).lower()
