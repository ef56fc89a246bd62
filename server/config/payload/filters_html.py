"""Filters that know HTML: lines to paragraphs, tags taken out, texts cut without breaking tags."""

from __future__ import annotations

import re

from server.config.payload.characters import to_bytes
from server.config.payload.errors import LimitError, PayloadError
from server.config.payload.numbers import wrap
from server.config.payload.values import SafeText
from server.template.errors import ExpressionError
from server.template.patterns import without


def escapejs(whole: str) -> str:
    """Return a text as JavaScript may quote it: all but letters, blanks and slashes as ``\\uXXXX``."""
    shown: list[str] = []
    at = 0
    while at < len(whole):
        character = whole[at]
        pair = whole[at : at + 2]
        if pair in ("\\r", "\\n"):
            shown.append("\\u000D" if pair == "\\r" else "\\u000A")
            at += 2
            continue
        if character.isascii() and (character.isalpha() or character in " /"):
            shown.append(character)
        elif character not in _BROKEN:
            shown.append(f"\\u{ord(character):04X}")
        at += 1
    return "".join(shown)


_BROKEN = frozenset("\ufffd") | frozenset(map(chr, range(0xDC80, 0xDD00)))
"""The replacement character, and bytes that are no UTF-8: passed over."""


def linebreaks(whole: str) -> str:
    """Return a text with its lines as paragraphs and breaks."""
    lines = whole.split("\n")
    shown: list[str] = []
    opened = False
    for number, line in enumerate(lines):
        if not opened:
            shown.append("<p>")
            opened = True
        shown.append(line)
        if number + 1 < len(lines) and line.strip():
            if lines[number + 1].strip():
                shown.append("<br />")
            else:
                shown.append("</p>")
                opened = False
    return "".join(shown) + ("</p>" if opened else "")


def striptags(whole: str) -> str:
    """Return a text without what is between angle brackets."""
    kept: list[str] = []
    at = 0
    while (opening := whole.find("<", at)) >= 0 and (closing := whole.find(">", opening)) >= 0:
        kept.append(whole[at:opening])
        at = closing + 1
    return ("".join(kept) + whole[at:]).strip()


def removetags(whole: str, names: str) -> str:
    """Return a text without the tags of these names, separated by commas; each may be a regular expression.

    Raises:
        PayloadError: a name that is none, or that may take too long.
    """
    for name in names.split(","):
        try:
            whole = without(f"</?{name}/?>", whole)
        except ExpressionError as error:
            raise PayloadError(f"removetags: {error.message}", hint="expected names such as b,i,h1") from error
    return whole.strip()


def truncate_characters(whole: str, count: int) -> str:
    """Return the first characters outside tags, three for the dots less; open tags are closed."""
    wanted = max(wrap(count - 3), 0)
    cutter = _Cutter(whole)
    found = 0
    while found < wanted and cutter.next_text():
        cutter.copy(1)
        found += 1
    dots = "..." if wanted <= found < len(to_bytes(whole)) else ""
    return cutter.finish(dots)


def truncate_words(whole: str, count: int) -> str:
    """Return the first words outside tags; open tags are closed. A word that a tag follows at once does not count."""
    wanted = max(count, 0)
    cutter = _Cutter(whole)
    found = 0
    while found < wanted and cutter.next_text():
        word = _WORD.match(cutter.whole, cutter.at)
        assert word is not None
        cutter.copy(len(word[0]))
        is_cut_by_tag = word[0][-1:] not in _WORD_ENDS and cutter.at < len(cutter.whole)
        found += not is_cut_by_tag and word[0][:1] not in _WORD_ENDS
    return cutter.finish("..." if found >= wanted else "")


_WORD = re.compile(r"[^< .,;]*[ .,;]?")
_WORD_ENDS = frozenset(" .,;")
_MAX_OPEN = 1000


class _Cutter:
    """Copies a text piece by piece, and remembers which tags are open."""

    def __init__(self, whole: str) -> None:
        self.whole = "".join(c for c in whole if c not in _BROKEN)
        self.at = 0
        self.copied: list[str] = []
        self.open: list[str] = []

    def next_text(self) -> bool:
        """Copy tags up to the next character outside them; tell whether there is one."""
        while self.at < len(self.whole) and self.whole[self.at] == "<":
            self.tag()
        return self.at < len(self.whole)

    def copy(self, count: int) -> None:
        self.copied.append(self.whole[self.at : self.at + count])
        self.at += count

    def tag(self) -> None:
        self.copy(1)
        if self.at + 1 >= len(self.whole):  # a bracket among the last two characters opens nothing
            return
        closing = self.whole.find(">", self.at)
        inside = self.whole[self.at : closing if closing >= 0 else len(self.whole)]
        self.at += len(inside) + (closing >= 0)
        if inside.startswith("/"):
            self.copied.append(inside + ">")
            self.close(inside[1:])
        else:
            self.copied.append(inside + (">" if closing >= 0 else ""))
            if len(self.open) >= _MAX_OPEN:
                raise LimitError(f"more than {_MAX_OPEN} tags of HTML are open")
            self.open.append(inside.partition(" ")[0])

    def close(self, name: str) -> None:
        for position in range(len(self.open) - 1, -1, -1):
            if self.open[position] == name:
                self.open[position] = self.open[-1]
                self.open.pop()
                return

    def finish(self, dots: str) -> SafeText:
        self.copied.append(dots)
        self.copied += [f"</{name}>" for name in reversed(self.open)]
        return SafeText("".join(self.copied))
