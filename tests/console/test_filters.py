"""What is typed after the slash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.filters import parse

ROW = {"id": "2abCDE", "state": "ERROR", "host": "flp001", "detectors": "ITS TPC", "path": "readout.host-flp001.qc"}


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("", True), ("flp", True), ("FLP001", True), ("flp002", False), ("flp001 its", True), ("flp001 tof", False),
        ("state=error", True), ("state=err,run", True), ("state=run", False), ("state=", True), ("host~p00", True),
        ("host~x", False), ("!state=run", True), ("!flp001", False), ("st=err", True), ("nosuch=1", False), ("!", False),
        ("det~tpc !host=flp002", True),
    ],
)  # fmt: skip
def test_terms_hold_all_together(text: str, stays: bool) -> None:
    assert parse(text)(ROW) is stays


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_is_a_filter(text: str, fields: dict[str, str]) -> None:
    assert parse(text)(fields) in (True, False)
