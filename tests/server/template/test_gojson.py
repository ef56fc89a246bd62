"""JSON as Go reads and writes it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.template.gojson import JsonError, dumps, loads, string_list, to_integer
from server.template.values import format_float

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    assert loads(dumps(value)) == value


@given(VALUES)
def test_other_readers_read_what_is_written_and_the_other_way_round(value: object) -> None:
    assert json.loads(dumps(value), parse_int=float) == value
    assert loads(json.dumps(value)) == value


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        value = loads(text)
    except JsonError as error:
        assert str(error)
    else:
        assert json.loads(text, parse_int=float) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unexpected end of JSON input"),
        ("[1", "unexpected end of JSON input"),
        ("zzz", "invalid character 'z' looking for beginning of value"),
        ("1 2", "invalid character '2' after top-level value"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{1:2}", "invalid character '1' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("trux", "invalid character 'x' in literal true (expecting 'e')"),
        ("01", "invalid character '1' after top-level value"),
        ('"\n"', r"invalid character '\n' in string literal"),
        ('"\x01"', r"invalid character '\x01' in string literal"),
        ("\\", r"invalid character '\\' looking for beginning of value"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ("nul", "invalid character ' ' in literal null (expecting 'l')"),
        ("1e+", "invalid character ' ' in exponent of numeric literal"),
        ("[" * 5000, "exceeded max depth"),
    ],
)
def test_errors_are_in_the_words_of_go(text: str, said: str) -> None:
    with pytest.raises(JsonError) as caught:
        loads(text)
    assert str(caught.value) == said


def test_a_list_of_strings_is_nothing_else() -> None:
    assert string_list('["a", null]') == ["a", ""]
    assert string_list("null") == []
    for text in ("[1]", "{}", '"a"', "5"):
        with pytest.raises(JsonError, match="cannot unmarshal"):
            string_list(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1e6, 1e21, 1e-7, 1.5, -0.0], "[1000000,1e+21,1e-7,1.5,-0]"),
        ({"b": None, "a": [True, "<&>"]}, '{"a":[true,"\\u003c\\u0026\\u003e"],"b":null}'),
        ("日\u2028\t\"", '"日\\u2028\\t\\""'),
    ],
)  # fmt: skip
def test_values_are_written_compactly(value: object, text: str) -> None:
    assert dumps(value) == text


def test_what_json_cannot_say_is_refused() -> None:
    for value in (math.inf, math.nan, [object()]):
        with pytest.raises(JsonError):
            dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5.960464477539063e-08)
def test_a_float_is_written_with_the_fewest_digits_that_read_back(value: float) -> None:
    text = format_float(value)
    assert float(text) == value
    digits = text.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    shortest = repr(value).lstrip("-").partition("e")[0].replace(".", "").strip("0")
    assert len(digits) == len(shortest)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-07", -7),
        ("+1", 1),
        (" 5", None),
        ("1_0", None),
        ("٣", None),
        ("", None),
        ("9" * 30, None),
        ("9" * 5000, None),
        ("0" * 5000 + "7", 7),
    ],
)
def test_integers_are_those_of_go(text: str, number: int | None) -> None:
    assert to_integer(text) == number
