"""XML payloads, read as boost 1.74 reads them: every expectation here was made with it."""

from __future__ import annotations

import pytest

from occ.errors import ConfigError
from occ.properties import Properties
from occ.xml_tree import parse_xml


def shape(node: Properties) -> list[object]:
    """Return the value of a node, then each child with its name."""
    return [node.value, *((name, shape(child)) for name, child in node)]


def root(text: str) -> list[object]:
    """Return the shape of the only child of the root."""
    ((_, node),) = parse_xml(text)
    return shape(node)


def test_attributes_and_repeated_elements_are_all_kept() -> None:
    parsed = parse_xml('<r a="1" b=\'"\'><x>t</x><x>u</x><!--c--></r>')
    assert shape(parsed.find("r") or Properties()) == [
        "",
        ("<xmlattr>", ["", ("a", ["1"]), ("b", ['"'])]),
        ("x", ["t"]),
        ("x", ["u"]),
        ("<xmlcomment>", ["c"]),
    ]
    assert (parsed.get("r.<xmlattr>.a"), parsed.get("r.x")) == ("1", "t")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a>\n  <b>t</b>\n</a>", ["\n  \n", ("b", ["t"])]),
        ("<a> x </a>", [" x "]),
        ("<a>x<b/>y<?pi z?>w</a>", ["xyw", ("b", [""])]),
        ("<a> <![CDATA[<&lt;]]></a>", [" <&lt;"]),
        ("<a>1\r\n2</a>", ["1\r\n2"]),
    ],
)
def test_all_text_of_an_element_is_its_value_blanks_too(text: str, expected: list[object]) -> None:
    assert root(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&amp;&lt;&gt;&quot;&apos;", "&<>\"'"),
        ("&#65;&#x42;&#xe9;", "ABé"),
        ("&other; & &amp", "&other; & &amp"),
    ],
)
def test_references_to_characters_are_resolved_and_unknown_ones_stay(text: str, expected: str) -> None:
    assert root(f"<a b='{text}'>{text}</a>")[0] == expected
    assert parse_xml(f'<a b="{text}"/>').get("a.<xmlattr>.b") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("  \n", [""]),
        ("\ufeff<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY e 'x'>]>\n<a>&e;</a>", ["", ("a", ["&e;"])]),
        ("<!-- c --><a/><b></b>", ["", ("<xmlcomment>", [" c "]), ("a", [""]), ("b", [""])]),
        ("<a><b></a></b>", ["", ("a", ["", ("b", [""])])]),
        ("<![CDATA[x]]><!whatever>", ["x"]),
        ("<n:a k='1'k='2'/>", ["", ("n:a", ["", ("<xmlattr>", ["", ("k", ["1"]), ("k", ["2"])])])]),
        ("<a/>\0<b", ["", ("a", [""])]),
    ],
)
def test_what_is_no_proper_document_is_read_all_the_same(text: str, expected: list[object]) -> None:
    assert shape(parse_xml(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("text", "line 1: expected <"),
        ("<a>\n<b></a>", "line 2: unexpected end of data"),
        ("<a", "expected >"),
        ("<a></a b>", "expected >"),
        ("< a/>", "expected element name"),
        ("<a k/>", "expected ="),
        ("<a k=v/>", 'expected "'),
        ("<a k='v/>", "unexpected end of data"),
        ("<a>&#65 </a>", "expected ;"),
        ("<a>&#x110000;</a>", "invalid numeric character entity"),
        ("<!-- c", "unexpected end of data"),
        ("<!DOCTYPE a [", "unexpected end of data"),
    ],
)
def test_what_cannot_be_read_is_refused_with_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_xml(text)
    assert reason in str(caught.value)


def test_elements_may_be_nested_deeper_than_functions() -> None:
    node = parse_xml("<a>" * 5000 + "</a>" * 5000)
    depth = 0
    while len(node):
        ((_, node),) = node
        depth += 1
    assert depth == 5000
