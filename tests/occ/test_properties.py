from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occ.errors import ConfigError, RefusedError
from occ.properties import Properties, parse_run_number
from occ.ptree import parse


def tree(*arguments: tuple[str, str]) -> Properties:
    return Properties.from_arguments(arguments)


def data(properties: Properties) -> object:
    return json.loads(properties.to_json())


def test_dotted_keys_nest_and_later_ones_overwrite() -> None:
    properties = tree(
        ("chans.readout.0.address", "ipc://@x"), ("dup", "first"), ("dup", "second"), ("chans.readout.0.type", "push")
    )
    assert data(properties) == {"chans": {"readout": {"0": {"address": "ipc://@x", "type": "push"}}}, "dup": "second"}
    assert properties.get("chans.readout.0.address") == "ipc://@x"
    assert properties.get("chans.readout.1.address", "none") == "none"
    assert "chans.readout" in properties and "chans.qc" not in properties


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a.", {"a": ["1"]}), (".a", {"": {"a": "1"}}), ("a..b", {"a": [{"b": "1"}]})],
)
def test_empty_parts_of_a_key_are_nodes_without_a_name(key: str, expected: object) -> None:
    assert data(tree((key, "1"))) == expected


def test_a_node_keeps_value_and_children_but_cannot_be_printed() -> None:
    for arguments in ((("a", "1"), ("a.b", "2")), (("a.b", "2"), ("a", "1"))):
        properties = tree(*arguments)
        assert (properties.get("a"), properties.get("a.b")) == ("1", "2")
        with pytest.raises(RefusedError, match="value '1' and children"):
            properties.to_json()


def test_an_argument_without_a_name_is_the_value_of_the_root() -> None:
    properties = tree(("", "1"), ("", "2"))
    assert properties.value == "2"
    with pytest.raises(RefusedError, match="root"):
        properties.to_json()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("__ptree__:yaml:x", "a: 1"),
        ("__ptree__:json", "{}"),
        ("__ptree__:json:a:b", "{}"),
        ("__ptree__:json:x", "{bad"),
        ("__ptree__:json:x", "NaN"),
        ("__ptree__:ini:x", "[s\nzzz"),
        ("__ptree__:ini:x", "zzz"),
        ("__ptree__:ini:x", "=v"),
        ("__ptree__:ini:x", "a=1\na=2"),
        ("__ptree__:ini:x", "s=1\n[t]\nb=1\n[s]\nc=1"),
        ("__ptree__:xml:x", "<a><b></a>"),
        ("__ptree__:json:x", '"\\ud800"'),
        ("__ptree__:json:x", '{"\\ude00": 1}'),
        ("__ptree__:json:x", '"a\nb"'),
        ("__ptree__:ini:x", "[s]\na=1\n[s]"),
    ],
)
def test_a_payload_that_cannot_be_understood_is_dropped_and_the_rest_stays(
    key: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert data(tree((key, value), ("ok", "1"))) == {"ok": "1"}
    assert key in caplog.text


def test_json_scalars_become_their_text_and_array_elements_lose_their_name() -> None:
    properties = tree(("__ptree__:json:cfg", '{"a": {"b": [1, 2.50, "x"], "c": true}, "d": null, "e": 1e3}'))
    assert data(properties) == {"cfg": {"a": {"b": ["1", "2.50", "x"], "c": "true"}, "d": "null", "e": "1e3"}}


def test_ini_sections_nest_one_level_and_dots_in_their_keys_do_not() -> None:
    parsed = parse("ini", "top = 1\n; no\n# no\n[sec]\nk=v\nk2 = a.b\nx.y=z\n[void]\n")
    assert data(parsed) == {"top": "1", "sec": {"k": "v", "k2": "a.b", "x.y": "z"}}


def test_an_ini_section_without_keys_is_as_if_it_were_not_there() -> None:
    assert data(parse("ini", "[a]\n[b]\nx=1\n[ a ] tail\ny = = \r\n")) == {"b": {"x": "1"}, "a": {"y": "="}}


def test_only_what_c_takes_for_blank_is_cut_off_in_ini() -> None:
    parsed = parse("ini", "\ufeffa = \u00a0b\x1f \v\r\n")
    assert data(parsed) == {"\ufeffa": "\u00a0b\x1f"}


def test_a_byte_order_mark_before_json_is_skipped() -> None:
    assert data(parse("json", '\ufeff{"a": "\\ud83d\\ude00"}')) == {"a": "\U0001f600"}


def test_a_payload_takes_the_place_of_what_was_there_and_later_keys_are_merged_into_it() -> None:
    payload = ("__ptree__:json:x", '{"z": "2"}')
    assert data(tree(("x.y", "1"), payload)) == {"x": {"z": "2"}}
    assert data(tree(payload, ("x.y", "1"))) == {"x": {"z": "2", "y": "1"}}
    assert data(tree(("__ptree__:json:", '{"k": "v"}'))) == {"": {"k": "v"}}
    assert data(tree(("__ptree__:json:deep.er", '{"k": "v"}'))) == {"deep": {"er": {"k": "v"}}}


def test_many_properties_cost_no_more_each_than_few() -> None:
    wide = Properties.from_arguments((f"key{number}", str(number)) for number in range(30_000))
    assert len(wide) == 30_000
    assert (wide.get("key0"), wide.get("key29999"), wide.find("key30000")) == ("0", "29999", None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("77", 77),
        (" +77", 77),
        ("abc", 0),
        ("", 0),
        ("12xyz", 12),
        ("4294967297", 1),
        ("-1", 4294967295),
        ("99999999999999999999", 4294967295),
        ("-99999999999999999999", 4294967295),
        ("9" * 5000, 4294967295),
        ("0" * 5000 + "7", 7),
    ],
)
def test_a_run_number_is_read_as_c_reads_it(text: str, number: int) -> None:
    assert parse_run_number(text) == number


@given(st.text())
def test_any_text_is_some_run_number(text: str) -> None:
    assert 0 <= parse_run_number(text) <= 4294967295


@given(st.dictionaries(st.text(st.characters(blacklist_characters="."), min_size=1), st.text()))
def test_plain_keys_come_out_as_they_went_in(arguments: dict[str, str]) -> None:
    plain = {key: value for key, value in arguments.items() if not key.startswith("__ptree__:")}
    assert tree(*plain.items()).flat() == plain


json_values = st.recursive(
    st.text(),
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(min_size=1), inner, min_size=1),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1), json_values))
def test_json_is_printed_as_it_was_read(value: dict[str, object]) -> None:
    assert data(parse("json", json.dumps(value))) == value


@given(st.sampled_from(["ini", "json", "xml"]), st.text())
def test_no_text_breaks_a_parser(syntax: str, text: str) -> None:
    try:
        parse(syntax, text)
    except ConfigError:
        return


def test_numbers_are_checked_where_they_are_used() -> None:
    properties = tree(("rate_hz", "12.5"), ("size", "big"))
    assert properties.get_float("rate_hz", 1.0) == 12.5
    assert properties.get_int("absent", 7) == 7
    with pytest.raises(ConfigError, match="property size: expected a whole number, found 'big'"):
        properties.get_int("size", 0)
