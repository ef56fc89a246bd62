"""Places inside scalars: what an editor shows, however the scalar is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.template.documents import parse, walk
from server.template.places import locate

WRITTEN = """\
tagged: !public "a{{ x }}b"
anchored: &here "{{ x }}"
single: 'it''s {{ x }}'
double: "say \\"{{ x }}\\" \\u0041{{ x }}"
broken: "first \\
    {{ x }}"
folded: >-
  one
  two {{ x }}

  three {{ x }}
literal: |
    deep {{ x }}
      deeper {{ x }}
plain: a {{ x }}
   b {{ x }}
"""


def test_every_way_to_write_a_scalar_leads_to_the_right_column() -> None:
    lines = WRITTEN.splitlines()
    found = []
    for key, node in walk(parse(WRITTEN, "f").root):
        at = node.value.find("x }}")
        while at >= 0:
            line, column = locate(WRITTEN, node.start_mark.line + 1, node.start_mark.column + 1, node.value, at)
            found.append(key)
            assert lines[line - 1][column - 1 :].startswith("x }}"), (key, line, column)
            at = node.value.find("x }}", at + 1)
    assert found == [
        "tagged", "anchored", "single", "double", "double", "broken", "folded", "folded", "literal", "literal", "plain", "plain",
    ]  # fmt: skip


def test_what_cannot_be_found_is_where_the_scalar_begins() -> None:
    assert locate("a: b\n", 1, 4, "something else", 5) == (1, 4)
    assert locate("a: b\n", 9, 4, "b", 0) == (9, 4)


@given(st.text(max_size=60), st.integers(-1, 9), st.integers(1, 70), st.text(max_size=30), st.integers(-2, 40))
def test_no_text_breaks_the_search(source: str, line: int, column: int, value: str, offset: int) -> None:
    found_line, found_column = locate(source, line, column, value, offset)
    assert isinstance(found_line, int) and isinstance(found_column, int)


@pytest.mark.parametrize("style", ['"', "'", ""])
def test_the_first_character_of_a_scalar_is_behind_its_quote(style: str) -> None:
    source = f"key: {style}value{style}\n"
    assert locate(source, 1, 6, "value", 0) == (1, 6 + len(style))
