"""Regular expressions as Go writes them (RE2), to those of Python: classes, flags anywhere, ends of texts, quotations.

What such an expression may cost: patterns.py.
"""

from __future__ import annotations

import re

from server.template.errors import ExpressionError

MAX_REPEAT = 1000

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_LETTERS = {"d": "0-9", "s": "\\t\\n\\f\\r ", "w": "0-9A-Za-z_"}
_TOKEN = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|$)|(?P<class>\[)|(?P<group>\((?:\?(?:P?<\w+>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<colon>[:)])))?)"
    r"|(?P<odd>\(\?)|(?P<close>\))|(?P<repeat>[*+?]|\{\d+(?:,\d*)?\})|(?P<escape>\\)|(?P<other>.)",
    re.DOTALL,
)
_CODE = re.compile(r"x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_CONTROLS = {"a": "\\x07", "f": "\\f", "n": "\\n", "r": "\\r", "t": "\\t", "v": "\\v"}


def to_python(pattern: str) -> str:
    """Return the same expression in the words of Python.

    Raises:
        ExpressionError: it is none for Go.
    """
    return _Translator(pattern).translate()


class _Translator:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.parts: list[str] = []
        self.groups: list[tuple[str, int, str]] = []
        """Of each open group what flags, extra and reopened are outside."""
        self.flags = ""
        self.extra = 0
        """Groups that Python needs for flags that hold from here on."""
        self.reopened = ""
        """What opens these groups in each alternative."""

    def refuse(self, reason: str) -> ExpressionError:
        return ExpressionError(f"invalid regular expression {self.pattern!r}: {reason}")

    def translate(self) -> str:
        repeatable = False
        while match := _TOKEN.match(self.pattern, self.at):
            self.at = match.end()
            if match["repeat"]:
                self.repeat(match["repeat"], repeatable)
                repeatable = False
                continue
            repeatable = True
            if match["quoted"] is not None:
                self.parts.append(re.escape(match["quoted"]))
            elif match["class"]:
                self.parts.append(self.character_class())
            elif match["group"]:
                self.open(match)
                repeatable = False
            elif match["odd"]:
                raise self.refuse("look-around and conditions do not exist")
            elif match["close"]:
                self.close()
            elif match["escape"]:
                self.parts.append(self.escape(in_class=False))
            else:
                self.parts.append(self.plain(match["other"]))
                repeatable = match["other"] != "|"
        if self.groups:
            raise self.refuse("missing closing )")
        return "".join(self.parts) + ")" * self.extra

    def plain(self, character: str) -> str:
        if character == "$":
            return "(?:$)" if "m" in self.flags else r"(?:\Z)"
        if character == "^":
            return "(?:^)"
        if character == "|":
            return ")" * self.extra + "|" + self.reopened
        return rf"\{character}" if character in "{}]" else character

    def repeat(self, text: str, repeatable: bool) -> None:
        if not repeatable:
            raise self.refuse(f"nothing to repeat before {text!r}, or it is repeated already")
        numbers = [int(number) for number in re.findall(r"\d{1,9}", text)]
        if any(number > MAX_REPEAT for number in numbers) or numbers != sorted(numbers):
            raise self.refuse(f"invalid repeat count {text}")
        is_lazy = self.pattern.startswith("?", self.at)
        self.at += is_lazy
        self.parts.append(text + "?" * (is_lazy != ("U" in self.flags)))

    def open(self, match: re.Match[str]) -> None:
        if match["flags"] is None or match["colon"] is None:
            self.groups.append((self.flags, self.extra, self.reopened))
            self.extra, self.reopened = 0, ""
            self.parts.append("(?:")
            return
        if match["colon"] == ":":
            self.groups.append((self.flags, self.extra, self.reopened))
            self.extra, self.reopened = 0, ""
        elif not match["flags"]:
            return
        else:
            self.extra += 1
        added, _, removed = match["flags"].partition("-")
        self.flags = "".join(sorted((set(self.flags) | set(added)) - set(removed)))
        added, removed = added.replace("U", ""), removed.replace("U", "")
        words = f"(?{''.join(sorted(set(added) - set(removed)))}{'-' if removed else ''}{removed}:"
        self.parts.append(words)
        if match["colon"] == ")":
            self.reopened += words

    def close(self) -> None:
        if not self.groups:
            raise self.refuse("unexpected )")
        self.parts.append(")" * (self.extra + 1))
        self.flags, self.extra, self.reopened = self.groups.pop()

    def character_class(self) -> str:
        parts = ["["]
        if self.pattern.startswith("^", self.at):
            parts.append("^")
            self.at += 1
        is_first = True
        while is_first or not self.pattern.startswith("]", self.at):
            is_first = False
            character = self.pattern[self.at : self.at + 1]
            if not character:
                raise self.refuse("missing closing ]")
            name = re.compile(r"\[:(\^?)(\w+):\]").match(self.pattern, self.at)
            self.at = name.end() if name else self.at + 1
            if name:
                if name[2] not in _CLASSES:
                    raise self.refuse(f"invalid character class range {name[0]}")
                parts.append(_complement(_CLASSES[name[2]]) if name[1] else _CLASSES[name[2]])
            elif character == "\\":
                parts.append(self.escape(in_class=True))
            else:
                parts.append(rf"\{character}" if character in "[]&~|^" else character)
        self.at += 1
        return "".join([*parts, "]"])

    def escape(self, *, in_class: bool) -> str:
        letter = self.pattern[self.at : self.at + 1]
        code = _CODE.match(self.pattern, self.at)
        if code:
            self.at = code.end()
            number = int(code[1] or code[2], 16) if code[3] is None else int(code[3], 8)
            if number > 0x10FFFF:
                raise self.refuse("no such character")
            return re.escape(chr(number))
        self.at += 1
        if letter.lower() in _LETTERS and letter:
            held = _LETTERS[letter.lower()]
            if not in_class:
                return f"[{'^' if letter.isupper() else ''}{held}]"
            return _complement(held) if letter.isupper() else held
        if letter in _CONTROLS and letter:
            return _CONTROLS[letter]
        if not in_class and letter and letter in "AbBz":
            return r"(?:\Z)" if letter == "z" else letter.join(("(?a:\\", ")")) if letter in "bB" else r"(?:\A)"
        if not letter or not letter.isascii() or letter.isalnum():
            raise self.refuse(f"invalid escape sequence \\{letter}")
        return re.escape(letter)


def _complement(ranges: str) -> str:
    """Return the ranges of all characters that are not in these."""
    held = re.compile(f"[{ranges}]")
    parts, start = list[str](), 0
    for code in range(129):
        if code == 128 or held.match(chr(code)):
            if start < code < 128:
                parts.append(f"\\x{start:02x}-\\x{code - 1:02x}")
            start = code + 1 if code < 128 else start
    return "".join(parts) + (f"\\x{start:02x}-\\x7f" if start < 128 else "") + "\\x80-\\U0010ffff"
