"""Goldens: what a test made, compared with a file in the repository. ``UPDATE_SNAPSHOTS=1`` writes them anew."""

from __future__ import annotations

import difflib
import itertools
import os
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "goldens"


def matches(name: str, made: str, *, folder: Path = FOLDER) -> None:
    """Compare a text with its golden; AssertionError with the difference.

    Args:
        name: path of the golden below the folder.
    """
    golden = folder / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(made, encoding="utf-8")
        return
    assert golden.exists(), f"no golden {name}: run with UPDATE_SNAPSHOTS=1, look at what it wrote, commit it"
    known = golden.read_text(encoding="utf-8")
    if known != made:
        lines = difflib.unified_diff(known.splitlines(), made.splitlines(), "golden", "made", lineterm="", n=1)
        shown = [line[:200] for line in itertools.islice(lines, 60)]
        raise AssertionError(f"{name} differs:\n" + "\n".join(shown))


def text_of(lines: list[str]) -> str:
    """Return a screen as a golden holds it: without blanks at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in lines)


def steady(svg: str) -> str:
    """Return a picture without what differs from run to run, and without fonts from elsewhere."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-[\w-]+?-(?=matrix|title|r\d|clip|line)", "terminal-", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
