"""The signs that the console draws."""

from __future__ import annotations

import ast
from pathlib import Path

from rich.cells import cell_len

import console
from console import glyphs
from console.present import CRITICAL_ERROR, LOOKS

ROOM = Path(console.__file__).parent


def test_every_sign_takes_one_cell_and_has_an_ascii_form() -> None:
    for name, glyph in (*glyphs.GLYPHS.items(), *enumerate(glyphs.EIGHTHS), *enumerate(glyphs.SPINNER)):
        assert cell_len(glyph.unicode) == cell_len(glyph.ascii) == 1, name
        assert glyph.ascii.isascii() and glyph.ascii.isprintable(), name
    for look in LOOKS.values():
        assert cell_len(look.glyph) == len(look.ascii) == 1 and look.ascii.isascii()
    assert cell_len(CRITICAL_ERROR.glyph) == len(CRITICAL_ERROR.ascii) == 2


def test_heights_go_from_nothing_to_full_and_what_is_outside_is_cut() -> None:
    assert [glyphs.spark(share) for share in (-1, 0, 0.5, 1, 7)] == [" ", " ", "▄", "█", "█"]
    assert [glyphs.spark(share, ascii=True) for share in (0, 1)] == ["_", "#"]


def test_a_spinner_turns_for_ever() -> None:
    assert glyphs.spinner(0) == glyphs.spinner(10) == "⠋" and glyphs.spinner(1, ascii=True) == "/"


def test_no_sign_is_drawn_that_is_not_in_the_tables() -> None:
    """Texts of the code are ASCII, but for the two tables: then ``--ascii`` cannot miss one."""
    drawn = {}
    for file in sorted(ROOM.rglob("*.py")):
        tree = ast.parse(file.read_text())
        remarks = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in remarks:
                signs = {letter for letter in node.value if not letter.isascii() and cell_len(letter)}
                if signs:
                    drawn.setdefault(file.relative_to(ROOM).as_posix(), set()).update(signs)
    assert drawn.keys() == {"glyphs.py", "present.py"}, drawn
