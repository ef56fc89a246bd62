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
    """Return a picture without what differs from run to run, without fonts from elsewhere, and without blanks as text.

    Some programs that draw SVG leave out blanks at the ends of a text and then draw the rest in the wrong place.
    """
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-[\w-]+?-(?=matrix|title|r\d|clip|line)", "terminal-", svg)
    svg = _TEXT.sub(_without_blanks, svg)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


CELL = 12.2
"""Width of a cell in Rich's pictures."""

_TEXT = re.compile(r'(<text class="[^"]+") x="([\d.]+)" (y="[\d.]+") textLength="([\d.]+)" ([^>]*)>([^<]*)</text>')


def _without_blanks(match: re.Match[str]) -> str:
    head, x, y, length, rest, text = match.groups()
    if not text.replace("&#160;", "").strip():
        return ""
    left = right = 0
    while text.startswith("&#160;"):
        text, left = text.removeprefix("&#160;"), left + 1
    while text.endswith("&#160;"):
        text, right = text.removesuffix("&#160;"), right + 1
    return (
        f'{head} x="{float(x) + left * CELL:.1f}" {y} textLength="{float(length) - (left + right) * CELL:.1f}" {rest}>'
        f"{text}</text>"
    )
